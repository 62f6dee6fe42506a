//! Whether a file is still the one that its path names. A file that is removed while it is open can be written
//! to as before, and all of it is gone when it is closed.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// A file that is open, and where it was found.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    file: Identity,
}

/// It is not there any more.
#[derive(Debug, thiserror::Error)]
#[error("{} was removed, renamed or replaced while it was in use", .0.display())]
pub struct Displaced(pub PathBuf);

impl Place {
    /// Takes note of a file that was opened at `path`.
    pub(crate) fn of(path: &Path, file: &File) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: Identity::of(&file.metadata()?) })
    }

    /// Makes sure that `path` names the file that is open.
    pub(crate) fn check(&self) -> Result<(), Displaced> {
        let there = fs::metadata(&self.path).is_ok_and(|found| Identity::of(&found) == self.file);
        if there { Ok(()) } else { Err(Displaced(self.path.clone())) }
    }
}

/// What tells a file from every other that is there at the same time.
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
