//! One consumer that is shown logs of the past.

use std::collections::BTreeMap;

use super::{ReplayOptions, Replayed};
use crate::application::consume::{BEFORE_ANY_LOG, Batch, Handle, Processing, looped};
use crate::application::end::End;
use crate::application::ports::{
    Answer, Cause, Clock, Consumer, ConsumerError, Fate, LogSink, PastLog, SinkError,
};
use crate::application::publish::Publish;
use crate::domain::{
    Book, Claim, ConsumerName, CountedAs, FinishedLog, IntervalSet, Log, Metric, OriginPosition, Outcome,
    Processed, Record, Timestamp,
};

/// A consumer, and what was counted for it.
pub(super) struct Replaying<C, S, K> {
    processing: Processing<C>,
    book: Book,
    /// Publishes what it wants published; none if that goes nowhere.
    derived: Option<Publish<S, K>>,
    max_retries: u32,
    /// The time of the latest log that it was shown.
    latest: Timestamp,
    stopped: Option<ConsumerError>,
}

impl<C: Consumer, S: LogSink, K: Clock> Replaying<C, S, K> {
    pub(super) fn new(consumer: C, derived: Option<Publish<S, K>>, options: ReplayOptions) -> Self {
        Self {
            processing: Processing::new(consumer, options.tolerance),
            book: Book::default(),
            derived,
            max_retries: options.max_retries,
            latest: Timestamp::default(),
            stopped: None,
        }
    }

    pub(super) fn name(&self) -> &ConsumerName {
        &self.processing.descriptor().name
    }

    /// Whether it kept failing: it is shown nothing more.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Shows it what it wants of `logs`, and counts that. What becomes of each of them, in their order.
    pub(super) async fn answer(&mut self, logs: &[PastLog]) -> Result<Vec<Answer>, End> {
        let mut answers = vec![Answer::default(); logs.len()];
        if self.is_stopped() {
            return Ok(answers);
        }
        // By the number of their origin: mostly there is one, and its logs follow each other.
        let mut seen: BTreeMap<usize, IntervalSet> = BTreeMap::new();
        let mut is_first = |OriginPosition { origin, sequence }: OriginPosition| {
            seen.entry(origin).or_default().insert(sequence)
        };
        let mut handles = Vec::with_capacity(logs.len());
        for ((index, PastLog { position, log }), answer) in logs.iter().enumerate().zip(&mut answers) {
            let filter = &self.processing.descriptor().filter;
            let record = match log {
                Ok(record) if !filter.wants(record.severity, record.routing_key()) => continue,
                Ok(record) => record,
                Err(_)
                    if position.severity.is_some_and(|severity| !filter.severities().contains(severity)) =>
                {
                    continue;
                }
                Err(how) => {
                    answer.fate = Fate::Dead(Cause::Foreign, how.clone());
                    self.book.note_foreign(1);
                    continue;
                }
            };
            answer.attempts = 1;
            let position = match self.book.look_up(record, record.timestamp) {
                Claim::New(position) if position.is_none_or(&mut is_first) => position,
                Claim::New(_) | Claim::Repeated => {
                    answer.fate = Fate::Repeated;
                    self.book.repeat(1);
                    continue;
                }
            };
            self.latest = self.latest.max(record.timestamp);
            answer.fate = match looped(self.processing.descriptor(), record) {
                Some(why) => Fate::Dead(Cause::Looped, why),
                None => Fate::Accepted,
            };
            handles.push(Handle { number: index as u64, position });
        }
        if self.processing.processes() {
            self.show(logs, &handles, &mut answers).await?;
        }
        self.count(logs, &handles, &answers);
        Ok(answers)
    }

    /// Shows it those of the `logs` that have a handle and are not given up, and tries again at once what it wants to retry.
    async fn show(
        &mut self,
        logs: &[PastLog],
        handles: &[Handle],
        answers: &mut [Answer],
    ) -> Result<(), End> {
        let mut due = Batch::default();
        for handle in handles {
            let index = index_of(*handle);
            if let (Fate::Accepted, Ok(record)) = (&answers[index].fate, &logs[index].log) {
                due.push(*handle, record.clone());
            }
        }
        while !due.is_empty() {
            let (mut pending, mut again) = (vec![due], Batch::default());
            while let Some(mut batch) = pending.pop() {
                match self.ask(batch.records()).await? {
                    Ok(processed) => {
                        self.processing.passed(batch.records().len());
                        carry_out(&batch, processed, (answers, &mut again), self.max_retries);
                    }
                    Err(error) if BEFORE_ANY_LOG.contains(&error.call) => {
                        self.stop(error, pending.into_iter().chain([batch, again]), answers);
                        return Ok(());
                    }
                    Err(_) if batch.records().len() > 1 => {
                        let rest = batch.split_off(batch.records().len() / 2);
                        pending.extend([rest, batch]);
                    }
                    Err(error) => {
                        for (handle, _) in batch.logs() {
                            answers[index_of(handle)].fate = Fate::Dead(Cause::Trapped, error.to_string());
                        }
                        if self.processing.failed() {
                            self.stop(error, pending.into_iter().chain([again]), answers);
                            return Ok(());
                        }
                    }
                }
            }
            due = again;
        }
        Ok(())
    }

    /// Shows it records, and publishes what it says, if that goes anywhere. What no broker takes is its own failure.
    async fn ask(&mut self, records: &[Record]) -> Result<Result<Processed, ConsumerError>, End> {
        let (processed, _) = match self.processing.process(self.latest, records).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        let Some(derived) = self.derived.as_mut().filter(|_| !processed.publish.is_empty()) else {
            return Ok(Ok(processed));
        };
        match derived.all(&processed.publish).await {
            Ok(()) => Ok(Ok(processed)),
            Err(SinkError::NotTaken(why)) => {
                derived.give_up();
                Ok(Err(self.processing.not_taken(&why).await))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Stops it: it was not shown the rest.
    fn stop(&mut self, error: ConsumerError, rest: impl IntoIterator<Item = Batch>, answers: &mut [Answer]) {
        for batch in rest {
            for (handle, _) in batch.logs() {
                answers[index_of(handle)] = Answer { fate: Fate::Unseen, ..Answer::default() };
            }
        }
        self.stopped = Some(error);
    }

    /// Counts what became of the logs that have a handle.
    fn count(&mut self, logs: &[PastLog], handles: &[Handle], answers: &[Answer]) {
        let finished = |handle: &Handle| {
            let counted_as = match answers[index_of(*handle)].fate {
                Fate::Accepted => CountedAs::Accepted,
                Fate::Skipped => CountedAs::Skipped,
                Fate::Dead(..) => CountedAs::Dead,
                Fate::Unwanted | Fate::Unseen | Fate::Repeated => return None,
            };
            let Record { severity, undetermined, timestamp, .. } =
                *logs[index_of(*handle)].log.as_ref().ok()?;
            Some(FinishedLog { position: handle.position, severity, undetermined, timestamp, counted_as })
        };
        let finished: Vec<FinishedLog> = handles.iter().filter_map(finished).collect();
        self.book.finish(&finished, self.latest);
    }

    /// Has it write its metric.
    pub(super) async fn finish(mut self) -> Replayed {
        let metric = Metric { now: self.latest, counts: self.book.counts().clone() };
        let text = self.processing.consumer().format_metric(&metric).await;
        let descriptor = self.processing.descriptor();
        Replayed {
            consumer: descriptor.name.clone(),
            version: descriptor.version.clone(),
            counts: metric.counts,
            text,
            stopped: self.stopped,
        }
    }
}

/// Does what a consumer says of `batch`; what it wants to retry is due `again`, unless it has been tried often enough.
fn carry_out(
    batch: &Batch,
    Processed { mut verdicts, publish }: Processed,
    (answers, again): (&mut [Answer], &mut Batch),
    max_retries: u32,
) {
    verdicts.sort_unstable_by_key(|verdict| verdict.index);
    let mut verdicts = verdicts.into_iter().peekable();
    let is_alone = batch.records().len() == 1;
    let mut publish: Vec<Log> = publish;
    for (index, (handle, record)) in batch.logs().enumerate() {
        let answer = &mut answers[index_of(handle)];
        answer.attempts = record.attempt;
        if is_alone {
            answer.publishes.append(&mut publish);
        }
        let verdict = verdicts.next_if(|verdict| verdict.index == index);
        answer.fate = match verdict.map(|verdict| verdict.outcome) {
            None => Fate::Accepted,
            Some(Outcome::Skip) => Fate::Skipped,
            Some(Outcome::Reject(reason)) => Fate::Dead(Cause::Rejected, reason),
            Some(Outcome::Retry(_)) if record.attempt <= max_retries => {
                again.push(handle, Record { attempt: record.attempt + 1, ..record.clone() });
                continue;
            }
            Some(Outcome::Retry(reason)) => Fate::Dead(Cause::RetriesExhausted, reason),
        };
    }
}

/// The index of a log among those that were read together.
fn index_of(handle: Handle) -> usize {
    usize::try_from(handle.number).unwrap_or(usize::MAX)
}
