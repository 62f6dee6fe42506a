//! What is known of a consumer.

use std::error::Error;
use std::iter::successors;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use loghost_core::application::{Cause, ConsumerEvent, Load};
use loghost_core::domain::{Counts, Tally};

use super::histogram::{Histogram, LOGS, SECONDS};

/// A consumer, and what it has done in this run.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    /// Its version, when it is known.
    pub(crate) version: String,
    /// SHA-256 of its code, when it is known.
    pub(crate) digest: String,
    pub(crate) state: State,
    /// Why it is in this state, where that is not as it should be.
    pub(crate) reason: Option<String>,
    /// Since when, in milliseconds since the Unix epoch.
    pub(crate) since: u64,
    /// Why it failed last, if it did.
    pub(crate) last_failure: Option<String>,
    /// What is counted and safe, over all runs that share a state.
    pub(crate) counts: Counts,
    pub(crate) load: Load,
    /// Deliveries taken from its source, and the logs among them.
    pub(crate) deliveries: u64,
    pub(crate) received: Tally,
    pub(crate) acknowledged: u64,
    /// Its calls, in seconds, and the logs in each that had some.
    pub(crate) calls: Histogram,
    pub(crate) batches: Histogram,
    pub(crate) traps: u64,
    pub(crate) retries: u64,
    pub(crate) stops: u64,
    pub(crate) pauses: u64,
    pub(crate) reloads: u64,
    pub(crate) reloads_refused: u64,
    /// Its commits, in seconds.
    pub(crate) commits: Histogram,
    dead_letters: [u64; CAUSES.len()],
}

/// What a consumer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is being started, or its source is being opened.
    Opening,
    Consuming,
    StandingBy,
    /// It keeps failing, and is left alone.
    Stopped,
    Ended,
}

impl State {
    pub(crate) const ALL: [Self; 5] =
        [Self::Opening, Self::Consuming, Self::StandingBy, Self::Stopped, Self::Ended];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Consuming => "consuming",
            Self::StandingBy => "standing_by",
            Self::Stopped => "stopped",
            Self::Ended => "ended",
        }
    }
}

/// The causes of dead letters, in the order in which they are shown.
const CAUSES: [(Cause, &str); 7] = [
    (Cause::Rejected, "rejected"),
    (Cause::RetriesExhausted, "retries_exhausted"),
    (Cause::Trapped, "trapped"),
    (Cause::Foreign, "foreign"),
    (Cause::Unwanted, "unwanted"),
    (Cause::Looped, "looped"),
    (Cause::Dropped, "dropped"),
];

impl Default for Consumer {
    fn default() -> Self {
        Self {
            version: String::new(),
            digest: String::new(),
            state: State::Opening,
            reason: Some("is being started".to_owned()),
            since: now(),
            last_failure: None,
            counts: Counts::default(),
            load: Load::default(),
            deliveries: 0,
            received: Tally::default(),
            acknowledged: 0,
            calls: Histogram::new(SECONDS),
            batches: Histogram::new(LOGS),
            traps: 0,
            retries: 0,
            stops: 0,
            pauses: 0,
            reloads: 0,
            reloads_refused: 0,
            commits: Histogram::new(SECONDS),
            dead_letters: [0; CAUSES.len()],
        }
    }
}

impl Consumer {
    /// How many of its deliveries are among the dead letters, for each cause.
    pub(crate) fn dead_letters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        CAUSES.into_iter().zip(self.dead_letters).map(|((_, name), count)| (name, count))
    }

    pub(super) fn note(&mut self, event: &ConsumerEvent<'_>) {
        let is_stopped = self.state == State::Stopped;
        match event {
            ConsumerEvent::Opening { descriptor, digest, counts } => {
                (self.version, self.digest) = (descriptor.version.clone(), (*digest).to_owned());
                self.counts = (*counts).clone();
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
            }
            ConsumerEvent::Processed { logs, took } => {
                self.calls.add(took.as_secs_f64());
                if *logs > 0 {
                    self.batches.add(precise(*logs));
                }
            }
            ConsumerEvent::Trapped { .. } => self.traps += 1,
            ConsumerEvent::Failed(error, _) => self.last_failure = Some(error.to_string()),
            ConsumerEvent::Retrying(logs) => self.retries += *logs as u64,
            ConsumerEvent::DeadLettered(cause) => {
                if let Some(at) = CAUSES.iter().position(|(it, _)| it == cause) {
                    self.dead_letters[at] += 1;
                }
            }
            ConsumerEvent::Committed { counts, took, .. } => {
                self.counts.clone_from(counts);
                self.commits.add(took.as_secs_f64());
            }
            ConsumerEvent::Acknowledged { deliveries, load } => {
                self.acknowledged += *deliveries as u64;
                self.load = *load;
            }
            ConsumerEvent::Stopped(error, delay) => {
                self.stops += 1;
                self.last_failure = Some(error.to_string());
                let again = humantime::format_duration(Duration::from_secs(delay.as_secs()));
                let reason = format!("keeps failing, and is tried again after {again}: {error}");
                self.enter(State::Stopped, Some(reason));
            }
            ConsumerEvent::Paused(_) => self.pauses += 1,
            ConsumerEvent::Reloaded(descriptor, digest) => {
                self.reloads += 1;
                (self.version, self.digest) = (descriptor.version.clone(), (*digest).to_owned());
                if is_stopped {
                    self.enter(State::Opening, Some("a new version begins".to_owned()));
                }
            }
            ConsumerEvent::ReloadRefused(_) => self.reloads_refused += 1,
            ConsumerEvent::Ended(error) => {
                let reason = error.map_or_else(|| "has ended".to_owned(), chain);
                self.enter(State::Ended, Some(reason));
            }
            ConsumerEvent::Reopening(_)
            | ConsumerEvent::CallBegins
            | ConsumerEvent::CallEnds
            | ConsumerEvent::NotCounted(..)
            | ConsumerEvent::LeftUncounted(..)
            | ConsumerEvent::PassedBy(_) => {}
        }
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
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// An error and its causes, in a line.
fn chain(error: &(dyn Error + 'static)) -> String {
    successors(error.source(), |error| (*error).source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
