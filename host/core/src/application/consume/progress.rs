//! What is reported of a consumer: what it does, what is counted and safe, and what was not counted.

use std::error::Error;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::application::ports::{
    Cause, ConsumerError, ConsumerEvent, DeadLettering, Event, NextOffset, Observer, Report, ReportError,
    Reporter, SourceError, Uncounted,
};
use crate::domain::{ConsumerName, Counts, Measures};

/// What others get to know of a consumer.
pub(super) struct Progress<R> {
    reporter: R,
    observer: Arc<dyn Observer>,
    consumer: ConsumerName,
    /// The least time between two metrics.
    every: Duration,
    /// What is counted and safe: nothing else is shown.
    counts: Counts,
    /// How many of the logs that were counted before this run had no id.
    without_id_before: u64,
    /// Whether streams were read.
    has_offsets: bool,
    /// When the next metric may be shown, and whether there is something new to show.
    report_from: Instant,
    unreported: bool,
    /// How much memory it was told last that the consumer has.
    memory: u64,
    /// What was said last of why there is no source.
    obstacle: Option<String>,
    /// Of which kinds it was said that deliveries are not counted, and where they went last.
    not_counted: Vec<Cause>,
    dead_lettering: DeadLettering,
}

impl<R: Reporter> Progress<R> {
    pub(super) fn new(
        reporter: R,
        observer: Arc<dyn Observer>,
        consumer: ConsumerName,
        every: Duration,
    ) -> Self {
        Self {
            reporter,
            observer,
            consumer,
            every,
            counts: Counts::default(),
            without_id_before: 0,
            has_offsets: false,
            report_from: Instant::now(),
            unreported: false,
            memory: 0,
            obstacle: None,
            not_counted: Vec::new(),
            dead_lettering: DeadLettering::None,
        }
    }

    /// Tells that something has happened to the consumer.
    pub(super) fn tell(&self, event: ConsumerEvent<'_>) {
        self.observer.observe(&Event::Consumer(&self.consumer, event));
    }

    /// Tells how much memory the consumer has, in bytes, unless that is as it was.
    pub(super) fn memory(&mut self, bytes: u64) {
        if mem::replace(&mut self.memory, bytes) != bytes {
            self.tell(ConsumerEvent::Memory(bytes));
        }
    }

    /// Tells why the source has to be opened again, unless it could not be since for the same reason.
    pub(super) fn reopening(&mut self, error: &SourceError) {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        let obstacle = Some(format!("{error}: {cause}"));
        if self.obstacle != obstacle {
            self.tell(ConsumerEvent::Reopening(error));
            self.obstacle = obstacle;
        }
    }

    /// Notes that the source is open.
    pub(super) fn opened(&mut self) {
        self.obstacle = None;
    }

    /// Tells that a delivery is not counted, unless that was told of its kind.
    pub(super) fn not_counted(&mut self, cause: Cause, reason: &str, dead_lettering: DeadLettering) {
        if !self.not_counted.contains(&cause) {
            self.not_counted.push(cause);
            self.tell(ConsumerEvent::NotCounted(reason, dead_lettering));
        }
        self.dead_lettering = dead_lettering;
    }

    /// Tells what was not counted in the whole run.
    pub(super) fn left_uncounted(&self, uncounted: Uncounted, passed_by: u64) {
        if passed_by > 0 {
            self.tell(ConsumerEvent::PassedBy(passed_by));
        }
        if uncounted != Uncounted::default() {
            self.tell(ConsumerEvent::LeftUncounted(uncounted, self.dead_lettering));
        }
    }

    /// Tells how many logs of the whole run had no id, where that does not matter.
    pub(super) fn counted_by_offset(&self) {
        let without_id = self.counts.without_id.saturating_sub(self.without_id_before);
        if self.has_offsets && without_id > 0 {
            self.tell(ConsumerEvent::CountedByOffset(without_id));
        }
    }

    /// Tells how far streams are finished, if some are read.
    pub(super) fn streams_committed(&mut self, offsets: &[NextOffset]) {
        if !offsets.is_empty() {
            self.has_offsets = true;
            self.tell(ConsumerEvent::StreamsCommitted(offsets));
        }
    }

    /// Takes in what was counted before this run.
    pub(super) fn begin(&mut self, counts: Counts) {
        self.without_id_before = counts.without_id;
        self.counts = counts;
    }

    /// Takes in what is counted, and whether that is to be shown.
    pub(super) fn counted(&mut self, counts: Counts, news: bool) {
        self.counts = counts;
        self.unreported |= news;
    }

    /// What is counted and safe.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// When the next metric is to be shown, if there is something new.
    pub(super) fn due(&self) -> Option<Instant> {
        self.unreported.then_some(self.report_from)
    }

    /// Notes that a metric is being written of what is counted now.
    pub(super) fn begin_report(&mut self) {
        self.unreported = false;
        self.report_from = Instant::now() + self.every;
    }

    /// Shows a metric, or why there is none.
    pub(super) fn report(
        &mut self,
        text: Result<String, ConsumerError>,
        measures: Option<Result<&Measures, &ConsumerError>>,
        last: bool,
    ) -> Result<(), ReportError> {
        self.reporter.metric(&Report {
            consumer: &self.consumer,
            counts: &self.counts,
            has_offsets: self.has_offsets,
            text,
            measures,
            last,
        })
    }

    /// What is counted and safe, at the end.
    pub(super) fn into_counts(self) -> Counts {
        self.counts
    }
}
