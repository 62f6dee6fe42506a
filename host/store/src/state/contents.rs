//! Reading a state.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use loghost_core::domain::{Account, Counts, Fingerprint, IntervalSet, OriginState, StreamState, Timestamp};
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableError, TableHandle};

use super::error::StateError;
use super::folder;
use super::settings::Settings;
use super::tables::{
    BINDINGS, CACHE, CHECKPOINTS, CONSUMERS, DEAD, FILTERS, FINGERPRINTS, FINISHED, FORMAT, FORMER_FORMATS,
    Fault, Intervals, META, ORIGINS, REMOVED, SETTINGS, STREAMS, UNWANTED, parse,
};
use super::wire::{CountsWire, FilterWire};
use crate::database::open_copy;

/// What can be read in a state.
#[derive(Debug)]
pub struct Contents {
    pub(super) database: Database,
    path: PathBuf,
}

impl Contents {
    /// A copy of the state in `folder` at this moment, also while a host writes to it.
    pub fn copied(folder: &Path) -> Result<Self, StateError> {
        let path = folder::database_in(folder)?;
        let copied = open_copy(&path, CACHE);
        Self::of(copied.map_err(|error| StateError::of(&path, error))?, path)
    }

    pub(super) fn of(database: Database, path: PathBuf) -> Result<Self, StateError> {
        let contents = Self { database, path };
        contents.read(|tables| {
            let meta = tables.open_table(META)?;
            match meta.get("format")?.map(|found| found.value()) {
                Some(FORMAT) => Ok(()),
                Some(former) if FORMER_FORMATS.contains(&former) => Ok(()),
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
            let (origins, streams) = (origins(tables, queue)?, streams(tables, queue)?);
            let filter = filter.transpose()?;
            Ok(Some(Account { consumer, counts, expired, filter, origins, streams }))
        })
    }

    /// The checkpoint of the consumer that takes from `queue`.
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

    /// What a queue was bound to, each an exchange and a routing key; nothing if the state is older than the table.
    pub(super) fn bindings(&self, queue: &str) -> Result<Vec<(String, String)>, StateError> {
        self.read(|tables| {
            let table = match tables.open_table(BINDINGS) {
                Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                table => table?,
            };
            let next = format!("{queue}\0");
            let rows = table.range((queue, "", "")..(&*next, "", ""))?;
            rows.map(|row| {
                let (key, ()) = row.map(|(key, value)| (key, value.value()))?;
                let (_, exchange, routing_key) = key.value();
                Ok((exchange.to_owned(), routing_key.to_owned()))
            })
            .collect()
        })
    }

    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, Fault>,
    ) -> Result<T, StateError> {
        let tables = self.database.begin_read().map_err(|error| StateError::of(&self.path, error))?;
        read(&tables).map_err(|fault| fault.at(&self.path))
    }
}

fn origins(tables: &ReadTransaction, queue: &str) -> Result<Vec<OriginState>, Fault> {
    let mut numbers = HashMap::new();
    let mut origins = Vec::new();
    for row in tables.open_table(ORIGINS)?.range((queue, "")..)? {
        let (key, seen) = row?;
        let (of, origin) = key.value();
        if of != queue {
            break;
        }
        numbers.insert(origin.to_owned(), origins.len());
        origins.push(OriginState {
            origin: origin.to_owned(),
            seen: Timestamp::from_millis(seen.value()),
            finished: IntervalSet::default(),
            dead: IntervalSet::default(),
            unwanted: IntervalSet::default(),
        });
    }
    for (table, which) in [(FINISHED, finished as Which), (DEAD, dead), (UNWANTED, unwanted)] {
        intervals(tables, table, queue, |origin, first, last| {
            let number = numbers.get(origin).ok_or_else(|| unknown(origin))?;
            which(&mut origins[*number]).insert_interval(first, last);
            Ok(())
        })?;
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

fn streams(tables: &ReadTransaction, queue: &str) -> Result<Vec<StreamState>, Fault> {
    let mut streams: Vec<StreamState> = Vec::new();
    intervals(tables, STREAMS, queue, |stream, first, last| {
        if streams.last().is_none_or(|last| last.stream != stream) {
            let (finished, removed) = (IntervalSet::default(), IntervalSet::default());
            let stream = stream.to_owned();
            streams.push(StreamState { stream, finished, removed, fingerprint: None });
        }
        if let Some(state) = streams.last_mut() {
            state.finished.insert_interval(first, last);
        }
        Ok(())
    })?;
    intervals(tables, REMOVED, queue, |stream, first, last| {
        let state = streams.iter_mut().find(|state| state.stream == stream);
        let state = state.ok_or_else(|| unknown(stream))?;
        state.removed.insert_interval(first, last);
        Ok(())
    })?;
    let table = match tables.open_table(FINGERPRINTS) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(streams),
        table => table?,
    };
    for state in &mut streams {
        let row = table.get((queue, &*state.stream))?;
        state.fingerprint = row.map(|row| {
            let (offset, kind, value) = row.value();
            Fingerprint { offset, kind, value }
        });
    }
    Ok(streams)
}

/// Calls `take` with each interval of a queue; with none if the state is older than the table.
fn intervals(
    tables: &ReadTransaction,
    table: Intervals<'_>,
    queue: &str,
    mut take: impl FnMut(&str, u64, u64) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let table = match tables.open_table(table) {
        Err(TableError::TableDoesNotExist(_))
            if [UNWANTED.name(), STREAMS.name(), REMOVED.name()].contains(&table.name()) =>
        {
            return Ok(());
        }
        table => table?,
    };
    for row in table.range((queue, "", 0)..)? {
        let (key, last) = row?;
        let (of, key, first) = key.value();
        if of != queue {
            break;
        }
        take(key, first, last.value())?;
    }
    Ok(())
}
