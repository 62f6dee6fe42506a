//! Consuming: takes logs from a source, lets the consumer judge them, counts, acknowledges, reports.
//!
//! The acknowledgement comes last, after what the consumer publishes in turn has been confirmed: whatever ends the run before it, the log comes again.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::held::Retries;
use super::ports::{
    Cause, Clock, Consumer, ConsumerError, Delivery, Item, LogSink, LogSource, Receipt, Rejection, Report,
    ReportError, Reporter, SinkError, SourceError,
};
use super::publish::Publish;
use crate::domain::{Counts, MessageId, Metric, Outcome, Record, Verdict};

/// How a consumer is run.
#[derive(Clone, Debug)]
pub struct ConsumeOptions {
    /// The most logs that are taken, judged and acknowledged together; at least 1.
    pub max_batch: usize,
    /// When a batch is complete.
    pub batching: Batching,
    /// The least time between two metrics.
    pub every: Duration,
    /// How many logs to count before ending.
    pub max_logs: Option<u64>,
    /// How often a log is tried again before it goes to the dead letters.
    pub max_retries: u32,
    /// How many logs may wait for their next attempt; beyond that nothing new is taken. At least 1.
    pub max_held: usize,
}

/// When a batch is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batching {
    /// When there is no more at the moment: a batch never waits for a log that is not there.
    Arrived,
    /// When it is full, or the marker has come: the same batches at every run.
    Full,
}

/// How a run ended.
#[derive(Debug)]
pub struct Finished {
    /// What was counted.
    pub counts: Counts,
    /// Why it ended.
    pub end: End,
}

/// Why a run ended.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// It was asked to.
    #[error("asked to end")]
    Shutdown,
    /// It has counted as many logs as it should.
    #[error("counted enough")]
    Enough,
    /// The marker has come.
    #[error("reached the marker")]
    Marker,
    /// The source ended.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The consumer failed; what it had not finished stays in the queue.
    #[error(transparent)]
    Consumer(#[from] ConsumerError),
    /// A log that the consumer publishes could not be.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// Its metric could not be shown.
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// Runs one consumer.
pub struct Consume<S, C, K, R, D> {
    source: S,
    consumer: C,
    clock: K,
    reporter: R,
    derived: Option<Publish<D, K>>,
    options: ConsumeOptions,
    counts: Counts,
    retries: Retries,
    /// The highest receipt that was delivered.
    delivered: Receipt,
    /// The highest that was acknowledged; before the first, the one before the first delivery. None
    /// while there has been no delivery.
    acknowledged: Option<Receipt>,
    strays: HashSet<String>,
    /// When the next metric may be shown, and whether there is something new to show.
    report_from: Instant,
    unreported: bool,
}

impl<S: LogSource, C: Consumer, K: Clock, R: Reporter, D: LogSink> Consume<S, C, K, R, D> {
    /// Feeds `consumer` from `source`; what it publishes goes to `derived`, or nowhere.
    pub fn new(
        source: S,
        consumer: C,
        clock: K,
        reporter: R,
        derived: Option<Publish<D, K>>,
        options: ConsumeOptions,
    ) -> Self {
        let retries = Retries::new(options.max_retries);
        Self {
            source,
            consumer,
            clock,
            reporter,
            derived,
            options,
            counts: Counts::default(),
            retries,
            delivered: Receipt(0),
            acknowledged: None,
            strays: HashSet::new(),
            report_from: Instant::now(),
            unreported: false,
        }
    }

    /// Runs until `shutdown` is ready, or one of the other [ends](End). The batch in hand is finished
    /// and acknowledged, and the last metric shown, in every case in which that is possible.
    pub async fn run(mut self, shutdown: impl Future<Output = ()> + Send) -> Finished {
        let end = match self.until_end(shutdown).await {
            Ok(end) | Err(end) => end,
        };
        self.source.close().await;
        // A report that failed is not tried a second time.
        let end = match (self.report(true).await, end) {
            (Err(failed), End::Shutdown | End::Enough | End::Marker) => failed.into(),
            (_, end) => end,
        };
        Finished { counts: self.counts, end }
    }

    async fn until_end(&mut self, shutdown: impl Future<Output = ()> + Send) -> Result<End, End> {
        let mut shutdown = pin!(shutdown);
        let tick = self.consumer.descriptor().tick.filter(|_| self.consumer.processes());
        let mut burst = Vec::new();
        let mut last_log = Instant::now();
        loop {
            if self.options.max_logs.is_some_and(|max| self.counts.total() >= max) {
                return Ok(End::Enough);
            }
            let room = self.room(burst.len());
            let taking = room > 0;
            let tick_at = tick.map(|tick| last_log + tick);
            let retry_at = self.retries.due();
            tokio::select! {
                biased;
                () = &mut shutdown => return Ok(End::Shutdown),
                () = sleep_until(self.report_from), if self.unreported => self.report(false).await?,
                () = sleep_until(retry_at.unwrap_or(last_log)), if retry_at.is_some() => self.retry().await?,
                received = self.source.receive(&mut burst, room), if taking => {
                    received?;
                    last_log = Instant::now();
                    let marked = burst.last().is_some_and(|delivery| delivery.item == Item::Marker);
                    if self.options.batching == Batching::Full && burst.len() < self.options.max_batch && !marked {
                        continue;
                    }
                    self.take(burst.drain(..)).await?;
                    if marked {
                        return Ok(End::Marker);
                    }
                }
                () = sleep_until(tick_at.unwrap_or(last_log)), if tick_at.is_some() => {
                    last_log = Instant::now();
                    self.judge(Vec::new()).await?;
                }
            }
        }
    }

    /// How many more deliveries may be taken, `gathered` being in hand.
    fn room(&self, gathered: usize) -> usize {
        if self.retries.len() >= self.options.max_held {
            return 0;
        }
        let batch = self.options.max_batch - gathered;
        let wanted = self.options.max_logs.map_or(u64::MAX, |max| {
            max.saturating_sub(self.counts.total() + self.retries.len() as u64 + gathered as u64)
        });
        batch.min(usize::try_from(wanted).unwrap_or(usize::MAX))
    }

    /// Judges what was delivered, and acknowledges it.
    async fn take(&mut self, burst: impl Iterator<Item = Delivery>) -> Result<(), End> {
        let mut batch = Vec::new();
        for Delivery { receipt, item } in burst {
            self.delivered = receipt;
            self.acknowledged.get_or_insert(Receipt(receipt.0.saturating_sub(1)));
            match item {
                // What an old binding brought is finished, and not counted.
                Item::Log(record) => {
                    if self.consumer.descriptor().filter.wants(record.severity, &record.source) {
                        batch.push((receipt, record));
                    }
                }
                Item::Marker => {}
                Item::Stray(exchange) => {
                    if !self.strays.contains(&exchange) {
                        self.reporter.stray(&self.consumer.descriptor().name, &exchange);
                        self.strays.insert(exchange);
                    }
                }
            }
        }
        self.judge(batch).await?;
        self.acknowledge().await
    }

    /// Tries again what is due.
    async fn retry(&mut self) -> Result<(), End> {
        let batch = self.retries.take_due(Instant::now(), self.options.max_batch);
        self.judge(batch).await?;
        self.acknowledge().await
    }

    /// Asks the consumer, and does what it says: counts, holds for another attempt, or buries.
    async fn judge(&mut self, batch: Vec<(Receipt, Record)>) -> Result<(), End> {
        if let Some(latest) = batch.iter().map(|(_, record)| record.timestamp).max() {
            self.clock.witness(latest);
        }
        let (receipts, records): (Vec<Receipt>, Vec<Record>) = batch.into_iter().unzip();
        let mut outcomes: Vec<Option<Outcome>> = vec![None; records.len()];
        if self.consumer.processes() {
            let processed = self.consumer.process(self.clock.now(), &records).await?;
            for Verdict { index, outcome } in processed.verdicts {
                outcomes[index] = Some(outcome);
            }
            if let Some(derived) = self.derived.as_mut().filter(|_| !processed.publish.is_empty()) {
                derived.all(&processed.publish).await?;
            }
        }
        let logs = records.len() as u64;
        for ((receipt, record), outcome) in receipts.into_iter().zip(records).zip(outcomes) {
            self.unreported = true;
            let foreign = record.id.as_deref().is_none_or(|id| id.parse::<MessageId>().is_err());
            match outcome {
                None => self.counts.accept(record.severity, record.timestamp),
                Some(Outcome::Skip) => self.counts.skipped[record.severity] += 1,
                Some(Outcome::Reject(reason)) => self.bury(receipt, &record, reason, Cause::Rejected).await?,
                Some(Outcome::Retry(reason)) => match self.retries.hold(receipt, record, Instant::now()) {
                    None => continue,
                    Some(record) => self.bury(receipt, &record, reason, Cause::RetriesExhausted).await?,
                },
            }
            self.retries.forget(receipt);
            self.counts.without_id += u64::from(foreign);
        }
        if logs > 0 {
            self.reporter.progress(&self.consumer.descriptor().name, logs);
        }
        Ok(())
    }

    async fn bury(
        &mut self,
        receipt: Receipt,
        record: &Record,
        reason: String,
        cause: Cause,
    ) -> Result<(), End> {
        let rejection = Rejection { cause, reason, attempts: record.attempt, at: self.clock.now() };
        self.source.bury(receipt, &rejection).await?;
        self.counts.rejected[record.severity] += 1;
        Ok(())
    }

    /// Acknowledges everything below the first log that waits for another attempt.
    async fn acknowledge(&mut self) -> Result<(), End> {
        let finished = match self.retries.first() {
            Some(Receipt(held)) => Receipt(held - 1),
            None => self.delivered,
        };
        if self.acknowledged.is_some_and(|acknowledged| finished > acknowledged) {
            self.source.acknowledge(finished).await?;
            self.acknowledged = Some(finished);
        }
        Ok(())
    }

    async fn report(&mut self, last: bool) -> Result<(), ReportError> {
        self.unreported = false;
        self.report_from = Instant::now() + self.options.every;
        let metric = Metric { now: self.clock.now(), counts: self.counts.clone() };
        let text = self.consumer.format_metric(&metric).await;
        let consumer = &self.consumer.descriptor().name;
        self.reporter.metric(&Report { consumer, counts: &self.counts, text, last })
    }
}
