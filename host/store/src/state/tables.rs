//! The tables, and what a commit does to them.
//!
//! Intervals are rows, so that a commit writes what has changed and not what is there. All rows of a
//! consumer begin with the name of its queue: under another prefix it has other logs, and other counts.

use std::path::{Path, PathBuf};

use loghost_core::application::Commit;
use loghost_core::domain::{Fingerprint, IntervalChange};
use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::committer::{CommitEntry, Entry, Former, Owner};
use super::error::StateError;
use super::wire::{CountsWire, FilterWire};

/// The version of the tables.
pub(super) const FORMAT: u32 = 4;

/// The versions that are upgraded: the first had no table of unwanted logs, the first two none of streams, and none of
/// them one of what was removed from these.
pub(super) const FORMER_FORMATS: [u32; 3] = [1, 2, 3];

/// The size of the page cache; a state has few pages.
pub(super) const CACHE: usize = 16 * 1024 * 1024;

pub(super) const META: TableDefinition<&str, u32> = TableDefinition::new("meta");
/// Queue to counts.
pub(super) const CONSUMERS: TableDefinition<&str, &[u8]> = TableDefinition::new("consumers");
/// Queue to filter.
pub(super) const FILTERS: TableDefinition<&str, &[u8]> = TableDefinition::new("filters");
/// Queue to the consumer's checkpoint.
pub(super) const CHECKPOINTS: TableDefinition<&str, &[u8]> = TableDefinition::new("checkpoints");
/// Queue to what the consumer was configured with. Not in what was written before there was such a table.
pub(super) const SETTINGS: TableDefinition<&str, &[u8]> = TableDefinition::new("settings");
/// Queue and origin to the time, in milliseconds, when it was last seen.
pub(super) const ORIGINS: TableDefinition<(&str, &str), u64> = TableDefinition::new("origins");
/// Queue, origin and first number of an interval to its last number.
pub(super) type Intervals<'a> = TableDefinition<'a, (&'static str, &'static str, u64), u64>;
pub(super) const FINISHED: Intervals<'_> = TableDefinition::new("finished");
pub(super) const DEAD: Intervals<'_> = TableDefinition::new("dead");
pub(super) const UNWANTED: Intervals<'_> = TableDefinition::new("unwanted");
/// Queue, stream and first number of an interval of positions that are finished to its last number.
pub(super) const STREAMS: Intervals<'_> = TableDefinition::new("streams");
/// Queue and stream to what the stream is recognised by: an offset, a kind and a value. Not in what was written before
/// there was such a table.
pub(super) const FINGERPRINTS: TableDefinition<(&str, &str), (u64, u8, u64)> =
    TableDefinition::new("fingerprints");
/// Queue, stream and first number of an interval of offsets that were removed unread to its last number.
pub(super) const REMOVED: Intervals<'_> = TableDefinition::new("removed");

/// Queue, exchange and routing key: what queues were bound to. Not in what was written before there was such a table. They stay
/// when a consumer begins anew: it is still bound.
pub(super) const BINDINGS: TableDefinition<(&str, &str, &str), ()> = TableDefinition::new("bindings");

/// The tables, open for one commit.
pub(super) struct Tables<'t> {
    consumers: Table<'t, &'static str, &'static [u8]>,
    filters: Table<'t, &'static str, &'static [u8]>,
    checkpoints: Table<'t, &'static str, &'static [u8]>,
    settings: Table<'t, &'static str, &'static [u8]>,
    origins: Table<'t, (&'static str, &'static str), u64>,
    finished: IntervalTable<'t>,
    dead: IntervalTable<'t>,
    unwanted: IntervalTable<'t>,
    streams: IntervalTable<'t>,
    fingerprints: Table<'t, (&'static str, &'static str), (u64, u8, u64)>,
    removed: IntervalTable<'t>,
    bindings: BindingTable<'t>,
}

type BindingTable<'t> = Table<'t, (&'static str, &'static str, &'static str), ()>;
type IntervalTable<'t> = Table<'t, (&'static str, &'static str, u64), u64>;

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, redb::TableError> {
        Ok(Self {
            consumers: transaction.open_table(CONSUMERS)?,
            filters: transaction.open_table(FILTERS)?,
            checkpoints: transaction.open_table(CHECKPOINTS)?,
            settings: transaction.open_table(SETTINGS)?,
            origins: transaction.open_table(ORIGINS)?,
            finished: transaction.open_table(FINISHED)?,
            dead: transaction.open_table(DEAD)?,
            unwanted: transaction.open_table(UNWANTED)?,
            streams: transaction.open_table(STREAMS)?,
            fingerprints: transaction.open_table(FINGERPRINTS)?,
            removed: transaction.open_table(REMOVED)?,
            bindings: transaction.open_table(BINDINGS)?,
        })
    }

    /// Enters what is to be kept.
    pub(super) fn enter(&mut self, entry: &Entry) -> Result<(), Fault> {
        match entry {
            Entry::Commit(entry) => self.enter_commit(entry),
            Entry::Bindings { queue, bindings } => self.replace_bindings(queue, bindings),
        }
    }

    fn replace_bindings(&mut self, queue: &str, bindings: &[(String, String)]) -> Result<(), Fault> {
        let next = format!("{queue}\0");
        self.bindings.retain_in((queue, "", "")..(&*next, "", ""), |_, ()| false)?;
        for (exchange, key) in bindings {
            self.bindings.insert((queue, &**exchange, &**key), ())?;
        }
        Ok(())
    }

    fn enter_commit(&mut self, CommitEntry { owner, commit, former }: &CommitEntry) -> Result<(), Fault> {
        if *former == Former::Removed {
            self.remove(&owner.queue)?;
        }
        self.apply(owner, commit)
    }

    /// Removes all rows of the consumer that takes from `queue`.
    fn remove(&mut self, queue: &str) -> Result<(), Fault> {
        for table in [&mut self.consumers, &mut self.filters, &mut self.checkpoints, &mut self.settings] {
            table.remove(queue)?;
        }
        // The least text that is greater.
        let next = format!("{queue}\0");
        self.origins.retain_in((queue, "")..(&*next, ""), |_, _| false)?;
        self.fingerprints.retain_in((queue, "")..(&*next, ""), |_, _| false)?;
        let Self { finished, dead, unwanted, streams, removed, .. } = self;
        for table in [finished, dead, unwanted, streams, removed] {
            table.retain_in((queue, "", 0)..(&*next, "", 0), |_, _| false)?;
        }
        Ok(())
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
        for change in &changes.streams {
            write(&mut self.streams, queue, &change.stream, &change.finished)?;
            if let Some(Fingerprint { offset, kind, value }) = change.fingerprint {
                self.fingerprints.insert((queue, &*change.stream), (offset, kind, value))?;
            }
            write(&mut self.removed, queue, &change.stream, &change.removed)?;
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
    key: &str,
    changes: &[IntervalChange],
) -> Result<(), Fault> {
    for IntervalChange { first, last } in changes {
        match last {
            Some(last) => table.insert((queue, key, *first), last)?,
            None => table.remove((queue, key, *first))?,
        };
    }
    Ok(())
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|error| Fault::Unreadable(error.to_string()))
}

pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|error| Fault::Unreadable(error.to_string()))
}

/// What goes wrong inside a transaction.
pub(super) enum Fault {
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
    pub(super) fn at(self, path: &Path) -> StateError {
        let path: PathBuf = path.to_owned();
        match self {
            Self::Database(redb::Error::TableDoesNotExist(name)) => {
                StateError::NotLoghost { path, reason: format!("it has no table `{name}`") }
            }
            Self::Database(
                error @ (redb::Error::TableTypeMismatch { .. } | redb::Error::TableIsMultimap(_)),
            ) => StateError::NotLoghost { path, reason: error.to_string() },
            Self::Database(error) => StateError::of(&path, error),
            Self::Version(found) => StateError::Version { path, found, known: FORMAT },
            Self::Unreadable(reason) => StateError::Damaged { path, reason },
        }
    }
}
