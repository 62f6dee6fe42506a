//! Which deliveries have been acknowledged.

use std::collections::BTreeSet;

/// Delivery tags that are settled: all up to one, and some beyond.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    through: u64,
    beyond: BTreeSet<u64>,
}

impl Settled {
    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.through + self.beyond.len() as u64
    }

    /// Settles `tag`.
    pub(crate) fn one(&mut self, tag: u64) {
        if tag > self.through {
            self.beyond.insert(tag);
            self.close_ranks();
        }
    }

    /// Settles everything up to `tag`.
    pub(crate) fn through(&mut self, tag: u64) {
        if tag > self.through {
            self.through = tag;
            self.beyond = self.beyond.split_off(&(tag + 1));
            self.close_ranks();
        }
    }

    fn close_ranks(&mut self) {
        while self.beyond.first() == Some(&(self.through + 1)) {
            self.beyond.pop_first();
            self.through += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_once() {
        let mut settled = Settled::default();
        let mut check = |settle: &dyn Fn(&mut Settled), count| {
            settle(&mut settled);
            assert_eq!(settled.count(), count);
        };
        check(&|s| s.one(2), 1);
        check(&|s| s.one(2), 1);
        check(&|s| s.one(5), 2);
        check(&|s| s.through(3), 4);
        check(&|s| s.one(3), 4);
        check(&|s| s.one(4), 5);
        check(&|s| s.through(5), 5);
        check(&|s| s.through(9), 9);
    }
}
