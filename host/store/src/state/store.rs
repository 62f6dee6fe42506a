//! A state that is open for writing.

use std::path::Path;

use super::committer::Entry;
use super::contents::Contents;
use super::error::StateError;
use super::folder::Folder;
use super::tables::{CACHE, FORMAT, Fault, META, Tables};
use crate::database::{commit, create_database, open_database};
use crate::path_check::PathCheck;

/// A state, open for one host alone.
#[derive(Debug)]
pub(super) struct Store {
    // Closed before the folder is unlocked.
    contents: Contents,
    path_check: PathCheck,
    folder: Folder,
}

impl Store {
    /// Opens the state in `folder` for writing; creates it if there is none.
    pub(super) fn create(folder: &Path) -> Result<Self, StateError> {
        let folder = Folder::created(folder, create_tables)?;
        let path = folder.database.clone();
        let (database, path_check) =
            open_database(&path, CACHE).map_err(|error| StateError::of(&path, error))?;
        let store = Self { contents: Contents::of(database, path)?, path_check, folder };
        store.upgrade()?;
        Ok(store)
    }

    /// What is in it.
    pub(super) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Applies all of the commits, durably, or none.
    pub(super) fn commit<'a>(&self, entries: impl IntoIterator<Item = &'a Entry>) -> Result<(), StateError> {
        self.check()?;
        let committed = commit(&self.contents.database, |transaction| {
            let mut tables = Tables::open(transaction)?;
            entries.into_iter().try_for_each(|entry| tables.enter(entry))
        });
        committed.map_err(|fault: Fault| fault.at(&self.folder.database))?;
        // Again: the file may have been replaced during the commit.
        self.check()
    }

    /// Checks that the folder still has the files that are open.
    fn check(&self) -> Result<(), StateError> {
        self.folder.lock.check()?;
        Ok(self.path_check.check()?)
    }

    /// Upgrades a state of an older format.
    fn upgrade(&self) -> Result<(), StateError> {
        let found = self
            .contents
            .read(|tables| Ok(tables.open_table(META)?.get("format")?.map(|found| found.value())))?;
        if found == Some(FORMAT) {
            return Ok(());
        }
        let upgraded = commit(&self.contents.database, |transaction| {
            transaction.open_table(META)?.insert("format", FORMAT)?;
            Tables::open(transaction)?;
            Ok(())
        });
        upgraded.map_err(|fault: Fault| fault.at(&self.folder.database))
    }
}

/// Creates a database with empty tables.
fn create_tables(path: &Path) -> Result<(), StateError> {
    let written = create_database(path, |transaction| {
        Tables::open(transaction)?;
        transaction.open_table(META)?.insert("format", FORMAT)?;
        Ok(())
    });
    written.map_err(|error| StateError::of(path, error))
}
