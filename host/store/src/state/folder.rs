//! The folder of a state: whose it is, and which files are in it.
//!
//! A host that is killed while it makes a new state leaves a file that is none yet. So the file is made
//! under another name, and gets its own when it is whole; a lock beside it holds off everybody else
//! meanwhile, and as long as the state is open.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use loghost_system::private;

use super::error::StateError;
use crate::place::{Displaced, Place};

const DATABASE: &str = "loghost.redb";
const UNFINISHED: &str = "loghost.redb.new";
const LOCK: &str = "loghost.lock";

/// A folder with a state, locked.
#[derive(Debug)]
pub(super) struct Folder {
    /// The database.
    pub(super) database: PathBuf,
    /// Holds off everybody else.
    pub(super) lock: Lock,
}

/// The folder is locked as long as this is open.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
    place: Place,
}

impl Lock {
    /// Makes sure that it still holds off who opens the folder now.
    pub(super) fn check(&self) -> Result<(), Displaced> {
        self.place.check()
    }
}

impl Folder {
    /// Takes a folder; if it has no state, and nothing else, has `make` write a new database.
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
                .and_then(|()| keep(path))
                .map_err(|error| StateError::io(&database, error))?;
        }
        Ok(Self { database, lock })
    }
}

/// The database of a folder that has a state.
pub(super) fn database_in(path: &Path) -> Result<PathBuf, StateError> {
    must_be_a_folder(path)?;
    let database = path.join(DATABASE);
    match database.try_exists() {
        Ok(true) => Ok(database),
        Ok(false) => Err(StateError::Missing(path.to_owned())),
        Err(error) => Err(StateError::io(&database, error)),
    }
}

/// Refuses what is there, and is no folder.
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
    let place = Place::of(&path_of, &file).map_err(failed)?;
    Ok(Lock { _file: file, place })
}

/// Has the names in a new folder, and its own, outlast a loss of power.
fn keep(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let path = path.canonicalize()?;
        for folder in [Some(path.as_path()), path.parent()].into_iter().flatten() {
            File::open(folder)?.sync_all()?;
        }
    }
    Ok(())
}
