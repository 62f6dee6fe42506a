//! The tables, and what a commit does to them.
//!
//! Intervals are rows, so that a commit writes what has changed and not what is there. All rows of a
//! consumer begin with the name of its queue: under another prefix it has other logs, and other counts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use loghost_core::application::Commit;
use loghost_core::domain::{Account, Counts, IntervalChange, IntervalSet, OriginState, Timestamp};
use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, Table, TableDefinition, TableError,
    TableHandle, WriteTransaction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::committer::Owner;
use super::error::StateError;
use super::folder::{self, Folder};
use super::settings::Settings;
use super::wire::{CountsWire, FilterWire};
use crate::database::{commit, create_database, open_copy, open_database};
use crate::place::Place;

/// What the tables are like; another number means other tables.
const FORMAT: u32 = 2;

/// The format that had no table of unwanted logs, and no counts of them: there were none.
const FIRST_FORMAT: u32 = 1;

/// Memory for pages, of which a state has few.
const CACHE: usize = 16 * 1024 * 1024;

const META: TableDefinition<&str, u32> = TableDefinition::new("meta");
/// Queue to counts.
const CONSUMERS: TableDefinition<&str, &[u8]> = TableDefinition::new("consumers");
/// Queue to filter.
const FILTERS: TableDefinition<&str, &[u8]> = TableDefinition::new("filters");
/// Queue to what the consumer keeps itself.
const CHECKPOINTS: TableDefinition<&str, &[u8]> = TableDefinition::new("checkpoints");
/// Queue to what the consumer was configured with. Not in what was written before there was such a table.
const SETTINGS: TableDefinition<&str, &[u8]> = TableDefinition::new("settings");
/// Queue and origin to the time, in milliseconds, when it was last seen.
const ORIGINS: TableDefinition<(&str, &str), u64> = TableDefinition::new("origins");
/// Queue, origin and first number of an interval to its last number.
type Intervals<'a> = TableDefinition<'a, (&'static str, &'static str, u64), u64>;
const FINISHED: Intervals<'_> = TableDefinition::new("finished");
const DEAD: Intervals<'_> = TableDefinition::new("dead");
const UNWANTED: Intervals<'_> = TableDefinition::new("unwanted");

/// What can be read in a state.
#[derive(Debug)]
pub struct Contents {
    database: Database,
    path: PathBuf,
}

impl Contents {
    /// What the state in `folder` has at this moment, also while a host writes in it.
    pub fn copied(folder: &Path) -> Result<Self, StateError> {
        let path = folder::database_in(folder)?;
        let copied = open_copy(&path, CACHE);
        Self::of(copied.map_err(|error| StateError::of(&path, error))?, path)
    }

    fn of(database: Database, path: PathBuf) -> Result<Self, StateError> {
        let contents = Self { database, path };
        contents.read(|tables| {
            let meta = tables.open_table(META)?;
            match meta.get("format")?.map(|found| found.value()) {
                Some(FIRST_FORMAT | FORMAT) => Ok(()),
                Some(found) => Err(Fault::Version(found)),
                None => Err(Fault::Unreadable("no format is noted".to_owned())),
            }
        })?;
        Ok(contents)
    }

    /// The queues of the consumers that it knows, in order.
    pub fn queues(&self) -> Result<Vec<String>, StateError> {
        self.read(|tables| {
            let consumers = tables.open_table(CONSUMERS)?;
            consumers.iter()?.map(|row| Ok(row?.0.value().to_owned())).collect()
        })
    }

    /// What is known of the consumer that takes from `queue`.
    pub fn account(&self, queue: &str) -> Result<Option<Account>, StateError> {
        self.read(|tables| {
            let consumers = tables.open_table(CONSUMERS)?;
            let Some(row) = consumers.get(queue)? else { return Ok(None) };
            let (consumer, counts, expired) =
                parse::<CountsWire>(row.value())?.read().map_err(Fault::Unreadable)?;
            let filter = tables.open_table(FILTERS)?.get(queue)?;
            let filter =
                filter.map(|row| parse::<FilterWire>(row.value())?.read().map_err(Fault::Unreadable));
            let queue = queue.to_owned();
            let origins = origins(tables, &queue)?;
            Ok(Some(Account { consumer, queue, counts, expired, filter: filter.transpose()?, origins }))
        })
    }

    /// What the consumer that takes from `queue` keeps itself.
    pub(super) fn checkpoint(&self, queue: &str) -> Result<Option<Vec<u8>>, StateError> {
        self.read(|tables| {
            let row = tables.open_table(CHECKPOINTS)?.get(queue)?;
            Ok(row.map(|row| row.value().to_vec()))
        })
    }

    /// What the consumer that takes from `queue` was configured with when it counted, if it did and that is known.
    pub(super) fn settings(&self, queue: &str) -> Result<Option<Settings>, StateError> {
        self.read(|tables| {
            let consumers = tables.open_table(CONSUMERS)?;
            let Some(row) = consumers.get(queue)? else { return Ok(None) };
            let (_, counts, _) = parse::<CountsWire>(row.value())?.read().map_err(Fault::Unreadable)?;
            if counts == Counts::default() {
                return Ok(None);
            }
            let table = match tables.open_table(SETTINGS) {
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                table => table?,
            };
            let row = table.get(queue)?;
            row.map(|row| parse(row.value())).transpose()
        })
    }

    fn read<T>(&self, read: impl FnOnce(&ReadTransaction) -> Result<T, Fault>) -> Result<T, StateError> {
        let tables = self.database.begin_read().map_err(|error| StateError::of(&self.path, error))?;
        read(&tables).map_err(|fault| fault.at(&self.path))
    }
}

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

    /// Makes a state of the first format one of this format.
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

fn origins(tables: &ReadTransaction, queue: &str) -> Result<Vec<OriginState>, Fault> {
    let mut places = HashMap::new();
    let mut origins = Vec::new();
    for row in tables.open_table(ORIGINS)?.range((queue, "")..)? {
        let (key, seen) = row?;
        let (of, origin) = key.value();
        if of != queue {
            break;
        }
        places.insert(origin.to_owned(), origins.len());
        origins.push(OriginState {
            origin: origin.to_owned(),
            seen: Timestamp::from_millis(seen.value()),
            finished: IntervalSet::default(),
            dead: IntervalSet::default(),
            unwanted: IntervalSet::default(),
        });
    }
    for (table, which) in [(FINISHED, finished as Which), (DEAD, dead), (UNWANTED, unwanted)] {
        let table = match tables.open_table(table) {
            // In the first format.
            Err(TableError::TableDoesNotExist(_)) if table.name() == UNWANTED.name() => continue,
            table => table?,
        };
        for row in table.range((queue, "", 0)..)? {
            let (key, last) = row?;
            let (of, origin, first) = key.value();
            if of != queue {
                break;
            }
            let place = places.get(origin).ok_or_else(|| unknown(origin))?;
            which(&mut origins[*place]).insert_interval(first, last.value());
        }
    }
    Ok(origins)
}

type Which = fn(&mut OriginState) -> &mut IntervalSet;

fn finished(origin: &mut OriginState) -> &mut IntervalSet {
    &mut origin.finished
}

fn dead(origin: &mut OriginState) -> &mut IntervalSet {
    &mut origin.dead
}

fn unwanted(origin: &mut OriginState) -> &mut IntervalSet {
    &mut origin.unwanted
}

fn unknown(origin: &str) -> Fault {
    Fault::Unreadable(format!("it has intervals of `{origin}`, and does not know that"))
}

/// The tables, open for one commit.
struct Tables<'t> {
    consumers: Table<'t, &'static str, &'static [u8]>,
    filters: Table<'t, &'static str, &'static [u8]>,
    checkpoints: Table<'t, &'static str, &'static [u8]>,
    settings: Table<'t, &'static str, &'static [u8]>,
    origins: Table<'t, (&'static str, &'static str), u64>,
    finished: IntervalTable<'t>,
    dead: IntervalTable<'t>,
    unwanted: IntervalTable<'t>,
}

type IntervalTable<'t> = Table<'t, (&'static str, &'static str, u64), u64>;

impl<'t> Tables<'t> {
    fn open(transaction: &'t WriteTransaction) -> Result<Self, redb::TableError> {
        Ok(Self {
            consumers: transaction.open_table(CONSUMERS)?,
            filters: transaction.open_table(FILTERS)?,
            checkpoints: transaction.open_table(CHECKPOINTS)?,
            settings: transaction.open_table(SETTINGS)?,
            origins: transaction.open_table(ORIGINS)?,
            finished: transaction.open_table(FINISHED)?,
            dead: transaction.open_table(DEAD)?,
            unwanted: transaction.open_table(UNWANTED)?,
        })
    }

    fn apply(&mut self, owner: &Owner, commit: &Commit) -> Result<(), Fault> {
        let Owner { consumer, queue, settings } = owner;
        let queue = queue.as_str();
        let Commit { changes, checkpoint, filter } = commit;
        for origin in &changes.forgotten {
            self.origins.remove((queue, &**origin))?;
            for table in [&mut self.finished, &mut self.dead, &mut self.unwanted] {
                table.retain_in((queue, &**origin, 0)..=(queue, &**origin, u64::MAX), |_, _| false)?;
            }
        }
        for change in &changes.origins {
            self.origins.insert((queue, &*change.origin), change.seen.as_millis())?;
            write(&mut self.finished, queue, &change.origin, &change.finished)?;
            write(&mut self.dead, queue, &change.origin, &change.dead)?;
            write(&mut self.unwanted, queue, &change.origin, &change.unwanted)?;
        }
        let counts = CountsWire::new(consumer, &changes.counts, &changes.expired);
        self.consumers.insert(queue, &*json(&counts)?)?;
        if let Some(filter) = filter {
            self.filters.insert(queue, &*json(&FilterWire::from(filter))?)?;
        }
        if let Some(checkpoint) = checkpoint {
            self.checkpoints.insert(queue, &**checkpoint)?;
        }
        let settings = json(settings)?;
        let is_noted = self.settings.get(queue)?.is_some_and(|noted| noted.value() == settings);
        if !is_noted {
            self.settings.insert(queue, &*settings)?;
        }
        Ok(())
    }
}

fn write(
    table: &mut IntervalTable<'_>,
    queue: &str,
    origin: &str,
    changes: &[IntervalChange],
) -> Result<(), Fault> {
    for IntervalChange { first, last } in changes {
        match last {
            Some(last) => table.insert((queue, origin, *first), last)?,
            None => table.remove((queue, origin, *first))?,
        };
    }
    Ok(())
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|error| Fault::Unreadable(error.to_string()))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|error| Fault::Unreadable(error.to_string()))
}

/// What goes wrong inside a transaction.
enum Fault {
    Database(redb::Error),
    Version(u32),
    Unreadable(String),
}

impl<E: Into<redb::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Database(error.into())
    }
}

impl Fault {
    /// The error of the file at `path`.
    fn at(self, path: &Path) -> StateError {
        let path: PathBuf = path.to_owned();
        match self {
            Self::Database(redb::Error::TableDoesNotExist(name)) => {
                StateError::Alien { path, reason: format!("it has no table `{name}`") }
            }
            Self::Database(
                error @ (redb::Error::TableTypeMismatch { .. } | redb::Error::TableIsMultimap(_)),
            ) => StateError::Alien { path, reason: error.to_string() },
            Self::Database(error) => StateError::of(&path, error),
            Self::Version(found) => StateError::Version { path, found, known: FORMAT },
            Self::Unreadable(reason) => StateError::Damaged { path, reason },
        }
    }
}
