//! The folder of a state: its lock and its database.
//!
//! A host may be killed while it creates a state. So the database is written under a temporary name and renamed when
//! it is complete. A lock file beside it keeps other processes out from then on, as long as the state is open.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use loghost_system::private;

use super::error::StateError;
use crate::path_check::{Displaced, PathCheck};

const DATABASE: &str = "loghost.redb";
const UNFINISHED: &str = "loghost.redb.new";
const LOCK: &str = "loghost.lock";

/// A folder with a state, locked.
#[derive(Debug)]
pub(super) struct Folder {
    /// The database.
    pub(super) database: PathBuf,
    /// Keeps other processes out.
    pub(super) lock: Lock,
}

/// The folder is locked as long as this is open.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
    path_check: PathCheck,
}

impl Lock {
    /// Checks that the lock file is still the one that another process would find.
    pub(super) fn check(&self) -> Result<(), Displaced> {
        self.path_check.check()
    }
}

impl Folder {
    /// Locks a folder; if it is empty or missing, has `make` write a new database.
    pub(super) fn created(
        path: &Path,
        make: impl FnOnce(&Path) -> Result<(), StateError>,
    ) -> Result<Self, StateError> {
        must_be_a_folder(path)?;
        private::create_folders(path).map_err(|error| StateError::io(path, error))?;
        if !is_ours(path).map_err(|error| StateError::io(path, error))? {
            return Err(StateError::Foreign(path.to_owned()));
        }
        let lock = lock(path)?;
        let database = path.join(DATABASE);
        if !database.try_exists().map_err(|error| StateError::io(&database, error))? {
            let unfinished = path.join(UNFINISHED);
            match fs::remove_file(&unfinished) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(StateError::io(&unfinished, error));
                }
                _ => {}
            }
            make(&unfinished)?;
            fs::rename(&unfinished, &database)
                .and_then(|()| sync_names(path))
                .map_err(|error| StateError::io(&database, error))?;
        }
        Ok(Self { database, lock })
    }
}

/// The database of a folder that has a state.
pub(super) fn database_in(path: &Path) -> Result<PathBuf, StateError> {
    let database = path.join(DATABASE);
    match database.try_exists() {
        Ok(true) => Ok(database),
        Err(error) if error.kind() != ErrorKind::NotADirectory => Err(StateError::io(&database, error)),
        _ => Err(StateError::Missing(path.to_owned())),
    }
}

/// Refuses a path that exists and is no folder.
fn must_be_a_folder(path: &Path) -> Result<(), StateError> {
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => Err(StateError::NotAFolder(path.to_owned())),
        _ => Ok(()),
    }
}

/// Whether the folder has a state, or nothing.
fn is_ours(path: &Path) -> io::Result<bool> {
    let mut others = false;
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if name == DATABASE {
            return Ok(true);
        }
        others |= name != UNFINISHED && name != LOCK;
    }
    Ok(!others)
}

fn lock(path: &Path) -> Result<Lock, StateError> {
    let path_of = path.join(LOCK);
    let failed = |error| StateError::io(&path_of, error);
    let file = private::open_or_create(&path_of).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StateError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let path_check = PathCheck::of(&path_of, &file).map_err(failed)?;
    Ok(Lock { _file: file, path_check })
}

/// Syncs a new folder and its parent, so that its name and those in it survive a power failure.
fn sync_names(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let path = path.canonicalize()?;
        for folder in [Some(path.as_path()), path.parent()].into_iter().flatten() {
            File::open(folder)?.sync_all()?;
        }
    }
    Ok(())
}
