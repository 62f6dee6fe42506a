//! The time that a book tells: it goes on while logs are taken, as the monotonic clock does, and never leaps. What
//! is remembered for a week is remembered for a week in which its logs could have come, whatever becomes of the
//! system's clock, and however long the broker, the consumer or this host were away.

use tokio::time::Instant;

use crate::domain::{Book, Timestamp};

/// How late it is in a book.
#[derive(Clone, Copy, Debug)]
pub(super) struct BookTime {
    base: Timestamp,
    /// Since when it goes on from there; nothing while it stands still.
    since: Option<Instant>,
}

impl BookTime {
    /// The latest time in `book`; a new one begins at the time that the clock shows.
    pub(super) fn of(book: &Book, clock: Timestamp) -> Self {
        Self { base: book.latest().unwrap_or(clock), since: None }
    }

    /// The time in the book when the monotonic clock shows `instant`.
    pub(super) fn at(&self, instant: Instant) -> Timestamp {
        self.since.map_or(self.base, |since| self.base.plus(instant.saturating_duration_since(since)))
    }

    pub(super) fn go_on(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    pub(super) fn stand_still(&mut self) {
        self.base = self.at(Instant::now());
        self.since = None;
    }
}
