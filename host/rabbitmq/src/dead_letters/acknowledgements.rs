//! Which acknowledgements finished deliveries of a channel need: one for all up to a tag, as far as none before it stays.
//!
//! Knows delivery tags; nothing of channels.

use std::collections::BTreeSet;

/// What has been acknowledged of a channel's deliveries, whose tags are 1, 2, 3 and so on.
#[derive(Debug, Default)]
pub(crate) struct Acknowledgements {
    /// All deliveries up to this tag are acknowledged.
    through: u64,
    /// The tags behind it that were acknowledged singly.
    single: BTreeSet<u64>,
}

/// An acknowledgement to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledgement {
    /// Of all deliveries up to this tag.
    Through(u64),
    /// Of the delivery with this tag.
    Single(u64),
}

impl Acknowledgements {
    /// The acknowledgements of deliveries that are `finished`, in the order in which they are to be sent. Those that are
    /// not finished may stay in the queue: what is behind one of them is acknowledged singly.
    pub(crate) fn of(&mut self, mut finished: BTreeSet<u64>) -> Vec<Acknowledgement> {
        // The broker accepts no tag that was acknowledged before.
        let mut last = None;
        loop {
            let next = self.through + 1;
            if finished.remove(&next) {
                last = Some(next);
            } else if !self.single.remove(&next) {
                break;
            }
            self.through = next;
        }
        self.single.extend(&finished);
        let single = finished.into_iter().map(Acknowledgement::Single);
        last.map(Acknowledgement::Through).into_iter().chain(single).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::Acknowledgement::{Single, Through};
    use super::*;

    fn of(acknowledgements: &mut Acknowledgements, finished: &[u64]) -> Vec<Acknowledgement> {
        acknowledgements.of(finished.iter().copied().collect())
    }

    #[test]
    fn one_acknowledgement_is_for_all_that_are_finished() {
        let mut acknowledgements = Acknowledgements::default();
        assert_eq!(of(&mut acknowledgements, &[1, 2, 3]), [Through(3)]);
        assert_eq!(of(&mut acknowledgements, &[]), []);
        assert_eq!(of(&mut acknowledgements, &[5, 4]), [Through(5)]);
    }

    #[test]
    fn what_is_behind_one_that_stays_is_acknowledged_singly() {
        let mut acknowledgements = Acknowledgements::default();
        assert_eq!(of(&mut acknowledgements, &[1, 2, 4, 6]), [Through(2), Single(4), Single(6)]);
        assert_eq!(of(&mut acknowledgements, &[7]), [Single(7)]);
        assert_eq!(of(&mut acknowledgements, &[3]), [Through(3)], "4 was acknowledged before");
        assert_eq!(of(&mut acknowledgements, &[5, 8]), [Through(8)]);
    }

    const TAGS: std::ops::RangeInclusive<u64> = 1..=40;

    proptest! {
        /// In whatever order deliveries are finished, if at all: each is acknowledged once, and no other is.
        #[test]
        fn what_is_finished_is_acknowledged_once(
            order in Just(TAGS.collect::<Vec<u64>>()).prop_shuffle(),
            stays in vec(any::<bool>(), 40),
            batches in vec(1..9_usize, 40),
        ) {
            let mut acknowledgements = Acknowledgements::default();
            let mut unacknowledged: BTreeSet<u64> = TAGS.collect();
            let mut finished = order.iter().zip(&stays).filter(|(_, stays)| !**stays).map(|(tag, _)| *tag);
            for batch in batches {
                let batch: BTreeSet<u64> = finished.by_ref().take(batch).collect();
                let expected: BTreeSet<u64> = unacknowledged.difference(&batch).copied().collect();
                for acknowledgement in acknowledgements.of(batch) {
                    let (Through(tag) | Single(tag)) = acknowledgement;
                    prop_assert!(unacknowledged.remove(&tag), "{} was acknowledged before", tag);
                    if let Through(tag) = acknowledgement {
                        unacknowledged.retain(|other| *other > tag);
                    }
                }
                prop_assert_eq!(&unacknowledged, &expected);
            }
        }
    }
}
