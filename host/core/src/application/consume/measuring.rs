//! What the consumer measures itself: it is asked when somebody wants to know, but so seldom that its logs are not held up.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Consume, Ports};
use crate::application::ports::{Consumer, ConsumerError, ConsumerEvent};
use crate::domain::Measures;

/// The least time between two calls.
const SHORTEST: Duration = Duration::from_secs(1);

/// How many times as long as a call the time until the next one is, at least: 5 % of the time are for measuring.
const SHARE: u32 = 20;

/// The least time until the next call after one that failed: each costs the consumer what it keeps in memory alone.
const AFTER_FAILURE: Duration = Duration::from_mins(1);

/// How old a measurement may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// As old as the times above allow.
    Lately,
    /// It is taken now, unless the last one failed.
    Now,
}

/// What was measured last, and when it is measured again.
#[derive(Debug)]
pub(super) struct Measuring {
    last: Option<Result<Arc<Measures>, ConsumerError>>,
    from: Instant,
}

impl Measuring {
    /// Nothing is measured yet.
    pub(super) fn new() -> Self {
        Self { last: None, from: Instant::now() }
    }

    /// What was measured last; or why that could not be.
    pub(super) fn last(&self) -> Option<Result<&Measures, &ConsumerError>> {
        self.last.as_ref().map(|last| last.as_deref())
    }

    fn is_due(&self, freshness: Freshness) -> bool {
        let is_failing = matches!(self.last, Some(Err(_)));
        Instant::now() >= self.from || (freshness == Freshness::Now && !is_failing)
    }

    fn note(&mut self, measured: Result<Measures, ConsumerError>, took: Duration) {
        let shortest = if measured.is_ok() { SHORTEST } else { AFTER_FAILURE };
        self.from = Instant::now() + shortest.max(took * SHARE);
        self.last = Some(measured.map(Arc::new));
    }
}

impl<P: Ports> Consume<P> {
    /// Has the consumer measure, if it has figures of its own and what is known is too old.
    pub(super) async fn measure(&mut self, freshness: Freshness) {
        if !self.processing.consumer().measures() || !self.measuring.is_due(freshness) {
            return;
        }
        self.progress.tell(ConsumerEvent::CallBegins);
        let begin = Instant::now();
        let measured = self.processing.consumer().measure().await;
        self.progress.tell(ConsumerEvent::CallEnds);
        self.measuring.note(measured, begin.elapsed());
        if let Some(measured) = &self.measuring.last {
            self.progress.tell(ConsumerEvent::Measured(measured.as_ref()));
        }
    }

    /// The same, for somebody who waits.
    pub(super) async fn measure_for(&mut self, done: oneshot::Sender<()>) {
        self.measure(Freshness::Lately).await;
        // Whoever asked may wait no longer.
        let _ = done.send(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long it is not measured after a call that took so long.
    fn pause(
        measuring: &mut Measuring,
        measured: Result<Measures, ConsumerError>,
        took: Duration,
    ) -> Duration {
        measuring.note(measured, took);
        measuring.from - Instant::now()
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_or_failing_call_is_made_seldom() {
        let mut measuring = Measuring::new();
        assert!(measuring.is_due(Freshness::Lately));
        let moment = Duration::from_millis(1);
        assert_eq!(pause(&mut measuring, Ok(Measures::default()), moment), SHORTEST);
        assert!(!measuring.is_due(Freshness::Lately) && measuring.is_due(Freshness::Now));
        tokio::time::advance(SHORTEST).await;
        assert!(measuring.is_due(Freshness::Lately));
        assert_eq!(pause(&mut measuring, Ok(Measures::default()), SHORTEST), SHORTEST * SHARE);
        let failed = ConsumerError { call: "measure", reason: String::new(), backtrace: None };
        assert_eq!(pause(&mut measuring, Err(failed.clone()), SHORTEST * 10), SHORTEST * 10 * SHARE);
        assert_eq!(pause(&mut measuring, Err(failed), moment), AFTER_FAILURE);
        assert!(!measuring.is_due(Freshness::Now));
        tokio::time::advance(AFTER_FAILURE).await;
        assert!(measuring.is_due(Freshness::Lately));
    }
}
