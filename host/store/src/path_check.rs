//! Whether a path still names the file that is open. A file that is removed while it is open can be written to as
//! before, and is lost when it is closed.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// The path and the identity of an open file.
#[derive(Debug)]
pub(crate) struct PathCheck {
    path: PathBuf,
    file: Identity,
}

/// The path no longer names the file.
#[derive(Debug, thiserror::Error)]
#[error("{} was removed, renamed or replaced while it was in use", .0.display())]
pub struct Displaced(pub PathBuf);

impl PathCheck {
    /// For the file that was opened at `path`.
    pub(crate) fn of(path: &Path, file: &File) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: Identity::of(&file.metadata()?) })
    }

    /// Makes sure that `path` names the file that is open.
    pub(crate) fn check(&self) -> Result<(), Displaced> {
        let there = fs::metadata(&self.path).is_ok_and(|found| Identity::of(&found) == self.file);
        if there { Ok(()) } else { Err(Displaced(self.path.clone())) }
    }
}

/// Identifies a file among all that exist at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
}

impl Identity {
    #[cfg(unix)]
    fn of(found: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: found.dev(), inode: found.ino() }
    }

    /// Here a file that is open can be neither removed nor renamed.
    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Self {
        Self {}
    }
}
