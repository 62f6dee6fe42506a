//! What is known of a consumer.

use std::error::Error;
use std::iter::successors;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loghost_core::application::{Cause, Clock, ConsumerError, ConsumerEvent, Load, NextOffset, SystemClock};
use loghost_core::domain::{Counts, Descriptor, Measures, Severities, Tally};

use crate::dead_letters::LastDeadLetters;
use crate::histogram::{Histogram, LOGS, SECONDS};
use crate::history::History;
use crate::metrics::Since;
use crate::state::State;
use crate::text::{MOST_METRIC, beginning};

/// A consumer, and what it has done in this run.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Its version, when it is known.
    pub version: String,
    /// SHA-256 of its code, when it is known.
    pub digest: String,
    /// What it is configured with.
    pub settings: Vec<(String, String)>,
    /// The severities that it wants, when they are known.
    pub severities: Severities,
    /// What it does.
    pub state: State,
    /// Why it is in this state, where that is not as it should be.
    pub reason: Option<String>,
    /// Since when, in milliseconds since the Unix epoch.
    pub since: u64,
    /// Why it failed last, if it did.
    pub last_failure: Option<String>,
    /// Where in its code that was, one frame a line, if it is known.
    pub backtrace: Option<String>,
    /// The metric that it wrote last, in its own words, or as much of it as is kept; or why it has none.
    pub metric: Option<Result<String, String>>,
    /// Bytes of memory that its plugin has; 0 while there is no instance of it.
    pub memory: u64,
    /// What it has measured last, or why it could not; none if it has no figures of its own.
    pub measures: Option<Result<Arc<Measures>, String>>,
    /// How often it could not.
    pub measure_failures: u64,
    /// What is counted and safe, over all runs that share a state.
    pub counts: Counts,
    /// Since when that is counted.
    pub counted_since: Since,
    /// How far its streams are finished, which is safe.
    pub offsets: Vec<NextOffset>,
    /// What it has in hand.
    pub load: Load,
    /// Deliveries taken from its source.
    pub deliveries: u64,
    /// The logs among them, repetitions included.
    pub received: Tally,
    /// The same, lately.
    pub history: History,
    /// Deliveries that need not come again.
    pub acknowledged: u64,
    /// Its calls, in seconds.
    pub calls: Histogram,
    /// The logs in each call that had some.
    pub batches: Histogram,
    /// Calls that it failed at.
    pub traps: u64,
    /// Logs that it wanted to try again, each time.
    pub retries: u64,
    /// How often it was stopped because it kept failing.
    pub stops: u64,
    /// How often it took no more because too many logs waited.
    pub saturations: u64,
    /// New versions that have taken over.
    pub reloads: u64,
    /// New versions that could not.
    pub reloads_refused: u64,
    /// Its commits, in seconds.
    pub commits: Histogram,
    /// The deliveries that went to the dead letters last.
    pub last_dead_letters: LastDeadLetters,
    dead_letters: [u64; Cause::ALL.len()],
}

impl Default for Consumer {
    fn default() -> Self {
        Self {
            version: String::new(),
            digest: String::new(),
            settings: Vec::new(),
            severities: Severities::default(),
            state: State::Opening,
            reason: Some("is being started".to_owned()),
            since: now(),
            last_failure: None,
            backtrace: None,
            metric: None,
            memory: 0,
            measures: None,
            measure_failures: 0,
            counts: Counts::default(),
            counted_since: Since::Run,
            offsets: Vec::new(),
            load: Load::default(),
            deliveries: 0,
            received: Tally::default(),
            history: History::default(),
            acknowledged: 0,
            calls: Histogram::new(SECONDS),
            batches: Histogram::new(LOGS),
            traps: 0,
            retries: 0,
            stops: 0,
            saturations: 0,
            reloads: 0,
            reloads_refused: 0,
            commits: Histogram::new(SECONDS),
            last_dead_letters: LastDeadLetters::default(),
            dead_letters: [0; Cause::ALL.len()],
        }
    }
}

impl Consumer {
    /// How many of its deliveries are among the dead letters, for each cause.
    pub fn dead_letters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Cause::ALL.into_iter().map(Cause::as_str).zip(self.dead_letters)
    }

    /// Whether somebody who wants to know its figures can ask for them.
    pub fn can_measure(&self) -> bool {
        self.measures.is_some() && self.state.can_measure()
    }

    pub(crate) fn note(&mut self, event: &ConsumerEvent<'_>) {
        let is_stopped = self.state == State::Stopped;
        match event {
            ConsumerEvent::Opening { descriptor, digest, counts } => {
                self.describe(descriptor, digest);
                self.counts = (*counts).clone();
                self.counted_since = if self.counts == Counts::default() { Since::Run } else { Since::Before };
                self.enter(State::Opening, Some("its queue is being opened".to_owned()));
            }
            // One log is tried of one that was stopped.
            ConsumerEvent::Consuming(_) if is_stopped => {}
            ConsumerEvent::Consuming(_) | ConsumerEvent::Recovered => self.enter(State::Consuming, None),
            ConsumerEvent::StandingBy => self.enter(State::StandingBy, None),
            ConsumerEvent::Reopening(error) if !is_stopped => {
                self.enter(State::Opening, Some(chain(*error)));
            }
            ConsumerEvent::Received { deliveries, logs } => {
                self.deliveries += *deliveries as u64;
                self.received += *logs;
                self.history.add(Instant::now(), *logs);
            }
            ConsumerEvent::Processed { logs, took } => {
                self.calls.add(took.as_secs_f64());
                if *logs > 0 {
                    self.batches.add(precise(*logs));
                }
            }
            ConsumerEvent::Trapped { .. } => self.traps += 1,
            ConsumerEvent::Failed(error, _) => self.has_failed(error),
            ConsumerEvent::Retrying(logs) => self.retries += *logs as u64,
            ConsumerEvent::DeadLettered(rejection) => {
                if let Some(at) = Cause::ALL.iter().position(|cause| *cause == rejection.cause) {
                    self.dead_letters[at] += 1;
                    self.last_dead_letters.add(rejection.cause.as_str(), rejection);
                }
            }
            ConsumerEvent::Committed { counts, took, .. } => {
                self.counts.clone_from(counts);
                self.commits.add(took.as_secs_f64());
            }
            ConsumerEvent::StreamsCommitted(offsets) => (*offsets).clone_into(&mut self.offsets),
            ConsumerEvent::Acknowledged { deliveries, load } => {
                self.acknowledged += *deliveries as u64;
                self.load = *load;
            }
            ConsumerEvent::Stopped(error, delay) => {
                self.stops += 1;
                self.has_failed(error);
                let again = humantime::format_duration(Duration::from_secs(delay.as_secs()));
                let reason = format!("keeps failing, and is tried again after {again}: {error}");
                self.enter(State::Stopped, Some(reason));
            }
            ConsumerEvent::Saturated(_) => self.saturations += 1,
            ConsumerEvent::Reloaded(descriptor, digest) => {
                self.reloads += 1;
                self.describe(descriptor, digest);
                if is_stopped {
                    self.enter(State::Opening, Some("a new version begins".to_owned()));
                }
            }
            ConsumerEvent::ReloadRefused(_) => self.reloads_refused += 1,
            ConsumerEvent::Ended(error) => {
                let reason = error.map_or_else(|| "has ended".to_owned(), chain);
                self.enter(State::Ended, Some(reason));
            }
            ConsumerEvent::Reported(metric) => {
                let metric = metric.map(|text| beginning(text, MOST_METRIC));
                self.metric = Some(metric.map_err(|error| beginning(&error.to_string(), MOST_METRIC)));
            }
            ConsumerEvent::Memory(bytes) => self.memory = *bytes,
            ConsumerEvent::Measured(measured) => {
                self.measure_failures += u64::from(measured.is_err());
                let measured = measured.map(Arc::clone);
                self.measures = Some(measured.map_err(|error| beginning(&error.to_string(), MOST_METRIC)));
            }
            ConsumerEvent::Paused => {
                self.enter(
                    State::Paused,
                    Some("was paused, and takes no logs until it is resumed".to_owned()),
                );
            }
            ConsumerEvent::Resumed => {
                self.enter(State::Opening, Some("its queue is being opened".to_owned()));
            }
            ConsumerEvent::Reopening(_)
            | ConsumerEvent::CallBegins
            | ConsumerEvent::CallEnds
            | ConsumerEvent::NotCounted(..)
            | ConsumerEvent::LeftUncounted(..)
            | ConsumerEvent::PassedBy(_)
            // These are among the counts.
            | ConsumerEvent::CountedByOffset(_)
            | ConsumerEvent::Removed(_)
            | ConsumerEvent::Traced(_) => {}
        }
    }

    fn describe(&mut self, descriptor: &Descriptor, digest: &str) {
        self.version.clone_from(&descriptor.version);
        digest.clone_into(&mut self.digest);
        self.severities = descriptor.filter.severities();
        self.measures = None;
    }

    fn has_failed(&mut self, error: &ConsumerError) {
        self.last_failure = Some(error.to_string());
        self.backtrace.clone_from(&error.backtrace);
    }

    fn enter(&mut self, state: State, reason: Option<String>) {
        if self.state != state {
            self.since = now();
        }
        (self.state, self.reason) = (state, reason);
    }
}

/// A number of logs as a value of a histogram: batches are far smaller than what is exact there.
fn precise(logs: usize) -> f64 {
    f64::from(u32::try_from(logs).unwrap_or(u32::MAX))
}

/// The time in milliseconds since the Unix epoch.
fn now() -> u64 {
    SystemClock.now().as_millis()
}

/// An error and its causes, in a line.
fn chain(error: &(dyn Error + 'static)) -> String {
    successors(error.source(), |error| (*error).source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
