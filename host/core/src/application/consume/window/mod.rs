//! What was delivered and is not acknowledged: a log that is under way is here, and nowhere else.
//!
//! Logs are numbered as they come, and so are deliveries that are none; by its number a log is found while it is processed, while it waits for
//! another attempt, on its way to the dead letters, and until its commit is safe.

mod messages;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::iter;
use std::time::Duration;

use tokio::time::Instant;

use self::messages::Messages;
use crate::application::ports::{Item, LogNumber};
use crate::domain::{FinishedLog, IntervalSet, OriginPosition, Position, Record};

/// The delay before the second attempt; it doubles with each one after.
const FIRST_DELAY: Duration = Duration::from_secs(1);

/// The longest that a log waits for its attempts in all: a broker closes a channel that holds a delivery for long
/// (`RabbitMQ`: 30 minutes).
const LONGEST: Duration = Duration::from_mins(5);

/// The deliveries that the source waits to hear of, in its order: one entry for each, or for each log of several in it.
#[derive(Debug)]
pub(super) struct Window<O> {
    /// The number of the first entry.
    first: u64,
    deliveries: VecDeque<Delivered<O>>,
    /// Which of them are several logs of one delivery.
    messages: Messages,
    /// How many of them are nothing but a position in a stream.
    positions: usize,
    /// The logs among them that are not in the book yet, by the number of their origin.
    under_way: Vec<IntervalSet>,
    /// How many attempts a log has after its first.
    max_retries: u32,
    /// The logs among them that were to be tried again, by the number of their delivery.
    retries: BTreeMap<u64, Retry>,
    /// When the next attempts are due, and of which deliveries.
    due: BTreeSet<(Instant, u64)>,
}

/// A delivery, or a log of several in it.
#[derive(Clone, Debug)]
struct Delivered<O> {
    position: Position,
    /// What a dead letter of it would be made of.
    original: Option<O>,
    /// Whether there is more in it than a position.
    is_message: bool,
    progress: LogProgress,
}

/// What is in a delivery.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    /// A message, with this many logs.
    Message(usize),
    /// Nothing but a position in a stream.
    Position,
}

impl Content {
    pub(super) fn of(item: &Item) -> Self {
        if item.is_message() { Self::Message(item.records().len()) } else { Self::Position }
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LogProgress {
    Open,
    Finished,
    /// Finished, and its delivery acknowledged out of its order.
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
pub(in crate::application) struct Task {
    pub(in crate::application) handle: Handle,
    pub(in crate::application) record: Record,
}

/// What a log is known by, without what it says.
#[derive(Clone, Copy, Debug)]
pub(in crate::application) struct Handle {
    /// Its number.
    pub(in crate::application) number: u64,
    pub(in crate::application) position: Option<OriginPosition>,
}

/// What can be acknowledged: everything through one delivery of each sequence, and some behind it one by one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) through: Vec<Position>,
    pub(super) single: Vec<Position>,
    /// How many deliveries that are.
    pub(super) deliveries: usize,
}

impl<O> Window<O> {
    pub(super) fn new(max_retries: u32) -> Self {
        Self {
            first: 0,
            deliveries: VecDeque::new(),
            messages: Messages::default(),
            positions: 0,
            under_way: Vec::new(),
            max_retries,
            retries: BTreeMap::new(),
            due: BTreeSet::new(),
        }
    }

    /// How many logs there are, some perhaps acknowledged behind one that is not.
    pub(super) fn len(&self) -> usize {
        self.deliveries.len() - self.positions
    }

    /// Notes a delivery, with an entry for each log in it, or one if there is none; returns the number of the first.
    pub(super) fn add(&mut self, position: Position, original: Option<O>, content: Content) -> u64
    where
        O: Clone,
    {
        let first = self.first + self.deliveries.len() as u64;
        let is_message = matches!(content, Content::Message(_));
        let delivered = Delivered { position, original, is_message, progress: LogProgress::Open };
        if let Content::Message(logs @ 2..) = content {
            let more = logs - 1;
            self.messages.add(first, first + more as u64);
            self.deliveries.extend(iter::repeat_n(delivered.clone(), more));
        }
        self.deliveries.push_back(delivered);
        self.positions += usize::from(!is_message);
        first
    }

    /// Where a log is among those of its delivery, if there are several.
    pub(super) fn log_number(&self, number: u64) -> Option<LogNumber> {
        self.messages.log_number(number)
    }

    /// Notes that these are entered in the book.
    pub(super) fn enter(&mut self, numbers: &[u64]) {
        self.messages.enter(numbers);
    }

    /// Where a log is among those of its delivery, from 0, as long as others of these are not in the book.
    pub(super) fn open_log_index(&self, number: u64) -> Option<usize> {
        self.messages.open_log_index(number)
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
                && let Some(intervals) = self.under_way.get_mut(origin)
            {
                intervals.remove_interval(sequence, sequence + (run.len() as u64 - 1));
            }
        }
    }

    /// Whether any log of this origin is under way.
    pub(super) fn has(&self, origin: usize) -> bool {
        self.under_way.get(origin).is_some_and(|intervals| !intervals.is_empty())
    }

    /// How many of these are more than a position.
    pub(super) fn messages(&self, numbers: &[u64]) -> usize {
        if self.positions == 0 {
            return numbers.len();
        }
        let get = |number: &u64| self.index(*number).and_then(|index| self.deliveries.get(index));
        numbers.iter().filter_map(get).filter(|delivered| delivered.is_message).count()
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

    /// Has a log wait for its next attempt, unless it has had enough of them. Returns whether it waits.
    pub(super) fn wait(&mut self, (handle, record): (Handle, &Record), now: Instant) -> bool {
        let number = handle.number;
        let retry = self.retries.entry(number).or_insert(Retry { since: now, tries: 0, waiting: None });
        let delay = FIRST_DELAY * 2u32.saturating_pow(retry.tries.min(16));
        if retry.tries >= self.max_retries || now + delay > retry.since + LONGEST {
            return false;
        }
        retry.tries += 1;
        let attempt = record.attempt.saturating_add(1);
        retry.waiting = Some(Task { handle, record: Record { attempt, ..record.clone() } });
        self.due.insert((now + delay, number));
        true
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

    /// Notes that these are finished; returns what can be acknowledged now: deliveries of which every log is. What lies behind
    /// one that is open (it waits for a retry, perhaps for minutes) is acknowledged by itself: held back, it would come again
    /// after a clean end, and use up the prefetch.
    pub(super) fn finish(&mut self, finished: Vec<u64>) -> Due {
        for number in &finished {
            self.retries.remove(number);
            if let Some(delivered) = self.get_mut(*number) {
                delivered.progress = LogProgress::Finished;
            }
        }
        self.messages.finish(&finished);
        let mut due = Due::default();
        while let Some(delivered) = self.deliveries.pop_front_if(|first| first.progress != LogProgress::Open)
        {
            let is_whole = self.messages.leave(self.first);
            self.first += 1;
            self.positions -= usize::from(!delivered.is_message);
            if is_whole && delivered.progress == LogProgress::Finished {
                due.deliveries += usize::from(delivered.is_message);
                due.acknowledge_through(delivered.position);
            }
        }
        // What has been taken out of the window is no longer found in it.
        for number in finished {
            let Some(delivered) = self.index(number).and_then(|index| self.deliveries.get(index)) else {
                continue;
            };
            // One that is acknowledged already was, with others, because of one before it here.
            if delivered.progress == LogProgress::Finished && self.messages.is_whole(number) {
                due.deliveries += usize::from(delivered.is_message);
                due.single.push(delivered.position.clone());
                for number in self.messages.numbers(number) {
                    if let Some(delivered) = self.get_mut(number) {
                        delivered.progress = LogProgress::Acknowledged;
                    }
                }
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
