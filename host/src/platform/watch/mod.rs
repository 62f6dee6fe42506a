//! Watches files for changes, by the system's own notification.
//!
//! A path leads to a file through folders and symbolic links, and each of them may be replaced by another one of
//! its name: what is watched is every name on the way, in the folder that it is in. After a change the way is
//! found again.

mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use self::way::{PathStep, PathStepKind};

/// How long it must be quiet before a change is complete: a file may be written in pieces.
const QUIET: Duration = Duration::from_millis(100);

/// How long that is waited for: somebody may write again and again.
const LONGEST: Duration = Duration::from_secs(2);

/// A watch over some files.
pub(crate) struct Watch {
    files: Vec<PathBuf>,
    changes: mpsc::Receiver<()>,
    /// Whether there was a change that has not been told of.
    changing: bool,
    /// Ends with this.
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches `files`, which need not be there.
    pub(crate) fn new(files: Vec<PathBuf>) -> notify::Result<Self> {
        let mut steps = steps_to(&files);
        loop {
            // One that waits is enough: what is told is only that there was a change.
            let (tell, changes) = mpsc::channel(1);
            let watcher = watch(&steps, tell);
            // What had changed before it was watched is not told, and what had gone cannot be watched.
            let now = steps_to(&files);
            if now == steps {
                return Ok(Self { files, changes, changing: false, _watcher: watcher? });
            }
            steps = now;
        }
    }

    /// Is ready when a file, or the way to it, has changed, and it has been quiet since, or not for long. What the ways
    /// lead to then is watched already. Nothing is lost if the future is dropped.
    pub(crate) async fn changed(&mut self) -> notify::Result<()> {
        if !self.changing && self.changes.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        self.changing = true;
        let until = Instant::now() + LONGEST;
        while let Ok(Some(())) = timeout(QUIET, self.changes.recv()).await
            && Instant::now() < until
        {}
        *self = Self::new(mem::take(&mut self.files))?;
        Ok(())
    }
}

/// The ways to `files`, as they are now.
fn steps_to(files: &[PathBuf]) -> BTreeSet<PathStep> {
    files.iter().flat_map(|file| way::to(file)).collect()
}

/// Tells of every change of one of `steps`.
fn watch(steps: &BTreeSet<PathStep>, tell: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let names: BTreeSet<PathBuf> = steps.iter().map(|step| step.name.clone()).collect();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // What went wrong may have hidden a change.
        let concerns = event.map_or(true, |event| {
            !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(|path| names.contains(path))
        });
        if concerns {
            let _ = tell.try_send(());
        }
    })?;
    let mut folders: BTreeMap<&Path, PathStepKind> = BTreeMap::new();
    for PathStep { name, kind } in steps {
        if let Some(folder) = name.parent() {
            let most = folders.entry(folder).or_insert(*kind);
            *most = (*most).max(*kind);
        }
    }
    for (folder, kind) in folders {
        let result = watcher.watch(folder, RecursiveMode::NonRecursive);
        // Not everybody may read every folder far above; few are ever replaced.
        if kind != PathStepKind::Folder {
            result?;
        }
    }
    Ok(watcher)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    /// As Kubernetes does with the volume of a `ConfigMap`, at any moment.
    #[test]
    fn folders_are_replaced_while_the_watch_begins() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let is_done = AtomicBool::new(false);
        let release = |version: u32| {
            fs::create_dir(at(&format!("..{version}"))).unwrap();
            fs::write(at(&format!("..{version}/x.wasm")), "").unwrap();
            symlink(format!("..{version}"), at("..new")).unwrap();
            fs::rename(at("..new"), at("..data")).unwrap();
        };
        release(0);
        symlink("..data/x.wasm", at("x.wasm")).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                for version in 1.. {
                    release(version);
                    fs::remove_dir_all(at(&format!("..{}", version - 1))).unwrap();
                    if is_done.load(Ordering::Relaxed) {
                        break;
                    }
                    // Else no way is the same when it is looked at twice.
                    thread::sleep(Duration::from_millis(1));
                }
            });
            let watches: Vec<_> = (0..200).map(|_| Watch::new(vec![at("x.wasm")]).map(drop)).collect();
            is_done.store(true, Ordering::Relaxed);
            for watch in watches {
                watch.unwrap();
            }
        });
    }
}
