//! The consumer, and what is known of how it does: what it has saved, how often it failed, and whether it is stopped
//! for that.

use std::time::Duration;

use super::breaker::{Breaker, Tolerance};
use crate::application::ports::{BoxError, Consumer, ConsumerError, Reads};
use crate::domain::{Descriptor, Processed, Record, Timestamp};

/// The longest that a stopped consumer is left alone.
const LONGEST_PROBE: Duration = Duration::from_mins(5);

/// A consumer that processes logs.
pub(in crate::application) struct Processing<C> {
    consumer: C,
    /// What it keeps: as it was committed last, and as it was saved last.
    committed: Option<Vec<u8>>,
    saved: Option<Vec<u8>>,
    /// As it was saved before it was called last.
    saved_before: Option<Vec<u8>>,
    /// Whether it has seen more than what was saved, and must start afresh from that.
    stale: bool,
    breaker: Breaker,
    /// While it is stopped: how it failed, and how long it was left alone.
    stopped: Option<(ConsumerError, Duration)>,
}

impl<C: Consumer> Processing<C> {
    pub(in crate::application) fn new(consumer: C, tolerance: Tolerance) -> Self {
        Self {
            consumer,
            committed: None,
            saved: None,
            saved_before: None,
            stale: false,
            breaker: Breaker::new(tolerance),
            stopped: None,
        }
    }

    pub(in crate::application) fn consumer(&mut self) -> &mut C {
        &mut self.consumer
    }

    pub(in crate::application) fn descriptor(&self) -> &Descriptor {
        self.consumer.descriptor()
    }

    pub(super) fn digest(&self) -> &str {
        self.consumer.digest()
    }

    pub(in crate::application) fn processes(&self) -> bool {
        self.consumer.processes()
    }

    pub(super) fn reads(&self) -> Reads {
        Reads::of(&self.consumer)
    }

    /// Has it take up what was committed of it.
    pub(super) async fn take_up(&mut self, state: Vec<u8>) -> Result<(), ConsumerError> {
        if self.consumer.keeps_state() {
            self.consumer.restore(Some(&state)).await?;
            self.saved = Some(state.clone());
            self.committed = Some(state);
        }
        Ok(())
    }

    /// Shows it the records, and has it save what it keeps: only then has it seen them. Returns that, if it keeps
    /// anything.
    pub(in crate::application) async fn process(
        &mut self,
        now: Timestamp,
        records: &[Record],
    ) -> Result<(Processed, Option<Vec<u8>>), ConsumerError> {
        let mut processed = self.consumer.process(now, records).await?;
        let hops = records.iter().map(|record| record.hops).max().map_or(0, |hops| hops.saturating_add(1));
        processed.publish.iter_mut().for_each(|log| log.hops = hops);
        if !self.consumer.keeps_state() {
            return Ok((processed, None));
        }
        let state = self.consumer.save().await?;
        self.saved_before = self.saved.replace(state.clone());
        Ok((processed, Some(state)))
    }

    /// Starts it afresh from what it had saved before it was called last, as if it had not seen that.
    pub(super) async fn undo(&mut self) -> Result<(), ConsumerError> {
        self.saved = self.saved_before.take();
        // If it cannot be now, it must be before the next call.
        self.stale = true;
        self.refresh().await
    }

    /// How it has failed if a broker does not take what it publishes, and would not take it again: it starts afresh from
    /// what it saved before.
    pub(in crate::application) async fn not_taken(&mut self, why: &BoxError) -> ConsumerError {
        if let Err(error) = self.undo().await {
            return error;
        }
        let reason = format!("the broker does not take a log that it publishes: {why}");
        ConsumerError { call: "process", reason, backtrace: None }
    }

    /// Notes that what it has saved is committed.
    pub(super) fn committed(&mut self, state: Vec<u8>) {
        self.committed = Some(state);
    }

    /// Notes that what is not committed comes again.
    pub(super) fn rewind(&mut self) {
        if self.saved != self.committed {
            self.saved.clone_from(&self.committed);
            self.stale = self.consumer.keeps_state();
        }
    }

    /// Starts it afresh, if it has seen what comes again.
    pub(super) async fn refresh(&mut self) -> Result<(), ConsumerError> {
        if self.stale {
            self.consumer.restore(self.saved.as_deref()).await?;
            self.stale = false;
        }
        Ok(())
    }

    /// Notes that so many logs went well; returns whether it was stopped until now.
    pub(in crate::application) fn passed(&mut self, logs: usize) -> bool {
        self.breaker.passed(logs);
        let recovered = self.stopped.take_if(|_| logs > 0).is_some();
        if recovered {
            self.breaker.reset();
        }
        recovered
    }

    /// Notes that it failed at one log; returns whether it is to be stopped.
    pub(in crate::application) fn failed(&mut self) -> bool {
        self.breaker.failed() || self.is_stopped()
    }

    /// Stops it; returns for how long it is left alone: first for `first`, and twice as long each time.
    pub(super) fn stop(&mut self, error: ConsumerError, first: Duration) -> Duration {
        let before = self.stopped.take().map(|(_, delay)| (delay * 2).min(LONGEST_PROBE));
        let delay = before.unwrap_or(first);
        self.stopped = Some((error, delay));
        delay
    }

    /// Whether it is stopped: it is shown one log at a time, until one goes well.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// How it failed, if it is stopped.
    pub(super) fn failure(self) -> Option<ConsumerError> {
        self.stopped.map(|(error, _)| error)
    }

    /// Lets `new` take its place, with what it keeps; returns the former one.
    pub(super) async fn replace(&mut self, mut new: C) -> Result<C, ConsumerError> {
        if new.keeps_state() && self.saved.is_some() {
            new.restore(self.saved.as_deref()).await?;
        }
        // A stopped one is shown one log first: a bad file may follow a bad one.
        self.breaker.reset();
        self.stale = false;
        Ok(std::mem::replace(&mut self.consumer, new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Metric, Severity};
    use crate::testing::{descriptor, logs::error_record};

    /// Keeps the number of logs that it has seen; starting it afresh fails as often as it is told.
    struct Frail {
        descriptor: Descriptor,
        seen: u8,
        failures: usize,
    }

    impl Consumer for Frail {
        fn descriptor(&self) -> &Descriptor {
            &self.descriptor
        }

        fn processes(&self) -> bool {
            true
        }

        fn keeps_state(&self) -> bool {
            true
        }

        fn digest(&self) -> &'static str {
            ""
        }

        async fn process(&mut self, _: Timestamp, batch: &[Record]) -> Result<Processed, ConsumerError> {
            self.seen += u8::try_from(batch.len()).unwrap();
            Ok(Processed::default())
        }

        async fn format_metric(&mut self, _: &Metric) -> Result<String, ConsumerError> {
            Ok(self.seen.to_string())
        }

        async fn save(&mut self) -> Result<Vec<u8>, ConsumerError> {
            Ok(vec![self.seen])
        }

        async fn restore(&mut self, state: Option<&[u8]>) -> Result<(), ConsumerError> {
            if let Some(left) = self.failures.checked_sub(1) {
                self.failures = left;
                return Err(ConsumerError { call: "restore", reason: String::new(), backtrace: None });
            }
            self.seen = state.map_or(0, |state| state[0]);
            Ok(())
        }
    }

    /// What was undone comes again, and must not be in its state twice.
    #[tokio::test]
    async fn an_undo_that_fails_is_made_up_for() {
        let consumer = Frail { descriptor: descriptor("frail", Severity::ALL), seen: 0, failures: 1 };
        let mut processing = Processing::new(consumer, Tolerance::default());
        let (now, batch) = (Timestamp::default(), vec![error_record(1, ""); 3]);
        processing.process(now, &batch).await.unwrap();
        processing.committed(vec![3]);
        processing.process(now, &batch).await.unwrap();
        processing.undo().await.unwrap_err();
        processing.rewind();
        processing.refresh().await.unwrap();
        let (_, state) = processing.process(now, &batch).await.unwrap();
        assert_eq!(state, Some(vec![6]));
    }
}
