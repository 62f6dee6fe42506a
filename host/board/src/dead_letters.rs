//! What of a consumer went to the dead letters last: bounded, as it is kept for each consumer.

use std::collections::VecDeque;
use std::sync::Arc;

use loghost_core::application::Rejection;

use crate::text::{MOST_REASON, beginning};

/// How many are kept.
const MOST: usize = 5;

/// A delivery that went to the dead letters.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// When it was given up, in milliseconds since the Unix epoch.
    pub at: u64,
    /// How it came to this, for machines.
    pub cause: &'static str,
    /// Why; the beginning of a long text, which ends with `…` then.
    pub reason: Arc<str>,
    /// How many attempts were made at it.
    pub attempts: u32,
}

/// The last of them.
#[derive(Clone, Debug, Default)]
pub struct LastDeadLetters(VecDeque<DeadLetter>);

impl LastDeadLetters {
    pub(crate) fn add(&mut self, cause: &'static str, rejection: &Rejection) {
        let Rejection { reason, attempts, at, .. } = rejection;
        self.0.truncate(MOST - 1);
        self.0.push_front(DeadLetter {
            at: at.as_millis(),
            cause,
            reason: beginning(reason, MOST_REASON).into(),
            attempts: *attempts,
        });
    }

    /// The newest first.
    pub fn iter(&self) -> impl Iterator<Item = &DeadLetter> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use loghost_core::application::Cause;
    use loghost_core::domain::Timestamp;

    use super::*;

    #[test]
    fn what_is_kept_is_bounded() {
        let mut last = LastDeadLetters::default();
        for n in 0..100 {
            let rejection = Rejection {
                cause: Cause::Rejected,
                reason: if n == 99 { "ü".repeat(1000) } else { "short".to_owned() },
                backtrace: None,
                attempts: n,
                at: Timestamp::from_millis(7),
                version: String::new(),
                digest: String::new(),
            };
            last.add("rejected", &rejection);
        }
        let attempts: Vec<u32> = last.iter().map(|it| it.attempts).collect();
        assert_eq!(attempts, [99, 98, 97, 96, 95]);
        let reasons: Vec<&str> = last.iter().map(|it| &*it.reason).take(2).collect();
        assert_eq!(reasons, [&*format!("{}…", "ü".repeat(MOST_REASON / 2)), "short"]);
    }
}
