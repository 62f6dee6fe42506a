//! Sets of numbers, stored as intervals: a sequence with few gaps takes constant space.

use std::collections::BTreeMap;

/// A set of sequence numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntervalSet {
    /// First to last of each interval. No two touch.
    intervals: BTreeMap<u64, u64>,
}

impl IntervalSet {
    /// Whether `n` is in the set.
    pub fn contains(&self, n: u64) -> bool {
        self.interval_of(n).is_some()
    }

    /// Adds `n`; false if it was in the set.
    pub fn insert(&mut self, n: u64) -> bool {
        self.insert_interval(n, n) > 0
    }

    /// Adds every number from `first` to `last`; returns how many were not in the set. Nothing is added if `last` is
    /// less than `first`.
    pub fn insert_interval(&mut self, first: u64, last: u64) -> u64 {
        if last < first {
            return 0;
        }
        // Fast path: numbers mostly arrive in order.
        if let Some(mut highest) = self.intervals.last_entry()
            && highest.get().checked_add(1) == Some(first)
        {
            *highest.get_mut() = last;
            return (last - first).saturating_add(1);
        }
        let (mut begin, mut end, mut known) = (first, last, 0);
        // From the right, every interval that touches the new one becomes part of it.
        while let Some((left, right)) = self.last_until(last.saturating_add(1)) {
            if right.saturating_add(1) < first {
                break;
            }
            known += overlap((left, right), (first, last));
            begin = begin.min(left);
            end = end.max(right);
            self.intervals.remove(&left);
        }
        self.intervals.insert(begin, end);
        (last - first).saturating_add(1) - known
    }

    /// Takes out every number from `first` to `last`; returns how many were in the set.
    pub fn remove_interval(&mut self, first: u64, last: u64) -> u64 {
        let mut known = 0;
        while let Some((left, right)) = self.last_until(last) {
            if right < first {
                break;
            }
            known += overlap((left, right), (first, last));
            self.intervals.remove(&left);
            if last < right {
                self.intervals.insert(last + 1, right);
            }
            if left < first {
                self.intervals.insert(left, first - 1);
            }
        }
        known
    }

    /// What is in this set and not in the `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut rest = Self::default();
        for (first, last) in self.iter() {
            let mut next = Some(first);
            let begin = other.interval_of(first).map_or(first, |(begin, _)| begin);
            for (&left, &right) in other.intervals.range(begin..=last) {
                if let Some(first) = next.filter(|next| *next < left) {
                    rest.intervals.insert(first, left - 1);
                }
                next = right.checked_add(1);
            }
            if let Some(first) = next.filter(|next| *next <= last) {
                rest.intervals.insert(first, last);
            }
        }
        rest
    }

    /// The interval that begins at `first`: its last number.
    pub fn interval_from(&self, first: u64) -> Option<u64> {
        self.intervals.get(&first).copied()
    }

    /// The first numbers of the intervals that begin between `first` and `last`, in ascending order.
    pub fn starts_between(&self, first: u64, last: u64) -> impl Iterator<Item = u64> {
        let any = first <= last && self.intervals.last_key_value().is_some_and(|(begin, _)| *begin >= first);
        let range = any.then(|| self.intervals.range(first..=last));
        range.into_iter().flatten().map(|(&begin, _)| begin)
    }

    /// The interval that `n` is in: its first and last number.
    pub fn interval_of(&self, n: u64) -> Option<(u64, u64)> {
        self.last_until(n).filter(|(_, last)| n <= *last)
    }

    /// The last interval that does not begin behind `n`.
    fn last_until(&self, n: u64) -> Option<(u64, u64)> {
        // Fast path: it is mostly the highest one.
        let highest = self.intervals.last_key_value().filter(|(first, _)| **first <= n);
        let (&first, &last) = highest.or_else(|| self.intervals.range(..=n).next_back())?;
        Some((first, last))
    }

    /// The intervals, first and last number of each, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.intervals.iter().map(|(&first, &last)| (first, last))
    }

    /// What is missing from 1 to `highest`, as intervals in ascending order.
    pub fn gaps(&self, highest: u64) -> impl Iterator<Item = (u64, u64)> {
        let mut next = 1;
        let ends = self.iter().chain([(highest.saturating_add(1), u64::MAX)]);
        ends.filter_map(move |(first, last)| {
            let gap = (next, first.saturating_sub(1).min(highest));
            next = last.saturating_add(1);
            (gap.0 <= gap.1).then_some(gap)
        })
    }

    /// The highest number; none if the set is empty.
    pub fn highest(&self) -> Option<u64> {
        self.intervals.last_key_value().map(|(_, &last)| last)
    }

    /// How many numbers there are.
    pub fn len(&self) -> u64 {
        self.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }
}

fn overlap(a: (u64, u64), b: (u64, u64)) -> u64 {
    let (first, last) = (a.0.max(b.0), a.1.min(b.1));
    if first <= last { (last - first).saturating_add(1) } else { 0 }
}

impl FromIterator<(u64, u64)> for IntervalSet {
    fn from_iter<I: IntoIterator<Item = (u64, u64)>>(intervals: I) -> Self {
        let mut all = Self::default();
        for (first, last) in intervals {
            all.insert_interval(first, last);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum SetStep {
        Insert(u64),
        InsertInterval(u64, u64),
        RemoveInterval(u64, u64),
    }

    fn step() -> impl Strategy<Value = SetStep> {
        prop_oneof![
            (1u64..40).prop_map(SetStep::Insert),
            (1u64..40, 0u64..8).prop_map(|(first, more)| SetStep::InsertInterval(first, first + more)),
            (1u64..40, 0u64..8).prop_map(|(first, more)| SetStep::RemoveInterval(first, first + more)),
        ]
    }

    proptest! {
        /// As a plain set of numbers would be.
        #[test]
        fn is_a_set(steps in prop::collection::vec(step(), 0..60)) {
            let (mut set, mut model) = (IntervalSet::default(), BTreeSet::new());
            for step in steps {
                match step {
                    SetStep::Insert(n) => prop_assert_eq!(set.insert(n), model.insert(n)),
                    SetStep::InsertInterval(first, last) => {
                        let new = (first..=last).filter(|n| model.insert(*n)).count() as u64;
                        prop_assert_eq!(set.insert_interval(first, last), new);
                    }
                    SetStep::RemoveInterval(first, last) => {
                        let known = (first..=last).filter(|n| model.remove(n)).count() as u64;
                        prop_assert_eq!(set.remove_interval(first, last), known);
                    }
                }
                let all: Vec<u64> = set.iter().flat_map(|(first, last)| first..=last).collect();
                prop_assert_eq!(&all, &model.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(set.len(), model.len() as u64);
                prop_assert_eq!(set.highest(), model.last().copied());
                let intervals: Vec<(u64, u64)> = set.iter().collect();
                prop_assert!(intervals.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{:?}", intervals);
                let missing: Vec<u64> = set.gaps(45).flat_map(|(first, last)| first..=last).collect();
                prop_assert_eq!(missing, (1..=45).filter(|n| !model.contains(n)).collect::<Vec<_>>());
                for n in 0..50 {
                    prop_assert_eq!(set.contains(n), model.contains(&n));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn leaves_out_another_set(
            mine in prop::collection::vec((1u64..40, 0u64..8), 0..8),
            others in prop::collection::vec((1u64..40, 0u64..8), 0..8),
        ) {
            let set = |intervals: &[(u64, u64)]| -> IntervalSet {
                intervals.iter().map(|(first, more)| (*first, first + more)).collect()
            };
            let (mine, others) = (set(&mine), set(&others));
            let rest = mine.without(&others);
            for n in 0..50 {
                prop_assert_eq!(rest.contains(n), mine.contains(n) && !others.contains(n));
            }
            prop_assert_eq!(rest.iter().collect::<IntervalSet>(), rest);
        }
    }

    #[test]
    fn the_largest_numbers_are_numbers_too() {
        let mut set = IntervalSet::default();
        assert!(set.insert(u64::MAX) && set.insert(u64::MAX - 1));
        assert_eq!(set.iter().collect::<Vec<_>>(), [(u64::MAX - 1, u64::MAX)]);
        assert_eq!(set.gaps(u64::MAX).collect::<Vec<_>>(), [(1, u64::MAX - 2)]);
        assert!(set.without(&set).is_empty());
        assert_eq!(set.remove_interval(u64::MAX, u64::MAX), 1);
        assert!(!set.contains(u64::MAX) && set.contains(u64::MAX - 1));
    }
}
