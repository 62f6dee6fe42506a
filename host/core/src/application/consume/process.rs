//! Processing: shows logs to the consumer, does what it says, and finds the one log that it fails at.

use std::pin::pin;

use tokio::time::{Instant, sleep_until};

use super::batch::Batch;
use super::progress::Progress;
use super::session::Session;
use super::spans::Spans;
use super::staged::{Done, FinishedKind};
use super::timer::Timer;
use super::window::{Handle, Task};
use super::{Break, Consume, Ports};
use crate::application::End;
use crate::application::ports::{
    Cause, Clock, ConsumerError, ConsumerEvent, LogSource, Reads, Rejection, SinkError, SourceError, Traced,
};
use crate::domain::{CountedAs, FinishedLog, Log, Outcome, Processed, Record};

/// What the consumer says of a batch, and what it keeps then, if it keeps something.
type ProcessAnswer = (Processed, Option<Vec<u8>>);

/// What has come of a call, and the spans of the logs in it, if something is traced.
type Called = (Result<ProcessAnswer, ConsumerError>, Option<Spans>);

/// Consumers fail at these before they have seen a log.
pub(in crate::application) const BEFORE_ANY_LOG: [&str; 2] = ["configure", "restore"];

impl<P: Ports> Consume<P> {
    /// Shows `batch` to the consumer, or nothing at a tick; `now` is the time. A batch that it fails at is halved until
    /// the one log stands alone that does it; each time the consumer starts afresh from what it saved last.
    pub(super) async fn process(
        &mut self,
        session: &mut Session<P>,
        batch: Batch,
        now: Instant,
    ) -> Result<(), Break> {
        if let Some(latest) = batch.records().iter().map(|record| record.timestamp).max() {
            self.clock.observe_timestamp(latest);
        }
        if !self.processing.processes() {
            for (handle, record) in batch.logs() {
                self.commits.note(handle.done(record, CountedAs::Accepted));
            }
            return Ok(());
        }
        let (mut next, mut behind) = (Some((batch, now)), Vec::new());
        while let Some((mut batch, since)) =
            next.take().or_else(|| behind.pop().map(|batch| (batch, Instant::now())))
        {
            let (answer, spans) = self.ask(session, batch.records(), since).await?;
            if answer.is_err() {
                self.progress.tell(ConsumerEvent::Trapped { logs: batch.records().len() });
            }
            match answer {
                Ok((processed, state)) => {
                    self.carry_out(session, &batch, processed, spans.as_ref());
                    if let Some(state) = state {
                        self.commits.note_checkpoint(state);
                    }
                }
                Err(error) if BEFORE_ANY_LOG.contains(&error.call) => return Err(Break::Stopped(error)),
                Err(_) if batch.records().len() > 1 => {
                    let rest = batch.split_off(batch.records().len() / 2);
                    behind.extend([rest, batch]);
                }
                Err(error) => {
                    self.progress.tell(ConsumerEvent::Failed(&error, batch.records().first()));
                    if let Some(spans) = &spans {
                        spans.tell(&self.progress, 0, Traced::GivenUp(Cause::Trapped, &error.reason));
                    }
                    for log in batch.logs() {
                        let backtrace = error.backtrace.clone();
                        self.reject(session, log, error.to_string(), backtrace, Cause::Trapped);
                    }
                    if self.processing.failed() {
                        return Err(Break::Stopped(error));
                    }
                }
            }
        }
        Ok(())
    }

    /// Shows the consumer the records, from `since` on, and publishes what it says. What no broker takes is the consumer's failure, as it
    /// would fail again: then it starts afresh from what it saved before, as after a trap.
    async fn ask(
        &mut self,
        session: &mut Session<P>,
        records: &[Record],
        since: Instant,
    ) -> Result<Called, Break> {
        let answer = self.processing.process(self.clock.now(), records).await;
        self.tell_memory();
        let mut spans = Spans::of(self.options.tracing.as_ref(), records, since);
        let (mut processed, state) = match answer {
            Ok(answer) => answer,
            Err(error) => return Ok((Err(error), spans)),
        };
        if let Some(spans) = &mut spans {
            spans.carry_on(&mut processed.publish);
        }
        self.progress.tell(ConsumerEvent::Processed { logs: records.len(), took: since.elapsed() });
        match self.publish(session, &processed.publish).await {
            Ok(()) => Ok((Ok((processed, state)), spans)),
            Err(Break::End(End::Sink(SinkError::NotTaken(why)))) => {
                // One that is alone is given up.
                if let Some(spans) = spans.as_ref().filter(|_| records.len() > 1) {
                    spans.tell_unpublished(&self.progress);
                }
                Ok((Err(self.processing.not_taken(&why).await), spans))
            }
            Err(broke) => {
                if let Some(spans) = &spans {
                    spans.tell_unpublished(&self.progress);
                }
                Err(broke)
            }
        }
    }

    /// Does what the consumer says of `batch`: counts, has wait for another attempt, or sends to the dead letters.
    fn carry_out(
        &mut self,
        session: &mut Session<P>,
        batch: &Batch,
        mut processed: Processed,
        spans: Option<&Spans>,
    ) {
        let logs = batch.records().len();
        if self.processing.passed(logs) {
            self.progress.tell(ConsumerEvent::Recovered);
        }
        processed.verdicts.sort_unstable_by_key(|verdict| verdict.index);
        let mut verdicts = processed.verdicts.into_iter().peekable();
        let mut retrying = 0;
        for (index, (handle, record)) in batch.logs().enumerate() {
            let tell = |progress: &Progress<P::Reporter>, outcome: Traced<'_>| {
                if let Some(spans) = spans {
                    spans.tell(progress, index, outcome);
                }
            };
            match verdicts.next_if(|verdict| verdict.index == index).map(|verdict| verdict.outcome) {
                None => {
                    tell(&self.progress, Traced::Accepted);
                    self.commits.note(handle.done(record, CountedAs::Accepted));
                }
                Some(Outcome::Skip) => {
                    tell(&self.progress, Traced::Skipped);
                    self.commits.note(handle.done(record, CountedAs::Skipped));
                }
                Some(Outcome::Reject(reason)) => {
                    tell(&self.progress, Traced::GivenUp(Cause::Rejected, &reason));
                    self.reject(session, (handle, record), reason, None, Cause::Rejected);
                }
                Some(Outcome::Retry(reason)) => {
                    if session.window.wait((handle, record), Instant::now()) {
                        tell(&self.progress, Traced::Retried(&reason));
                        retrying += 1;
                    } else {
                        tell(&self.progress, Traced::GivenUp(Cause::RetriesExhausted, &reason));
                        self.reject(session, (handle, record), reason, None, Cause::RetriesExhausted);
                    }
                }
            }
        }
        if retrying > 0 {
            self.progress.tell(ConsumerEvent::Retrying(retrying));
        }
        // A tick is no sign of life.
        if logs > 0 {
            self.progress.tell(ConsumerEvent::Acknowledged { deliveries: 0, load: session.load() });
        }
    }

    /// Publishes what the consumer says. Meanwhile what is finished is committed and acknowledged: they may go to a
    /// queue that is full until then.
    async fn publish(&mut self, session: &mut Session<P>, logs: &[Log]) -> Result<(), Break> {
        let Some(mut derived) = self.derived.take_if(|_| !logs.is_empty()) else { return Ok(()) };
        let before = derived.receipts().confirmed.total();
        let published = match self.meanwhile(session, derived.all(logs)).await {
            // A permission that was taken away may be given again.
            Err(Break::End(End::Sink(error @ SinkError::Refused(_)))) if before > 0 => {
                Err(SourceError::Unpublishable(error).into())
            }
            published => published,
        };
        if published.is_err() {
            derived.give_up();
        }
        self.derived = Some(derived);
        published
    }

    /// Brings to its end what is under way until `publishing` is ready, which may take a while and not for ever.
    async fn meanwhile(
        &mut self,
        session: &mut Session<P>,
        publishing: impl Future<Output = Result<(), SinkError>>,
    ) -> Result<(), Break> {
        let (mut publishing, limit) = (pin!(publishing), self.options.publish_within);
        let (until, mut commit_timer) = (Instant::now() + limit, Timer::new());
        loop {
            let commit_at = self.commits.keep_pace(&mut session.window, session.source.most_unacknowledged());
            tokio::select! {
                biased;
                published = &mut publishing => return Ok(published?),
                committed = self.commits.safe() => self.acknowledge(session, committed?).await?,
                () = commit_timer.at(commit_at) => {}
                done = session.pending.next() => self.dead_lettered(done)?,
                () = sleep_until(until) => return Err(SourceError::Unpublished(limit).into()),
            }
        }
    }

    fn reject(
        &mut self,
        session: &mut Session<P>,
        (handle, record): (Handle, &Record),
        reason: String,
        backtrace: Option<String>,
        cause: Cause,
    ) {
        let rejection = self.rejection(cause, reason, backtrace, record.attempt);
        session.dead_letter(handle.done(record, CountedAs::Dead), Some(record), rejection);
    }

    /// What is said of a delivery that is given up now.
    pub(super) fn rejection(
        &self,
        cause: Cause,
        reason: String,
        backtrace: Option<String>,
        attempts: u32,
    ) -> Rejection {
        let version = self.processing.descriptor().version.clone();
        let digest = self.processing.digest().to_owned();
        Rejection { cause, reason, backtrace, attempts, at: self.clock.now(), version, digest }
    }

    /// Takes in that a delivery is safe among the dead letters.
    pub(super) fn dead_lettered(
        &mut self,
        done: Result<(Done, Rejection), SourceError>,
    ) -> Result<(), Break> {
        // It comes again, and goes there again.
        let (done, rejection) = done.inspect_err(|_| self.at_least = Reads::Logs)?;
        self.progress.tell(ConsumerEvent::DeadLettered(&rejection));
        self.commits.note(done);
        Ok(())
    }
}

impl Task {
    pub(super) fn done(&self, counted_as: CountedAs) -> Done {
        self.handle.done(&self.record, counted_as)
    }
}

impl Handle {
    pub(super) fn done(&self, record: &Record, counted_as: CountedAs) -> Done {
        let Self { number, position } = *self;
        let Record { severity, undetermined, timestamp, .. } = *record;
        let log = FinishedLog { position, severity, undetermined, timestamp, counted_as };
        Done { number, what: FinishedKind::Log(log) }
    }
}
