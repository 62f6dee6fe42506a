//! What was delivered of a stream and is not finished.

use std::collections::VecDeque;

/// What was delivered of a stream and is not finished, in order.
#[derive(Debug, Default)]
pub(super) struct Window(VecDeque<WindowEntry>);

#[derive(Clone, Copy, Debug)]
struct WindowEntry {
    /// The first offset that it covers: nothing before it is open because of it.
    first: u64,
    /// The number of its position.
    number: u64,
}

impl Window {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a delivery, behind all others.
    pub(super) fn add(&mut self, first: u64, number: u64) {
        self.0.push_back(WindowEntry { first, number });
    }

    /// Takes out all up to this position.
    pub(super) fn finish_through(&mut self, number: u64) {
        let finished = self.0.partition_point(|entry| entry.number <= number);
        self.0.drain(..finished);
    }

    /// Takes out one.
    pub(super) fn finish(&mut self, number: u64) {
        if let Ok(index) = self.0.binary_search_by_key(&number, |entry| entry.number) {
            self.0.remove(index);
        }
    }

    /// The first offset that is not finished, if something is not.
    pub(super) fn first(&self) -> Option<u64> {
        self.0.front().map(|entry| entry.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_open_holds_back_what_is_finished_behind_it() {
        let mut window = Window::default();
        for (first, number) in [(5, 8), (8, 9), (9, 10), (10, 20)] {
            window.add(first, number);
        }
        window.finish(9);
        window.finish(9);
        assert_eq!((window.first(), window.len()), (Some(5), 3));
        window.finish_through(10);
        assert_eq!((window.first(), window.len()), (Some(10), 1));
        window.finish(20);
        assert_eq!((window.first(), window.len()), (None, 0));
    }
}
