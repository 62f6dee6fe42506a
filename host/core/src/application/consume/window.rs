//! What was delivered and is not acknowledged: a log that is under way is here, and nowhere else.
//!
//! Deliveries are numbered as they come; by its number a delivery is found while it is processed, while it waits for
//! another attempt, on its way to the dead letters, and until its commit is safe.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::{FinishedLog, IntervalSet, OriginPosition, Position, Record};

/// The delay before the second attempt; it doubles with each one after.
const FIRST_DELAY: Duration = Duration::from_secs(1);

/// The longest that a log waits for its attempts in all: a broker closes a channel that holds a delivery for long
/// (`RabbitMQ`: 30 minutes).
const LONGEST: Duration = Duration::from_mins(5);

/// The deliveries that the source waits to hear of, in its order.
#[derive(Debug)]
pub(super) struct Window<O> {
    /// The number of the first.
    first: u64,
    deliveries: VecDeque<Delivered<O>>,
    /// The logs among them that are not in the book yet, by the number of their origin.
    under_way: Vec<IntervalSet>,
    /// How many attempts a log has after its first.
    max_retries: u32,
    /// The logs among them that were to be tried again, by the number of their delivery.
    retries: BTreeMap<u64, Retry>,
    /// When the next attempts are due, and of which deliveries.
    due: BTreeSet<(Instant, u64)>,
}

/// A delivery.
#[derive(Debug)]
struct Delivered<O> {
    position: Position,
    /// What a dead letter of it would be made of.
    original: Option<O>,
    progress: Progress,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Open,
    Finished,
    /// Finished, and acknowledged out of its order.
    Acknowledged,
}

/// The attempts at a log.
#[derive(Debug)]
struct Retry {
    /// When it was first to be tried again, and how often it was since.
    since: Instant,
    tries: u32,
    /// The log, while it waits.
    waiting: Option<Task>,
}

/// A log that is to be processed.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) handle: Handle,
    pub(super) record: Record,
}

/// What a log is known by, without what it says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handle {
    /// The number of its delivery.
    pub(super) number: u64,
    pub(super) position: Option<OriginPosition>,
}

/// What can be acknowledged: everything through one delivery of each sequence, and some behind it one by one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) through: Vec<Position>,
    pub(super) single: Vec<Position>,
}

impl<O> Window<O> {
    pub(super) fn new(max_retries: u32) -> Self {
        Self {
            first: 0,
            deliveries: VecDeque::new(),
            under_way: Vec::new(),
            max_retries,
            retries: BTreeMap::new(),
            due: BTreeSet::new(),
        }
    }

    /// How many deliveries there are, some perhaps acknowledged behind one that is not.
    pub(super) fn len(&self) -> usize {
        self.deliveries.len()
    }

    /// Notes a delivery, and numbers it.
    pub(super) fn add(&mut self, position: Position, original: Option<O>) -> u64 {
        self.deliveries.push_back(Delivered { position, original, progress: Progress::Open });
        self.first + self.deliveries.len() as u64 - 1
    }

    /// Notes that a log is under way; false if it is already, by another delivery.
    pub(super) fn begin(&mut self, position: OriginPosition) -> bool {
        if self.under_way.len() <= position.origin {
            self.under_way.resize_with(position.origin + 1, IntervalSet::default);
        }
        self.under_way[position.origin].insert(position.sequence)
    }

    /// Notes that these logs are in the book.
    pub(super) fn entered(&mut self, logs: &[FinishedLog]) {
        for run in FinishedLog::runs(logs) {
            if let [FinishedLog { position: Some(OriginPosition { origin, sequence }), .. }, ..] = *run
                && let Some(sequences) = self.under_way.get_mut(origin)
            {
                sequences.remove_interval(sequence, sequence + (run.len() as u64 - 1));
            }
        }
    }

    /// Whether any log of this origin is under way.
    pub(super) fn has(&self, origin: usize) -> bool {
        self.under_way.get(origin).is_some_and(|sequences| !sequences.is_empty())
    }

    /// Where a delivery stands.
    pub(super) fn position(&self, number: u64) -> Option<&Position> {
        Some(&self.deliveries.get(self.index(number)?)?.position)
    }

    /// Takes out what a dead letter of this delivery is made of.
    pub(super) fn take_original(&mut self, number: u64) -> Option<O> {
        self.get_mut(number)?.original.take()
    }

    /// How many logs wait for their next attempt.
    pub(super) fn waiting(&self) -> usize {
        self.due.len()
    }

    /// When the next attempt is due.
    pub(super) fn next_attempt(&self) -> Option<Instant> {
        Some(self.due.first()?.0)
    }

    /// Has a log wait for its next attempt, or gives it back if it has had enough of them.
    pub(super) fn wait(&mut self, mut task: Task, now: Instant) -> Option<Task> {
        let number = task.handle.number;
        let retry = self.retries.entry(number).or_insert(Retry { since: now, tries: 0, waiting: None });
        let delay = FIRST_DELAY * 2u32.saturating_pow(retry.tries.min(16));
        if retry.tries >= self.max_retries || now + delay > retry.since + LONGEST {
            return Some(task);
        }
        retry.tries += 1;
        task.record.attempt = task.record.attempt.saturating_add(1);
        retry.waiting = Some(task);
        self.due.insert((now + delay, number));
        None
    }

    /// Takes out what is due, at most `max` logs, in the order in which they were delivered.
    pub(super) fn take_due(&mut self, now: Instant, max: usize) -> Vec<Task> {
        let mut numbers: Vec<u64> =
            self.due.iter().take_while(|(due, _)| *due <= now).map(|(_, number)| *number).collect();
        numbers.sort_unstable();
        numbers.truncate(max);
        self.due.retain(|(_, number)| numbers.binary_search(number).is_err());
        numbers.into_iter().filter_map(|number| self.retries.get_mut(&number)?.waiting.take()).collect()
    }

    /// Notes that these are finished; returns what can be acknowledged now. What lies behind one that is open
    /// (it waits for a retry, perhaps for minutes) is acknowledged by itself: held back, it would come again
    /// after a clean end, and use up the prefetch.
    pub(super) fn finish(&mut self, finished: Vec<u64>) -> Due {
        for number in &finished {
            self.retries.remove(number);
            if let Some(delivered) = self.get_mut(*number) {
                delivered.progress = Progress::Finished;
            }
        }
        let mut due = Due::default();
        while let Some(delivered) = self.deliveries.pop_front_if(|first| first.progress != Progress::Open) {
            self.first += 1;
            if delivered.progress == Progress::Finished {
                due.acknowledge_through(delivered.position);
            }
        }
        // What has been taken out of the window is no longer found in it.
        for number in finished {
            if let Some(delivered) = self.get_mut(number) {
                delivered.progress = Progress::Acknowledged;
                due.single.push(delivered.position.clone());
            }
        }
        due
    }

    fn get_mut(&mut self, number: u64) -> Option<&mut Delivered<O>> {
        let index = self.index(number)?;
        self.deliveries.get_mut(index)
    }

    fn index(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }
}

impl Due {
    /// Adds one that comes after all that were added before.
    fn acknowledge_through(&mut self, position: Position) {
        match self.through.iter_mut().find(|other| other.is_in_sequence_with(&position)) {
            Some(other) => *other = position,
            None => self.through.push(position),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{CountedAs, Severity, StreamPosition, Timestamp};

    fn queued(tags: &[u64]) -> Vec<Position> {
        tags.iter().copied().map(Position::Transient).collect()
    }

    fn delivered(tags: &[u64]) -> Window<()> {
        let mut window = Window::new(2);
        for (number, position) in queued(tags).into_iter().enumerate() {
            assert_eq!(window.add(position, None), number as u64);
        }
        window
    }

    #[test]
    fn what_is_finished_in_order_is_acknowledged_at_once() {
        let mut window = delivered(&[5, 6, 9, 10]);
        let due = window.finish(vec![1, 0, 2]);
        assert_eq!(due, Due { through: queued(&[9]), single: vec![] });
        let due = window.finish(vec![3]);
        assert_eq!(due, Due { through: queued(&[10]), single: vec![] });
    }

    #[test]
    fn what_lies_behind_an_open_one_is_acknowledged_by_itself() {
        let mut window = delivered(&[1, 2, 3, 4]);
        let due = window.finish(vec![0, 2]);
        assert_eq!(due, Due { through: queued(&[1]), single: queued(&[3]) });
        // Nothing is acknowledged twice.
        let due = window.finish(vec![1]);
        assert_eq!(due, Due { through: queued(&[2]), single: vec![] });
        let due = window.finish(vec![3]);
        assert_eq!(due, Due { through: queued(&[4]), single: vec![] });
    }

    #[test]
    fn each_stream_is_acknowledged_for_itself() {
        let at = |stream: &str, offset| {
            let stream = Arc::from(stream);
            Position::Durable(StreamPosition { stream, first: offset, offset, fingerprint: None })
        };
        let mut window = Window::<()>::new(2);
        for position in [at("info", 7), at("error", 100), at("info", 9), at("error", 101)] {
            window.add(position, None);
        }
        let due = window.finish(vec![0, 1, 2]);
        assert_eq!(due, Due { through: vec![at("info", 9), at("error", 100)], single: vec![] });
    }

    #[test]
    fn a_log_is_under_way_once() {
        let mut window = delivered(&[1]);
        let position = OriginPosition { origin: 3, sequence: 7 };
        let finished = FinishedLog {
            position: Some(position),
            severity: Severity::Info,
            timestamp: Timestamp::default(),
            counted_as: CountedAs::Accepted,
        };
        assert!(window.begin(position) && !window.begin(position) && window.has(3) && !window.has(2));
        window.entered(&[finished]);
        assert!(!window.has(3) && window.begin(position));
    }
}
