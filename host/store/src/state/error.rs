//! What can be wrong with a state.

use std::io;
use std::path::{Path, PathBuf};

use loghost_system::NoThread;

use crate::path_check::Displaced;

/// A state that cannot be used. It is never replaced by an empty one.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another process has it.
    #[error("the state in {} is in use by another process: stop that host first", .0.display())]
    InUse(PathBuf),
    /// There is no state, and none is made.
    #[error("there is no state in {}: name the folder that `run --state` was given", .0.display())]
    Missing(PathBuf),
    /// It is a file.
    #[error("{} is a file: name a folder that is empty, or not there yet", .0.display())]
    NotAFolder(PathBuf),
    /// There is something else in the folder.
    #[error(
        "{} holds other files and no state of loghost: name a folder that is empty, or not there yet",
        .0.display()
    )]
    Foreign(PathBuf),
    /// The file is something else.
    #[error("{} was not written by loghost: {reason}", path.display())]
    NotLoghost {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file was written by another version.
    #[error("{} has format {found}, and this loghost knows {known}: use the one that wrote it", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The one format that is known.
        known: u32,
    },
    /// The file is not as it was written.
    #[error(
        "{} is damaged: {reason}; put a copy in its place, or move it away to begin again without its counts",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system says no.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not where it was any more.
    #[error(
        "{0}: put the folder back as it was and start again; if it is gone, or was replaced with another, start \
         again to go on with what is there now"
    )]
    Displaced(#[from] Displaced),
    /// There is no thread for it.
    #[error("cannot start a thread for the state")]
    Thread(#[from] NoThread),
    /// The thread that commits is gone.
    #[error("the state is closed")]
    Closed,
}

impl StateError {
    /// What the system says of `path`.
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    /// What the database says of the file at `path`.
    pub(super) fn of(path: &Path, error: impl Into<redb::Error>) -> Self {
        let path = path.to_owned();
        match error.into() {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Self::InUse(path),
            redb::Error::Io(source) if source.kind() == io::ErrorKind::InvalidData => {
                Self::NotLoghost { path, reason: "it is no database".to_owned() }
            }
            redb::Error::Io(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Damaged { path, reason: "it is too short".to_owned() }
            }
            redb::Error::Io(source) => Self::Io { path, source },
            error @ redb::Error::PreviousIo => {
                Self::Io { path, source: io::Error::other(format!("after an earlier error: {error}")) }
            }
            redb::Error::Corrupted(reason) => Self::Damaged { path, reason },
            error => Self::Damaged { path, reason: error.to_string() },
        }
    }
}
