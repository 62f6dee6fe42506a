//! Consuming: takes logs from a source, lets the consumer judge them, counts, acknowledges, reports.
//!
//! The acknowledgement comes last, after what the consumer publishes in turn has been confirmed: whatever ends the run before it, the log comes again.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::end::{End, Finished};
use super::held::Retries;
use super::ports::{
    Cause, Clock, Consumer, Delivery, Item, LogSink, LogSource, Receipt, Rejection, Report, ReportError,
    Reporter,
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
    /// Whether the marker has come: nothing more is taken.
    marked: bool,
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
            marked: false,
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
        let end = match end {
            // It would fail again.
            End::Report(_) => end,
            End::Shutdown | End::Enough | End::Marker => {
                self.report(true).await.map_or_else(End::from, |()| end)
            }
            End::Source(_) | End::Consumer(_) | End::Sink(_) => {
                // Why the run ended matters more than that this cannot be shown.
                let _ = self.report(true).await;
                end
            }
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
            if self.marked && self.retries.len() == 0 {
                return Ok(End::Marker);
            }
            let room = self.room(burst.len());
            let taking = room > 0 && !self.marked;
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
                    self.marked = burst.last().is_some_and(|delivery| delivery.item == Item::Marker);
                    let full = burst.len() >= self.options.max_batch || self.marked;
                    if full || self.options.batching == Batching::Arrived {
                        self.take(burst.drain(..)).await?;
                    }
                }
                () = sleep_until(tick_at.unwrap_or(last_log)), if tick_at.is_some() => {
                    last_log = Instant::now();
                    self.judge(Vec::new(), Vec::new()).await?;
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
        let mut finished = Vec::new();
        for Delivery { receipt, item } in burst {
            match item {
                Item::Log(record) if self.wants(&record) => {
                    batch.push((receipt, record));
                    continue;
                }
                // What an old binding brought is finished, and not counted.
                Item::Log(_) | Item::Marker => {}
                Item::Stray(exchange) => {
                    if !self.strays.contains(&exchange) {
                        self.reporter.stray(&self.consumer.descriptor().name, &exchange);
                        self.strays.insert(exchange);
                    }
                }
            }
            finished.push(receipt);
        }
        self.judge(batch, finished).await
    }

    fn wants(&self, record: &Record) -> bool {
        self.consumer.descriptor().filter.wants(record.severity, &record.source)
    }

    /// Tries again what is due.
    async fn retry(&mut self) -> Result<(), End> {
        let batch = self.retries.take_due(Instant::now(), self.options.max_batch);
        // These are not the next in the order of the queue, whatever becomes of them.
        self.judge(batch, Vec::new()).await
    }

    /// Asks the consumer, and does what it says: counts, holds for another attempt, or buries. Then
    /// acknowledges what is finished, and with it what was `finished` before.
    async fn judge(&mut self, batch: Vec<(Receipt, Record)>, mut finished: Vec<Receipt>) -> Result<(), End> {
        if let Some(latest) = batch.iter().map(|(_, record)| record.timestamp).max() {
            self.clock.witness(latest);
        }
        let in_order = self.retries.is_idle();
        let (logs, before) = (batch.len(), finished.len());
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
            finished.push(receipt);
        }
        if logs > 0 {
            let name = &self.consumer.descriptor().name;
            self.reporter.progress(name, finished.len() - before, self.retries.len());
        }
        self.acknowledge(finished, in_order && self.retries.is_idle()).await
    }

    /// Acknowledges what is finished: all at once, if these are all that is open (`alone`), or one by one.
    async fn acknowledge(&mut self, finished: Vec<Receipt>, alone: bool) -> Result<(), End> {
        if alone {
            if let Some(last) = finished.into_iter().max() {
                self.source.acknowledge_through(last).await?;
            }
            return Ok(());
        }
        for receipt in finished {
            self.source.acknowledge(receipt).await?;
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

    async fn report(&mut self, last: bool) -> Result<(), ReportError> {
        self.unreported = false;
        self.report_from = Instant::now() + self.options.every;
        let metric = Metric { now: self.clock.now(), counts: self.counts.clone() };
        let text = self.consumer.format_metric(&metric).await;
        let consumer = &self.consumer.descriptor().name;
        self.reporter.metric(&Report { consumer, counts: &self.counts, text, last })
    }
}
