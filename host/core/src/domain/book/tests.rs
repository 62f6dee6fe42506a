//! Logs that are delivered again, and the changes that a ledger is given.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::{Numbering, Severity, StreamIdentity};

fn record(sequence: u64, replayed: bool) -> Record {
    Record {
        severity: Severity::Error,
        undetermined: false,
        timestamp: Timestamp::from_millis(sequence),
        attempt: 1,
        message: String::new(),
        id: Some(format!("loghost:p/{sequence}")),
        source: "web".to_owned(),
        attributes: Vec::new(),
        unkeyed: false,
        numbering: Numbering::AsRead,
        replayed,
        hops: 0,
        trace: None,
    }
}

fn finished_log(claim: Claim, counted_as: CountedAs, now: u64) -> Option<FinishedLog> {
    let Claim::New(position) = claim else { return None };
    let timestamp = Timestamp::from_millis(now);
    Some(FinishedLog { position, severity: Severity::Error, undetermined: false, timestamp, counted_as })
}

fn finish(book: &mut Book, claim: Claim, counted_as: CountedAs, now: u64) {
    let log = finished_log(claim, counted_as, now).expect("a new log");
    book.finish(&[log], log.timestamp);
}

#[test]
fn a_log_is_new_once() {
    let mut book = Book::default();
    let first = book.look_up(&record(1, false), Timestamp::default());
    assert!(
        matches!(book.look_up(&record(1, false), Timestamp::default()), Claim::New(Some(_))),
        "it is not finished"
    );
    finish(&mut book, first, CountedAs::Accepted, 1);
    assert_eq!(book.look_up(&record(1, false), Timestamp::default()), Claim::Repeated);
    assert_eq!(book.look_up(&record(1, true), Timestamp::default()), Claim::Repeated, "it is not dead");
}

#[test]
fn a_dead_letter_is_counted_once_when_it_is_sent_back() {
    let mut book = Book::default();
    let claim = book.look_up(&record(7, false), Timestamp::default());
    finish(&mut book, claim, CountedAs::Dead, 1);
    assert_eq!(book.look_up(&record(7, false), Timestamp::default()), Claim::Repeated, "not sent back");
    let again = book.look_up(&record(7, true), Timestamp::default());
    finish(&mut book, again, CountedAs::Dead, 2);
    assert_eq!(book.counts().rejected.total(), 1, "the same log");
    let back = book.look_up(&record(7, true), Timestamp::default());
    finish(&mut book, back, CountedAs::Accepted, 3);
    assert_eq!((book.counts().accepted.total(), book.counts().rejected.total()), (1, 0));
    assert_eq!(book.look_up(&record(7, true), Timestamp::default()), Claim::Repeated);
}

#[test]
fn an_unwanted_log_is_counted_once_when_it_is_sent_back_and_wanted() {
    let mut book = Book::default();
    let claim = book.look_up(&record(7, false), Timestamp::default());
    finish(&mut book, claim, CountedAs::Unwanted, 1);
    assert_eq!(book.look_up(&record(7, false), Timestamp::default()), Claim::Repeated, "not sent back");
    for (counted_as, expected) in [
        (CountedAs::Unwanted, (0, 0, 1)),
        (CountedAs::Dead, (0, 1, 0)),
        (CountedAs::Unwanted, (0, 0, 1)),
        (CountedAs::Accepted, (1, 0, 0)),
    ] {
        let again = book.look_up(&record(7, true), Timestamp::default());
        finish(&mut book, again, counted_as, 2);
        let Counts { accepted, rejected, unwanted, .. } = book.counts();
        assert_eq!((accepted.total(), rejected.total(), unwanted.total()), expected, "{counted_as:?}");
    }
    assert_eq!(book.look_up(&record(7, true), Timestamp::default()), Claim::Repeated);
}

#[test]
fn what_was_not_seen_for_long_expires() {
    let mut book = Book::default();
    for n in [1, 2, 5] {
        let claim = book.look_up(&record(n, false), Timestamp::default());
        finish(&mut book, claim, CountedAs::Accepted, 10);
    }
    book.changes();
    book.expire(Timestamp::from_millis(10), |_| false);
    assert!(book.changes().forgotten.is_empty());
    book.expire(Timestamp::from_millis(11), |_| true);
    assert!(book.changes().forgotten.is_empty(), "a log of it is under way");
    book.expire(Timestamp::from_millis(11), |_| false);
    let changes = book.changes();
    assert_eq!(changes.expired, Expired { origins: 1, missing: 2, horizon: Timestamp::from_millis(11) });
    assert_eq!(changes.forgotten, [Arc::from("p/error/web")]);
    assert_eq!(changes.counts.accepted.total(), 3);
    assert!(matches!(book.look_up(&record(1, false), Timestamp::default()), Claim::New(_)));
}

/// What a ledger holds after it has applied every change.
type Rows = BTreeMap<u64, u64>;

fn apply(rows: &mut Rows, changes: &[IntervalChange]) {
    for change in changes {
        match change.last {
            Some(last) => rows.insert(change.first, last),
            None => rows.remove(&change.first),
        };
    }
}

proptest! {
    /// A ledger that applies all changes always has the same contents as the book.
    #[test]
    fn changes_are_all_there_is(
        steps in prop::collection::vec((1u64..30, 1u64..5, 0u8..4, any::<bool>(), any::<bool>()), 0..80),
    ) {
        let (mut book, mut finished) = (Book::default(), Rows::new());
        let (mut dead, mut unwanted) = (Rows::new(), Rows::new());
        for (first, logs, counted_as, replayed, commit) in steps {
            let counted_as = [CountedAs::Accepted, CountedAs::Skipped, CountedAs::Dead, CountedAs::Unwanted][usize::from(counted_as)];
            let logs: Vec<FinishedLog> = (first..first + logs).filter_map(|n| {
                finished_log(book.look_up(&record(n, replayed), Timestamp::default()), counted_as, n)
            }).collect();
            book.finish(&logs, Timestamp::default());
            if commit {
                for origin in book.changes().origins {
                    apply(&mut finished, &origin.finished);
                    apply(&mut dead, &origin.dead);
                    apply(&mut unwanted, &origin.unwanted);
                }
            }
        }
        let last = book.changes();
        for origin in &last.origins {
            apply(&mut finished, &origin.finished);
            apply(&mut dead, &origin.dead);
            apply(&mut unwanted, &origin.unwanted);
        }
        let state = OriginState {
            origin: "p/error/web".to_owned(),
            seen: Timestamp::default(),
            finished: finished.into_iter().collect(),
            dead: dead.into_iter().collect(),
            unwanted: unwanted.into_iter().collect(),
        };
        prop_assert_eq!(state.finished.len(), last.counts.total() + last.counts.unwanted.total());
        prop_assert_eq!(state.unwanted.len(), last.counts.unwanted.total());
        prop_assert_eq!(state.dead.len(), last.counts.rejected.total());
        let mut restored = Book::restore(last.counts, last.expired, [state], []);
        for n in 1..35 {
            for replayed in [false, true] {
                prop_assert_eq!(restored.look_up(&record(n, replayed), Timestamp::default()), book.look_up(&record(n, replayed), Timestamp::default()));
            }
        }
    }
}

#[test]
fn what_was_removed_is_noted_once_and_not_what_is_finished() {
    let stream: Arc<str> = Arc::from("logs.error");
    let mut book = Book::default();
    let identity = Arc::new(StreamIdentity { name: Arc::clone(&stream), fingerprint: None });
    let position = |first, offset| StreamPosition { stream: Arc::clone(&identity), first, offset };
    // It begins at the offset 10, whose position is 11, and has 12 behind 11, which waits.
    for position in [position(10, 10), position(13, 13)] {
        book.finish_position(&position);
    }
    drop(book.changes());
    let removed =
        |first, last| RemovedOffsets { stream: Arc::clone(&stream), first, last, after: None, before: None };
    assert_eq!(book.note_removed(&removed(10, 19)), 9, "12 is finished");
    book.finish_position(&position(11, 20));
    assert_eq!((book.note_removed(&removed(10, 19)), book.counts().removed), (0, 9));
    assert_eq!(book.next_offsets().next(), Some((&stream, 21, None)));
    let changes = book.changes();
    let interval = |first, last| IntervalChange { first, last: Some(last) };
    assert_eq!(changes.streams[0].removed, [interval(10, 11), interval(13, 19)]);
}
