//! Which chunks are asked for a second time before they are read: a checksum covers what is in a chunk, but not its header, where
//! its first offset and its time are.
//!
//! A chunk that does not begin where the last one has ended is asked for again, and one whose time is far from that of the last
//! one. A smaller damage of a time makes nothing worse than a log without a time of its own be dated by that much; but what a
//! stream is recognised by has to be right, so that is of chunks that were asked for again: the first, and then one at intervals.

use std::time::Duration;

use loghost_core::domain::Timestamp;
use loghost_stream::{Header, Kind};
use tokio::time::Instant;

/// How long a chunk that was the same twice is what the stream is recognised by, if others come.
const EVERY: Duration = Duration::from_secs(10);

/// Times of chunks that follow each other are believed within this.
const LEAP: Duration = Duration::from_hours(1);

/// How often a chunk that is read has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Once: its header may have been damaged.
    Once,
    /// Twice, and it was the same.
    Twice,
}

/// What is known of the chunk before.
#[derive(Debug)]
pub(super) struct Confirming {
    /// When another one is due.
    due: Instant,
    /// When the broker wrote the last one, if it says so.
    written: Option<Timestamp>,
}

impl Confirming {
    pub(super) fn new(now: Instant) -> Self {
        Self { due: now, written: None }
    }

    /// When the broker wrote the last chunk.
    pub(super) fn written(&self) -> Option<Timestamp> {
        self.written
    }

    /// Whether a chunk that begins where it should is asked for again.
    pub(super) fn is_due(&self, header: &Header, now: Instant) -> bool {
        header.kind == Kind::User && self.due <= now || self.leaps(header)
    }

    fn leaps(&self, header: &Header) -> bool {
        match (self.written, written(header)) {
            (Some(before), Some(now)) => {
                u128::from(before.as_millis().abs_diff(now.as_millis())) > LEAP.as_millis()
            }
            (before, now) => before != now,
        }
    }

    /// Notes that a chunk was read.
    pub(super) fn note(&mut self, header: &Header, seen: Seen, now: Instant) {
        self.written = written(header);
        if header.kind == Kind::User && seen == Seen::Twice {
            self.due = now + EVERY;
        }
    }
}

/// When the broker wrote a chunk, if it says so.
pub(super) fn written(header: &Header) -> Option<Timestamp> {
    let written = u64::try_from(header.timestamp_ms).ok().filter(|written| *written > 0);
    written.map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn header(kind: Kind, timestamp_ms: i64) -> Header {
        Header {
            kind,
            entries: 1,
            records: 1,
            timestamp_ms,
            epoch: 1,
            first_offset: 7,
            crc: 0,
            data_length: 0,
            trailer_length: 0,
            filter_size: 0,
        }
    }

    #[test]
    fn the_first_chunk_is_asked_for_again_and_then_one_at_intervals() {
        let begin = Instant::now();
        let mut confirming = Confirming::new(begin);
        let (chunk, own) = (header(Kind::User, 40 * HOUR), header(Kind::TrackingDelta, 40 * HOUR));
        for round in 0..3 {
            let now = begin + EVERY * round;
            assert!(confirming.is_due(&chunk, now));
            if round > 0 {
                assert!(!confirming.is_due(&own, now), "nothing is recognised by it");
                confirming.note(&chunk, Seen::Once, now);
                assert!(confirming.is_due(&chunk, now), "it is still to be asked for");
            }
            confirming.note(&chunk, Seen::Twice, now);
            assert!(!confirming.is_due(&chunk, now + EVERY / 2));
        }
    }

    #[test]
    fn a_chunk_with_a_time_far_from_the_last_is_asked_for_again() {
        let now = Instant::now();
        let mut confirming = Confirming::new(now);
        confirming.note(&header(Kind::User, 40 * HOUR), Seen::Twice, now);
        for time in [39, 40, 41].map(|hours| hours * HOUR) {
            assert!(!confirming.is_due(&header(Kind::User, time), now), "{time}");
        }
        for time in [i64::MIN, -1, 0, 39 * HOUR - 1, 41 * HOUR + 1, i64::MAX] {
            assert!(confirming.is_due(&header(Kind::User, time), now), "{time}");
        }
    }
}
