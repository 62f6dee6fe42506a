//! What was received lately, in steps of time: bounded, however long a run is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use loghost_core::domain::Tally;

/// The length of a step.
pub const STEP: Duration = Duration::from_secs(10);

/// How many steps are remembered at most: an hour.
pub const LONGEST: usize = 360;

/// The logs of each step of the last hour, by severity.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// When the last step began.
    last: Option<Instant>,
    /// The oldest first. Those that nothing came in are there as well.
    steps: VecDeque<Tally>,
}

impl History {
    /// Takes in that these logs came at this time, which is no earlier than that of those before, or counts as theirs.
    pub(crate) fn add(&mut self, at: Instant, logs: Tally) {
        let last = *self.last.get_or_insert(at);
        let passed = passed(last, at);
        if passed > 0 || self.steps.is_empty() {
            if passed >= LONGEST {
                self.steps.clear();
            }
            let missing = passed.clamp(1, LONGEST);
            self.steps.extend(std::iter::repeat_n(Tally::default(), missing));
            let too_many = self.steps.len().saturating_sub(LONGEST);
            self.steps.drain(..too_many);
            self.last = Some(last + STEP * u32::try_from(passed).unwrap_or(u32::MAX));
        }
        if let Some(step) = self.steps.back_mut() {
            *step += logs;
        }
    }

    /// The logs of each of the last `steps` until `now`, the oldest first, and the one under way last; fewer before there were
    /// so many.
    pub fn until(&self, now: Instant, steps: usize) -> Vec<Tally> {
        let passed = self.last.map_or(0, |last| passed(last, now));
        let quiet = passed.min(steps);
        let known = self.steps.len().min(steps - quiet);
        let known = self.steps.iter().skip(self.steps.len() - known).copied();
        known.chain(std::iter::repeat_n(Tally::default(), quiet)).collect()
    }

    /// The logs of each of the last `steps` that have ended until `now`, the oldest first; fewer before there were so many.
    pub fn ended(&self, now: Instant, steps: usize) -> Vec<Tally> {
        let mut logs = self.until(now, steps.saturating_add(1));
        logs.pop();
        logs
    }
}

/// How many steps have begun from `last`, when one began, until `at`.
fn passed(last: Instant, at: Instant) -> usize {
    let steps = at.saturating_duration_since(last).as_secs() / STEP.as_secs();
    usize::try_from(steps).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use loghost_core::domain::Severity;

    use super::*;

    /// So many errors.
    fn errors(logs: u64) -> Tally {
        let mut tally = Tally::default();
        tally[Severity::Error] = logs;
        tally
    }

    /// How many errors were in each of the last steps, at this second.
    fn seen(history: &History, begin: Instant, second: u64, steps: usize) -> Vec<u64> {
        let tallies = history.until(begin + Duration::from_secs(second), steps);
        tallies.iter().map(|tally| tally[Severity::Error]).collect()
    }

    #[test]
    fn each_step_has_what_came_in_it() {
        let (mut history, begin) = (History::default(), Instant::now());
        assert_eq!(seen(&history, begin, 0, 5), [0; 0]);
        for (second, logs) in [(0, 1), (9, 2), (10, 3), (35, 4)] {
            history.add(begin + Duration::from_secs(second), errors(logs));
        }
        assert_eq!(seen(&history, begin, 35, 9), [3, 3, 0, 4]);
        assert_eq!(seen(&history, begin, 39, 2), [0, 4]);
        assert_eq!(seen(&history, begin, 50, 3), [4, 0, 0]);
        assert_eq!(seen(&history, begin, 500_000, 3), [0, 0, 0]);
        let ended = |second, steps| {
            let tallies = history.ended(begin + Duration::from_secs(second), steps);
            tallies.iter().map(|tally| tally[Severity::Error]).collect::<Vec<_>>()
        };
        assert_eq!((ended(39, 2), ended(39, 9), ended(40, 2)), (vec![3, 0], vec![3, 3, 0], vec![0, 4]));
    }

    #[test]
    fn no_more_than_an_hour_is_remembered() {
        let (mut history, begin) = (History::default(), Instant::now());
        for second in 0..10_000 {
            history.add(begin + Duration::from_secs(second), errors(1));
        }
        assert_eq!(seen(&history, begin, 9_999, usize::MAX), [10; LONGEST]);
        history.add(begin + Duration::from_hours(200), errors(7));
        let last = seen(&history, begin, 200 * 3600, usize::MAX);
        assert_eq!((last.len(), last.iter().sum::<u64>(), last.last()), (LONGEST, 7, Some(&7)));
    }
}
