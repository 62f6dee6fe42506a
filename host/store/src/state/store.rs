//! A state that one host writes in.

use std::path::Path;

use loghost_core::application::Commit;

use super::committer::Owner;
use super::contents::Contents;
use super::error::StateError;
use super::folder::Folder;
use super::tables::{CACHE, FORMAT, Fault, META, Tables};
use crate::database::{commit, create_database, open_database};
use crate::place::Place;

/// A state, open for one host alone.
#[derive(Debug)]
pub(super) struct Store {
    // Closed before the folder is unlocked.
    contents: Contents,
    place: Place,
    folder: Folder,
}

impl Store {
    /// Opens the state in `folder`, to write in it; begins one if there is nothing.
    pub(super) fn create(folder: &Path) -> Result<Self, StateError> {
        let folder = Folder::created(folder, begin)?;
        let path = folder.database.clone();
        let (database, place) = open_database(&path, CACHE).map_err(|error| StateError::of(&path, error))?;
        let store = Self { contents: Contents::of(database, path)?, place, folder };
        store.upgrade()?;
        Ok(store)
    }

    /// What is in it.
    pub(super) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Applies all of the commits, durably, or none.
    pub(super) fn commit<'a>(
        &self,
        commits: impl IntoIterator<Item = (&'a Owner, &'a Commit)>,
    ) -> Result<(), StateError> {
        self.check()?;
        let committed = commit(&self.contents.database, |transaction| {
            let mut tables = Tables::open(transaction)?;
            commits.into_iter().try_for_each(|(owner, commit)| tables.apply(owner, commit))
        });
        committed.map_err(|fault: Fault| fault.at(&self.folder.database))?;
        // Also meanwhile: what is safe is safe where it will be looked for.
        self.check()
    }

    /// Makes sure that what is written is written to the folder that was named.
    fn check(&self) -> Result<(), StateError> {
        self.folder.lock.check()?;
        Ok(self.place.check()?)
    }

    /// Makes a state of a former format one of this format.
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

/// Writes a database with all tables and nothing in them.
fn begin(path: &Path) -> Result<(), StateError> {
    let written = create_database(path, |transaction| {
        Tables::open(transaction)?;
        transaction.open_table(META)?.insert("format", FORMAT)?;
        Ok(())
    });
    written.map_err(|error| StateError::of(path, error))
}
