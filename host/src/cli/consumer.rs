//! What is given for all consumers of a run, or, in a configuration file, for one.

use std::num::{NonZeroU16, NonZeroU64};
use std::time::Duration;

use loghost_core::application::Tolerance;
use loghost_wasm::Limits;

use super::defaults::{ShownDefault, time};
use super::limits::LimitArgs;
use super::parse;
use crate::compose::consumer_options::ConsumerOptions;
use crate::compose::plugins::loader::Derived;

/// A consumer of a configuration file may have each of these of its own.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Each plugin")]
pub(super) struct ConsumerArgs {
    /// Least time between two metrics of a plugin
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    every: Option<Duration>,

    /// End each plugin when it has counted this many logs
    #[arg(long, value_name = "N", value_parser = parse::from_one::<NonZeroU64>)]
    max_logs: Option<NonZeroU64>,

    /// How many logs of a plugin may be under way, unacknowledged [default: *]
    #[arg(long, value_name = "N", value_parser = parse::from_one::<NonZeroU16>)]
    prefetch: Option<NonZeroU16>,

    /// How many logs a plugin gets at once, at most
    #[arg(long, value_name = "N", value_parser = parse::from_one::<NonZeroU16>)]
    max_batch: Option<NonZeroU16>,

    /// How often a log that a plugin wants to retry is tried again before it goes to the dead letters, within
    /// five minutes in all
    #[arg(long, value_name = "N", value_parser = parse::from_zero::<u32>)]
    max_retries: Option<u32>,

    /// How long a producer that sends nothing is remembered: a log of its that comes again later is counted
    /// again. What counts is the time in which logs are taken, not what the system's clock shows
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    forget_after: Option<Duration>,

    /// Stop a plugin that fails at this many of its last logs, and leave its queue as it is
    #[arg(long, value_name = "FAILURES/LOGS", value_parser = parse::tolerance)]
    stop_at: Option<Tolerance>,

    /// How long a stopped plugin is left alone before one log is tried; doubles up to 5m
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    probe_after: Option<Duration>,

    /// Allow plugins more than to consume; `publish`: to publish logs of their own
    #[arg(long, value_name = "RIGHT")]
    grant: Vec<Grant>,

    #[command(flatten)]
    limits: LimitArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Grant {
    /// To publish logs
    Publish,
}

pub(super) fn defaults() -> Vec<ShownDefault> {
    let default = ConsumerOptions::default();
    let Tolerance { failures, window } = default.tolerance;
    let mut shown = vec![
        ("every", time(default.every)),
        ("max_batch", default.max_batch.to_string()),
        ("max_retries", default.max_retries.to_string()),
        ("forget_after", time(default.forget_after)),
        ("stop_at", format!("{failures}/{window}")),
    ];
    shown.extend(default.probe_after.map(|after| ("probe_after", time(after))));
    shown
}

impl ConsumerArgs {
    /// What they may use.
    pub(super) fn limits(&self) -> Limits {
        self.limits.clone().into()
    }

    /// How they are run; what is not given is as in `options`.
    pub(super) fn options(&self, options: ConsumerOptions) -> ConsumerOptions {
        ConsumerOptions {
            prefetch: self.prefetch.map(NonZeroU16::get).or(options.prefetch),
            every: self.every.unwrap_or(options.every),
            max_logs: self.max_logs.map(NonZeroU64::get).or(options.max_logs),
            max_batch: self.max_batch.map_or(options.max_batch, NonZeroU16::get),
            max_retries: self.max_retries.unwrap_or(options.max_retries),
            derived: if self.grant.contains(&Grant::Publish) { Derived::Granted } else { Derived::Refused },
            forget_after: self.forget_after.unwrap_or(options.forget_after),
            tolerance: self.stop_at.unwrap_or(options.tolerance),
            probe_after: self.probe_after.or(options.probe_after),
            ..options
        }
    }
}
