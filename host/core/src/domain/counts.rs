//! What the host has counted for a consumer.

use super::{Severity, Tally, Timestamp};

/// The counts of one consumer. Each log is in one of the four tallies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The logs that count.
    pub accepted: Tally,
    /// The logs that the consumer rejected, or failed at: they went to the dead letters.
    pub rejected: Tally,
    /// The logs that the consumer said not to count.
    pub skipped: Tally,
    /// The logs that the consumer's filter does not want, and that reached it all the same: an older or newer
    /// version's binding brought them. They went to the dead letters as well.
    pub unwanted: Tally,
    /// Messages that were not published as logs. They went to the dead letters; one that came again may be here
    /// again.
    pub foreign: u64,
    /// Messages that the broker could not deliver, and that were taken out of the queue another way. They went to the dead
    /// letters; one that came again may be here again.
    pub undeliverable: u64,
    /// Deliveries of logs that were counted before.
    pub repeated: u64,
    /// How many of the counted logs had no id of loghost's form.
    pub without_id: u64,
    /// How many of the counted logs did not say how serious they are, and were counted as what was chosen for such logs.
    pub undetermined: u64,
    /// How many offsets of its streams were removed there before the consumer has read them: the most logs that can be
    /// missing of it.
    pub removed: u64,
    /// The earliest timestamp among the accepted logs.
    pub first: Option<Timestamp>,
    /// The latest timestamp among the accepted logs.
    pub last: Option<Timestamp>,
}

impl Counts {
    /// Counts a log of `severity` as accepted.
    pub fn accept(&mut self, severity: Severity, timestamp: Timestamp) {
        self.accepted[severity] += 1;
        self.first = Some(self.first.map_or(timestamp, |first| first.min(timestamp)));
        self.last = Some(self.last.map_or(timestamp, |last| last.max(timestamp)));
    }

    /// How many logs are counted, whatever the consumer said of them.
    pub fn total(&self) -> u64 {
        self.accepted.total() + self.rejected.total() + self.skipped.total()
    }
}

/// The counts at a point in time: what a consumer writes its metric from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The time.
    pub now: Timestamp,
    /// The counts.
    pub counts: Counts,
}
