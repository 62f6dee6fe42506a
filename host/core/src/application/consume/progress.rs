//! What is reported of a consumer: what it does, what is counted and safe, and what was not counted.

use std::error::Error;
use std::time::Duration;

use tokio::time::Instant;

use crate::application::ports::{
    Aside, Cause, ConsumerError, DeadLettering, Load, Report, ReportError, Reporter, SourceError, State,
    Uncounted,
};
use crate::domain::{ConsumerName, Counts};

/// What a consumer's reporter is told.
pub(super) struct Progress<R> {
    reporter: R,
    consumer: ConsumerName,
    /// The least time between two metrics.
    every: Duration,
    /// What is counted and safe: nothing else is shown.
    counts: Counts,
    /// When the next metric may be shown, and whether there is something new to show.
    report_from: Instant,
    unreported: bool,
    /// What was said last of why there is no source.
    obstacle: Option<String>,
    /// Of which kinds it was said that deliveries are not counted, and where they went last.
    not_counted: Vec<Cause>,
    dead_lettering: DeadLettering,
}

impl<R: Reporter> Progress<R> {
    pub(super) fn new(reporter: R, consumer: ConsumerName, every: Duration) -> Self {
        Self {
            reporter,
            consumer,
            every,
            counts: Counts::default(),
            report_from: Instant::now(),
            unreported: false,
            obstacle: None,
            not_counted: Vec::new(),
            dead_lettering: DeadLettering::None,
        }
    }

    pub(super) fn say(&mut self, state: &State<'_>) {
        self.reporter.state(&self.consumer, state);
    }

    /// Says why the source has to be opened again, unless it could not be since for the same reason.
    pub(super) fn say_reopening(&mut self, error: &SourceError) {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        let obstacle = Some(format!("{error}: {cause}"));
        if self.obstacle != obstacle {
            self.say(&State::Reopening(error));
            self.obstacle = obstacle;
        }
    }

    /// Notes that the source is open.
    pub(super) fn opened(&mut self) {
        self.obstacle = None;
    }

    /// Says that a delivery is not counted, unless that was said of its kind.
    pub(super) fn say_not_counted(&mut self, cause: Cause, reason: &str, dead_lettering: DeadLettering) {
        if !self.not_counted.contains(&cause) {
            self.not_counted.push(cause);
            self.say(&State::NotCounted(reason, dead_lettering));
        }
        self.dead_lettering = dead_lettering;
    }

    /// Says what was not counted in the whole run.
    pub(super) fn say_left_uncounted(&mut self, uncounted: Uncounted) {
        if uncounted != Uncounted::default() {
            self.say(&State::LeftUncounted(uncounted, self.dead_lettering));
        }
    }

    /// Tells that so many logs are done with, and what the consumer has in hand.
    pub(super) fn tell(&mut self, finished: usize, load: Load) {
        self.reporter.progress(&self.consumer, finished, load);
    }

    /// Tells that the consumer is called for something else than logs, or is back.
    pub(super) fn tell_aside(&mut self, aside: Aside) {
        self.reporter.aside(&self.consumer, aside);
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
        last: bool,
    ) -> Result<(), ReportError> {
        let report = Report { consumer: &self.consumer, counts: &self.counts, text, last };
        self.reporter.metric(&report)
    }

    /// What is counted and safe, at the end.
    pub(super) fn into_counts(self) -> Counts {
        self.counts
    }
}
