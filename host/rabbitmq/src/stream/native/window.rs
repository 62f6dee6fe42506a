//! What was delivered of a stream and is not finished, and how much that may be.

use std::collections::VecDeque;

/// What was delivered of a stream and is not finished, in order.
#[derive(Debug, Default)]
pub(super) struct Window {
    entries: VecDeque<WindowEntry>,
    /// The bytes of messages that are in memory because of them.
    octets: usize,
}

/// How many logs may be delivered and not finished.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowLimit {
    /// Whatever their size.
    pub(crate) any: usize,
    /// While they are small, if that is more.
    pub(crate) small: usize,
}

/// Fewer bytes of messages than this, in all, are small.
const SMALL: usize = 1024 * 1024;

impl WindowLimit {
    /// How many logs it is while so many bytes of their messages are in memory.
    pub(super) fn at(self, octets: usize) -> usize {
        if octets < SMALL { self.any.max(self.small) } else { self.any }
    }
}

#[derive(Clone, Copy, Debug)]
struct WindowEntry {
    /// The first offset that it covers: nothing before it is open because of it.
    first: u64,
    /// The number of its position.
    number: u64,
    octets: usize,
}

impl Window {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many bytes of messages are in memory because of them.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    /// Adds a delivery, behind all others, with so many bytes of a message that stay in memory.
    pub(super) fn add(&mut self, first: u64, number: u64, octets: usize) {
        self.octets += octets;
        self.entries.push_back(WindowEntry { first, number, octets });
    }

    /// Takes out all up to this position.
    pub(super) fn finish_through(&mut self, number: u64) {
        let finished = self.entries.partition_point(|entry| entry.number <= number);
        self.octets -= self.entries.drain(..finished).map(|entry| entry.octets).sum::<usize>();
    }

    /// Takes out one.
    pub(super) fn finish(&mut self, number: u64) {
        if let Ok(index) = self.entries.binary_search_by_key(&number, |entry| entry.number) {
            self.octets -= self.entries.remove(index).map_or(0, |entry| entry.octets);
        }
    }

    /// The first offset that is not finished, if something is not.
    pub(super) fn first(&self) -> Option<u64> {
        self.entries.front().map(|entry| entry.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_open_holds_back_what_is_finished_behind_it() {
        let mut window = Window::default();
        for (first, number) in [(5, 8), (8, 9), (9, 10), (10, 20)] {
            window.add(first, number, 10);
        }
        window.finish(9);
        window.finish(9);
        assert_eq!((window.first(), window.len(), window.octets()), (Some(5), 3, 30));
        window.finish_through(10);
        assert_eq!((window.first(), window.len(), window.octets()), (Some(10), 1, 10));
        window.finish(20);
        assert_eq!((window.first(), window.len(), window.octets()), (None, 0, 0));
    }

    #[test]
    fn more_is_under_way_only_while_it_is_small() {
        let limit = WindowLimit { any: 10, small: 80 };
        assert_eq!([0, SMALL - 1, SMALL].map(|octets| limit.at(octets)), [80, 80, 10]);
        assert_eq!(WindowLimit { any: 10, small: 0 }.at(0), 10);
    }
}
