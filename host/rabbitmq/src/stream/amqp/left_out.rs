//! What a broker leaves out of a stream that is read through AMQP 0-9-1, without a word: batches that a producer has compressed.
//! Nothing tells their offsets from those that it uses itself.

/// How many offsets of a stream did not come.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    offsets: u64,
    /// How many it was told that these are.
    told: u64,
}

impl LeftOut {
    /// Notes offsets that did not come. How many these are in all, if that is to be told: at the first ones, and each time that
    /// they have doubled.
    pub(super) fn note(&mut self, offsets: u64) -> Option<u64> {
        self.offsets = self.offsets.saturating_add(offsets);
        let is_told = offsets > 0 && self.offsets >= self.told.saturating_mul(2);
        is_told.then(|| {
            self.told = self.offsets;
            self.offsets
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_told_at_the_first_and_when_it_has_doubled() {
        let mut left_out = LeftOut::default();
        let told = [0, 1, 0, 1, 1, 1, 3, 30].map(|offsets| left_out.note(offsets));
        assert_eq!(told, [None, Some(1), None, Some(2), None, Some(4), None, Some(37)]);
    }
}
