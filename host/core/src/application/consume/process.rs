//! Judging logs: asks the consumer, does what it says, and finds the one log that it fails at.

use std::pin::{Pin, pin};

use futures_util::StreamExt;
use tokio::time::{Instant, sleep_until};

use super::commit::safe;
use super::{Break, Consume, Ports, SourceOf};
use crate::application::End;
use crate::application::ports::{
    Cause, Clock, Consumer, ConsumerError, LogSource, Reads, Receipt, Rejection, SinkError, SourceError,
    State,
};
use crate::domain::{Fate, Log, Outcome, Place, Processed, Record, Settled, Verdict};

/// A log to be judged.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) handle: Handle,
    pub(super) record: Record,
}

/// A log, but for what it says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handle {
    pub(super) receipt: Receipt,
    pub(super) place: Option<Place>,
}

/// Logs that are judged together; apart, because the consumer is shown the records in one piece.
#[derive(Debug, Default)]
pub(super) struct Batch {
    handles: Vec<Handle>,
    records: Vec<Record>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    fn tasks(self) -> impl Iterator<Item = Task> {
        self.handles.into_iter().zip(self.records).map(|(handle, record)| Task { handle, record })
    }

    fn split_off(&mut self, at: usize) -> Self {
        Self { handles: self.handles.split_off(at), records: self.records.split_off(at) }
    }
}

impl Extend<Task> for Batch {
    fn extend<T: IntoIterator<Item = Task>>(&mut self, tasks: T) {
        for Task { handle, record } in tasks {
            self.handles.push(handle);
            self.records.push(record);
        }
    }
}

/// A delivery on its way to the dead letters; ready when it is safe there.
pub(super) type PendingDeadLetter = Pin<Box<dyn Future<Output = Result<Done, SourceError>> + Send>>;

/// A delivery that is finished, and what is entered of it.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) receipt: Receipt,
    pub(super) entry: Entry,
}

/// What the book is told of a delivery.
#[derive(Debug)]
pub(super) enum Entry {
    Log(Settled),
    /// It was no log.
    Foreign,
}

/// What the consumer says of a batch, and what it keeps then, if it keeps something.
type Judged = (Processed, Option<Vec<u8>>);

/// Consumers fail at these before they have seen a log.
const BEFORE_ANY_LOG: [&str; 2] = ["configure", "restore"];

impl<P: Ports> Consume<P> {
    /// Asks the consumer about `batch`, or about nothing at a tick. A batch that it fails at is halved until
    /// the one log stands alone that does it; each time the consumer starts afresh from what it saved last.
    pub(super) async fn process(&mut self, source: &mut SourceOf<P>, batch: Batch) -> Result<(), Break> {
        if let Some(latest) = batch.records.iter().map(|record| record.timestamp).max() {
            self.clock.witness(latest);
        }
        if !self.consumer.processes() {
            batch.tasks().for_each(|task| self.done(&task, Fate::Accepted));
            return Ok(());
        }
        let mut pending = vec![batch];
        while let Some(mut batch) = pending.pop() {
            match self.ask(source, &batch.records).await? {
                Ok((processed, state)) => {
                    self.carry_out(source, batch, processed);
                    self.staged.checkpoint = state.or(self.staged.checkpoint.take());
                }
                Err(error) if BEFORE_ANY_LOG.contains(&error.call) => return Err(Break::Stopped(error)),
                Err(_) if batch.records.len() > 1 => {
                    let rest = batch.split_off(batch.records.len() / 2);
                    pending.extend([rest, batch]);
                }
                Err(error) => {
                    self.say(&State::Failed(&error, batch.records.first()));
                    for task in batch.tasks() {
                        let backtrace = error.backtrace.clone();
                        self.reject(source, &task, error.to_string(), backtrace, Cause::Trapped);
                    }
                    if self.breaker.failed() || self.trial.is_some() {
                        return Err(Break::Stopped(error));
                    }
                }
            }
        }
        Ok(())
    }

    /// Shows the consumer the records, and publishes what it says. What no broker takes is the consumer's failure, as it
    /// would fail again: then it goes on from what it saved before.
    async fn ask(
        &mut self,
        source: &mut SourceOf<P>,
        records: &[Record],
    ) -> Result<Result<Judged, ConsumerError>, Break> {
        let (mut processed, state) = match self.judge(records).await {
            Ok(judged) => judged,
            Err(error) => return Ok(Err(error)),
        };
        let before = state.clone().map(|state| self.saved.replace(state));
        let hops = records.iter().map(|record| record.hops).max().map_or(0, |hops| hops.saturating_add(1));
        processed.publish.iter_mut().for_each(|log| log.hops = hops);
        match self.publish(source, &processed.publish).await {
            Ok(()) => Ok(Ok((processed, state))),
            Err(Break::End(End::Sink(SinkError::NotTaken(why)))) => {
                if let Some(before) = before {
                    self.saved = before;
                }
                if let Err(error) = self.consumer.restore(self.saved.as_deref()).await {
                    return Ok(Err(error));
                }
                let reason = format!("the broker does not take a log that it publishes: {why}");
                Ok(Err(ConsumerError { call: "process", reason, backtrace: None }))
            }
            Err(broke) => Err(broke),
        }
    }

    /// Has the consumer judge the records, and save what it keeps: only then has it seen them.
    async fn judge(&mut self, records: &[Record]) -> Result<Judged, ConsumerError> {
        let processed = self.consumer.process(self.clock.now(), records).await?;
        let state = if self.consumer.keeps_state() { Some(self.consumer.save().await?) } else { None };
        Ok((processed, state))
    }

    /// Does what the consumer says of `batch`: counts, holds for another attempt, or buries.
    fn carry_out(&mut self, source: &mut SourceOf<P>, batch: Batch, processed: Processed) {
        let logs = batch.records.len();
        self.breaker.passed(logs);
        if self.trial.take_if(|_| logs > 0).is_some() {
            self.breaker.reset();
            self.say(&State::Recovered);
        }
        let mut outcomes: Vec<Option<Outcome>> = vec![None; logs];
        for Verdict { index, outcome } in processed.verdicts {
            outcomes[index] = Some(outcome);
        }
        for (task, outcome) in batch.tasks().zip(outcomes) {
            match outcome {
                None => self.done(&task, Fate::Accepted),
                Some(Outcome::Skip) => self.done(&task, Fate::Skipped),
                Some(Outcome::Reject(reason)) => self.reject(source, &task, reason, None, Cause::Rejected),
                Some(Outcome::Retry(reason)) => {
                    if let Some(task) = self.retries.hold(task, Instant::now()) {
                        self.reject(source, &task, reason, None, Cause::RetriesExhausted);
                    }
                }
            }
        }
        // A tick is no sign of life.
        if logs > 0 {
            self.tell_progress(0);
        }
    }

    /// Publishes what the consumer says. Meanwhile what is finished is committed and acknowledged: they may go to a
    /// queue that is full until then.
    async fn publish(&mut self, source: &mut SourceOf<P>, logs: &[Log]) -> Result<(), Break> {
        let Some(mut derived) = self.derived.take_if(|_| !logs.is_empty()) else { return Ok(()) };
        let before = derived.receipts().confirmed.total();
        let published = match self.meanwhile(source, derived.all(logs)).await {
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
        source: &mut SourceOf<P>,
        publishing: impl Future<Output = Result<(), SinkError>>,
    ) -> Result<(), Break> {
        let (mut publishing, patience) = (pin!(publishing), self.options.publish_within);
        let until = Instant::now() + patience;
        loop {
            let commit_at = self.keep_pace();
            tokio::select! {
                biased;
                published = &mut publishing => return Ok(published?),
                done = safe(self.commit.as_mut()) => {
                    done?;
                    self.acknowledge(source).await?;
                }
                () = sleep_until(commit_at.unwrap_or(until)), if commit_at.is_some() => {}
                Some(dead_lettered) = self.pending_dead_letters.next(), if !self.pending_dead_letters.is_empty() => self.dead_lettered(dead_lettered)?,
                () = sleep_until(until) => return Err(SourceError::Unpublished(patience).into()),
            }
        }
    }

    fn done(&mut self, task: &Task, fate: Fate) {
        self.retries.forget(task.handle.receipt);
        self.stage(task.done(fate));
    }

    fn reject(
        &mut self,
        source: &mut SourceOf<P>,
        task: &Task,
        reason: String,
        backtrace: Option<String>,
        cause: Cause,
    ) {
        let rejection = self.rejection(cause, reason, backtrace, task.record.attempt);
        self.dead_letter(source, task.done(Fate::Dead), &rejection);
    }

    /// What is said of a delivery that is given up now.
    pub(super) fn rejection(
        &self,
        cause: Cause,
        reason: String,
        backtrace: Option<String>,
        attempts: u32,
    ) -> Rejection {
        let (version, digest) =
            (self.consumer.descriptor().version.clone(), self.consumer.digest().to_owned());
        Rejection { cause, reason, backtrace, attempts, at: self.clock.now(), version, digest }
    }

    /// Sends a delivery to the dead letters; it is `done` when it is safe there.
    pub(super) fn dead_letter(&mut self, source: &mut SourceOf<P>, done: Done, rejection: &Rejection) {
        let dead_lettering = source.dead_letter(done.receipt, rejection);
        self.pending_dead_letters.push(Box::pin(async move {
            dead_lettering.await?;
            Ok(done)
        }));
    }

    /// Takes in that a delivery is safe among the dead letters.
    pub(super) fn dead_lettered(&mut self, dead_lettered: Result<Done, SourceError>) -> Result<(), Break> {
        // It comes again, and goes there again.
        let done = dead_lettered.inspect_err(|_| self.at_least = Reads::Logs)?;
        self.retries.forget(done.receipt);
        self.stage(done);
        Ok(())
    }
}

impl Task {
    pub(super) fn done(&self, fate: Fate) -> Done {
        let Handle { receipt, place } = self.handle;
        let Record { severity, timestamp, .. } = self.record;
        Done { receipt, entry: Entry::Log(Settled { place, severity, timestamp, fate }) }
    }
}
