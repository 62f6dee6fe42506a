//! The deliveries of a window in which there are several logs: which numbers belong together, and how far each is.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::application::ports::LogNumber;

/// Those deliveries, by the number of the first log of each. As a rule there are none, and it costs nothing.
#[derive(Debug, Default)]
pub(super) struct Messages(BTreeMap<u64, Message>);

/// A delivery.
#[derive(Debug)]
struct Message {
    /// The number of its last log.
    last: u64,
    /// How many logs are not in the book.
    not_entered: u64,
    /// How many are not finished.
    open: u64,
}

impl Messages {
    /// Notes a delivery with logs of these numbers.
    pub(super) fn add(&mut self, first: u64, last: u64) {
        let logs = last - first + 1;
        self.0.insert(first, Message { last, not_entered: logs, open: logs });
    }

    /// Where a log is in its delivery, if there are others in it.
    pub(super) fn log_number(&self, number: u64) -> Option<LogNumber> {
        let (first, message) = self.of(number)?;
        let count = |last: u64| usize::try_from(last - first + 1).unwrap_or(usize::MAX);
        Some(LogNumber { number: count(number), of: count(message.last) })
    }

    /// Notes that these logs are in the book.
    pub(super) fn enter(&mut self, numbers: &[u64]) {
        self.each(numbers, |message| message.not_entered = message.not_entered.saturating_sub(1));
    }

    /// Where a log is in its delivery, from 0, while others of it are not in the book.
    pub(super) fn open_log_index(&self, number: u64) -> Option<usize> {
        let (first, _) = self.of(number).filter(|(_, message)| message.not_entered > 0)?;
        usize::try_from(number - first).ok()
    }

    /// Notes that these logs are finished.
    pub(super) fn finish(&mut self, numbers: &[u64]) {
        self.each(numbers, |message| message.open = message.open.saturating_sub(1));
    }

    /// Whether every log of the delivery of this one is finished, which itself is.
    pub(super) fn is_whole(&self, number: u64) -> bool {
        self.of(number).is_none_or(|(_, message)| message.open == 0)
    }

    /// The logs of the delivery of this one.
    pub(super) fn numbers(&self, number: u64) -> RangeInclusive<u64> {
        self.of(number).map_or(number..=number, |(first, message)| first..=message.last)
    }

    /// Notes that a log leaves the window, the first that is in it; whether it was the last of its delivery.
    pub(super) fn leave(&mut self, number: u64) -> bool {
        let Some(message) = self.0.first_entry().filter(|message| *message.key() <= number) else {
            return true;
        };
        let is_last = message.get().last == number;
        if is_last {
            message.remove();
        }
        is_last
    }

    fn each(&mut self, numbers: &[u64], change: impl Fn(&mut Message)) {
        if self.0.is_empty() {
            return;
        }
        for number in numbers {
            let before = self.0.range_mut(..=number).next_back();
            if let Some((_, message)) = before.filter(|(_, message)| *number <= message.last) {
                change(message);
            }
        }
    }

    /// The delivery of a log, with the number of its first, if there are several in it.
    fn of(&self, number: u64) -> Option<(u64, &Message)> {
        if self.0.is_empty() {
            return None;
        }
        let (first, message) = self.0.range(..=number).next_back()?;
        (number <= message.last).then_some((*first, message))
    }
}
