//! A ledger that fails now and then.

use std::collections::BTreeMap;

use loghost_core::application::{Commit, Ledger, LedgerError, Saved};
use loghost_core::domain::{Book, IntervalChange, IntervalSet, OriginState, StreamState};

use crate::world::{Luck, Rows, World};

/// Commits to what outlives a crash.
pub(crate) struct Store(pub(crate) World);

impl Ledger for Store {
    async fn load(&mut self) -> Result<Saved, LedgerError> {
        let things = self.0.things();
        let intervals =
            |rows: &BTreeMap<u64, u64>| rows.iter().map(|(first, last)| (*first, *last)).collect();
        let origins = things.finished.iter().map(|(origin, rows)| OriginState {
            origin: origin.clone(),
            seen: things.seen[origin],
            finished: intervals(rows),
            dead: things.dead_rows.get(origin).map_or_else(IntervalSet::default, intervals),
            unwanted: things.unwanted_rows.get(origin).map_or_else(IntervalSet::default, intervals),
        });
        let streams = things.streams.iter().map(|(stream, rows)| StreamState {
            stream: stream.clone(),
            finished: intervals(rows),
            fingerprint: None,
            removed: IntervalSet::default(),
        });
        Ok(Saved {
            book: Book::restore(things.counts.clone(), things.expired, origins, streams),
            checkpoint: things.checkpoint.clone(),
            filter: things.filter.clone(),
        })
    }

    fn commit(&mut self, commit: Commit) -> impl Future<Output = Result<(), LedgerError>> + Send + use<> {
        let world = self.0.clone();
        async move {
            // The disk is full, now and then.
            if world.step("commit").await == Luck::Before && world.things().rng.u8(0..4) == 0 {
                return Err(LedgerError("no space left on device".into()));
            }
            {
                let mut things = world.things();
                let things = &mut *things;
                things.counts = commit.changes.counts;
                things.expired = commit.changes.expired;
                assert_eq!(commit.changes.forgotten, [], "no time has passed");
                for change in commit.changes.origins {
                    things.seen.insert(change.origin.to_string(), change.seen);
                    for (rows, changes) in [
                        (&mut things.finished, &change.finished),
                        (&mut things.dead_rows, &change.dead),
                        (&mut things.unwanted_rows, &change.unwanted),
                    ] {
                        apply(rows, &change.origin, changes);
                    }
                }
                for change in commit.changes.streams {
                    apply(&mut things.streams, &change.stream, &change.finished);
                }
                if commit.checkpoint.is_some() {
                    things.checkpoint = commit.checkpoint;
                }
                things.filter = commit.filter.or(things.filter.take());
            }
            world.step("committed").await;
            Ok(())
        }
    }
}

fn apply(rows: &mut Rows, key: &str, changes: &[IntervalChange]) {
    let rows = rows.entry(key.to_owned()).or_default();
    for interval in changes {
        match interval.last {
            Some(last) => rows.insert(interval.first, last),
            None => rows.remove(&interval.first),
        };
    }
}
