//! `loghost replay`

use std::num::NonZeroU16;
use std::path::PathBuf;

use loghost_core::application::{ReplayOptions, Tolerance};
use loghost_core::domain::{Pattern, Severity};
use loghost_rabbitmq::BindRules;

use super::bind::{self, BindArgs};
use super::connection::ConnectionArgs;
use super::consumer::Grant;
use super::defaults::ShownDefault;
use super::limits::LimitArgs;
use super::past::PastArgs;
use super::{FormatArg, parse};
use crate::commands::replay::Options;
use crate::compose::consumer_options::ConsumerOptions;
use crate::compose::failure::{Failure, Status};
use crate::compose::plugins::loader::Derived;
use crate::compose::plugins::settings::GivenSettings;

/// Runs plugins over the past of the streams, as fast as the broker gives it
///
/// It changes nothing: it uses no queue, and neither the offset, the counts nor the state of a consumer that runs; each
/// plugin begins without a state. It ends at what the streams have when it begins. The logs come in the order of their
/// times, and a plugin's time is that of the latest log, so that the same span gives the same metric each time. There are
/// no ticks. What a plugin rejects, or fails at, is listed, and is no dead letter. A log that it wants to retry is tried
/// again at once: nothing changes in the past by waiting.
#[derive(Debug, clap::Args)]
#[command(mut_arg("from", |it| it.required(true)))]
pub(super) struct Args {
    /// Components; of a folder, every `.wasm` in it that is not hidden
    #[arg(required = true, value_name = "PLUGIN")]
    plugins: Vec<PathBuf>,

    /// Show the same logs to this plugin too, and list those of which the two make different things; the exit status is 1
    /// if there are some, or if the metrics differ
    ///
    /// What is compared is what a log is counted as, the reason for which it is rejected, how many attempts it takes, and
    /// the logs that are published because of it: where a plugin publishes, both get one log at a time. Nothing is
    /// published. As text, the first 20 are listed.
    #[arg(long, value_name = "PLUGIN", conflicts_with = "grant")]
    compare: Option<PathBuf>,

    /// Only logs of this severity, of those that the plugins want; may be given several times
    #[arg(long, value_name = "SEVERITY", help_heading = "Which", value_parser = parse::severity)]
    severity: Vec<Severity>,

    /// Only logs whose source matches, of those that the plugins want: words separated by dots, `*` for one word, `#` for
    /// any number; may be given several times
    #[arg(long, value_name = "PATTERN", help_heading = "Which", value_parser = |text: &str| Pattern::new(text))]
    source: Vec<Pattern>,

    /// A setting for all plugins that take it, or, as NAME.KEY=VALUE, for one, as for `loghost run`
    #[arg(long, value_name = "[NAME.]KEY=VALUE", value_parser = parse::key_value)]
    set: Vec<(String, String)>,

    /// How results are written
    #[arg(long, value_name = "FORMAT")]
    format: Option<FormatArg>,

    /// How many logs a plugin gets at once, at most
    #[arg(long, value_name = "N", value_parser = parse::from_one::<NonZeroU16>)]
    max_batch: Option<NonZeroU16>,

    /// How often a log that a plugin wants to retry is tried again before it is listed
    #[arg(long, value_name = "N", value_parser = parse::from_zero::<u32>)]
    max_retries: Option<u32>,

    /// Stop a plugin that fails at this many of its last logs; the exit status is 75
    #[arg(long, value_name = "FAILURES/LOGS", value_parser = parse::tolerance)]
    stop_at: Option<Tolerance>,

    /// Allow plugins more than to read; `publish`: to publish logs of their own. Without it, these go nowhere
    #[arg(long, value_name = "RIGHT")]
    grant: Vec<Grant>,

    #[command(flatten)]
    bind: BindArgs,

    #[command(flatten)]
    past: PastArgs,

    #[command(flatten)]
    connection: ConnectionArgs,

    #[command(flatten)]
    limits: LimitArgs,
}

pub(super) fn defaults() -> Vec<ShownDefault> {
    let ConsumerOptions { max_batch, max_retries, tolerance, .. } = ConsumerOptions::default();
    vec![
        ("max_batch", max_batch.to_string()),
        ("max_retries", max_retries.to_string()),
        ("stop_at", format!("{}/{}", tolerance.failures, tolerance.window)),
    ]
}

impl TryFrom<Args> for Options {
    type Error = Failure;

    fn try_from(args: Args) -> Result<Self, Failure> {
        let default = ConsumerOptions::default();
        let Some(past) = args.past.past() else {
            return Err(Failure::new(Status::Usage, "--from says where to begin, and is required"));
        };
        let (target, rules) = (args.connection.target()?, BindRules::from(args.bind));
        bind::are_of_others(&rules, &target.names)?;
        bind::have_streams(&rules, &target.names)?;
        Ok(Self {
            target,
            past,
            rules,
            plugins: args.plugins,
            compare: args.compare,
            severities: args.severity,
            sources: args.source,
            settings: GivenSettings::new(parse::unique(args.set)?),
            limits: args.limits.into(),
            derived: if args.grant.contains(&Grant::Publish) { Derived::Granted } else { Derived::Dropped },
            replay: ReplayOptions {
                max_batch: args.max_batch.map_or(default.max_batch, NonZeroU16::get).into(),
                max_retries: args.max_retries.unwrap_or(default.max_retries),
                tolerance: args.stop_at.unwrap_or(default.tolerance),
            },
            format: FormatArg::or_default(args.format),
        })
    }
}
