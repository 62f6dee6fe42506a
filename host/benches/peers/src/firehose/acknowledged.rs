//! Which deliveries have been acknowledged.

use std::collections::BTreeSet;

/// Delivery tags that are acknowledged: all up to one, and some beyond.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    through: u64,
    beyond: BTreeSet<u64>,
}

impl Acknowledged {
    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.through + self.beyond.len() as u64
    }

    /// Acknowledges `tag`.
    pub(crate) fn one(&mut self, tag: u64) {
        if tag > self.through {
            self.beyond.insert(tag);
            self.close_ranks();
        }
    }

    /// Acknowledges everything up to `tag`.
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
        let mut acknowledged = Acknowledged::default();
        let mut check = |acknowledge: &dyn Fn(&mut Acknowledged), count| {
            acknowledge(&mut acknowledged);
            assert_eq!(acknowledged.count(), count);
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
