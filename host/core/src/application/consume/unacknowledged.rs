//! The deliveries that the source waits to hear of.

use std::collections::VecDeque;

use crate::application::ports::Receipt;

/// What was delivered and is not acknowledged, in the order of the source.
#[derive(Debug, Default)]
pub(super) struct Unacknowledged {
    /// The place of the first.
    first: u64,
    progress: VecDeque<Progress>,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Open,
    Finished,
    /// Finished, and acknowledged out of its order.
    Acknowledged,
}

/// What can be acknowledged: everything through one receipt, and some behind it one by one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) through: Option<Receipt>,
    pub(super) single: Vec<Receipt>,
}

impl Unacknowledged {
    /// How many there are, some perhaps acknowledged behind one that is not.
    pub(super) fn len(&self) -> usize {
        self.progress.len()
    }

    /// Notes a delivery.
    pub(super) fn add(&mut self, Receipt(place): Receipt) {
        if self.progress.is_empty() {
            self.first = place;
        }
        debug_assert_eq!(place, self.first + self.progress.len() as u64, "receipts come in order");
        self.progress.push_back(Progress::Open);
    }

    /// Notes that these are finished; returns what can be acknowledged now. What lies behind one that is open
    /// (it waits for a retry, perhaps for minutes) is acknowledged by itself: held back, it would come again
    /// after a clean end, and use up the prefetch.
    pub(super) fn finish(&mut self, finished: impl IntoIterator<Item = Receipt>) -> Due {
        let mut due = Due::default();
        for receipt in finished {
            if let Some(progress) = self.get_mut(receipt) {
                *progress = Progress::Finished;
                due.single.push(receipt);
            }
        }
        while let Some(progress) = self.progress.front().filter(|progress| **progress != Progress::Open) {
            if *progress == Progress::Finished {
                due.through = Some(Receipt(self.first));
            }
            self.progress.pop_front();
            self.first += 1;
        }
        let first = self.first;
        due.single.retain(|receipt| receipt.0 >= first);
        for receipt in &due.single {
            if let Some(progress) = self.get_mut(*receipt) {
                *progress = Progress::Acknowledged;
            }
        }
        due
    }

    fn get_mut(&mut self, Receipt(place): Receipt) -> Option<&mut Progress> {
        let offset = usize::try_from(place.checked_sub(self.first)?).ok()?;
        self.progress.get_mut(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipts(places: &[u64]) -> Vec<Receipt> {
        places.iter().copied().map(Receipt).collect()
    }

    fn delivered(places: &[u64]) -> Unacknowledged {
        let mut unacknowledged = Unacknowledged::default();
        for receipt in receipts(places) {
            unacknowledged.add(receipt);
        }
        unacknowledged
    }

    #[test]
    fn what_is_finished_in_order_is_acknowledged_at_once() {
        let mut unacknowledged = delivered(&[5, 6, 7, 8]);
        let due = unacknowledged.finish(receipts(&[6, 5, 7]));
        assert_eq!(due, Due { through: Some(Receipt(7)), single: vec![] });
        let due = unacknowledged.finish(receipts(&[8]));
        assert_eq!(due, Due { through: Some(Receipt(8)), single: vec![] });
    }

    #[test]
    fn what_lies_behind_an_open_one_is_acknowledged_by_itself() {
        let mut unacknowledged = delivered(&[1, 2, 3, 4]);
        let due = unacknowledged.finish(receipts(&[1, 3]));
        assert_eq!(due, Due { through: Some(Receipt(1)), single: receipts(&[3]) });
        // Nothing is acknowledged twice.
        let due = unacknowledged.finish(receipts(&[2]));
        assert_eq!(due, Due { through: Some(Receipt(2)), single: vec![] });
        let due = unacknowledged.finish(receipts(&[4]));
        assert_eq!(due, Due { through: Some(Receipt(4)), single: vec![] });
    }
}
