//! Watches files for changes, by the system's own notification.
//!
//! It watches their folders, because a file is often replaced by another one of its name.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long it must be quiet before a change is complete: a file may be written in pieces.
const QUIET: Duration = Duration::from_millis(100);

/// A watch over some files.
pub(crate) struct Watch {
    changes: mpsc::Receiver<()>,
    /// Ends with this.
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches `files`, which need not be there.
    pub(crate) fn new(files: &[PathBuf]) -> notify::Result<Self> {
        // One that waits is enough: what is told is only that there was a change.
        let (tell, changes) = mpsc::channel(1);
        let names: BTreeSet<OsString> =
            files.iter().filter_map(|file| file.file_name()).map(ToOwned::to_owned).collect();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // What went wrong may have hidden a change.
            let concerns = event.map_or(true, |event| {
                !matches!(event.kind, EventKind::Access(_))
                    && event
                        .paths
                        .iter()
                        .any(|path| path.file_name().is_some_and(|name| names.contains(name)))
            });
            if concerns {
                let _ = tell.try_send(());
            }
        })?;
        let folders: BTreeSet<&Path> = files
            .iter()
            .map(|file| {
                file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
            })
            .collect();
        for folder in folders {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
        }
        Ok(Self { changes, _watcher: watcher })
    }

    /// Is ready when a file has changed, and it has been quiet since.
    pub(crate) async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        while let Ok(Some(())) = timeout(QUIET, self.changes.recv()).await {}
    }
}
