//! `loghost verify`

use std::path::PathBuf;
use std::time::Duration;

use super::defaults::{ShownDefault, time};
use super::limits::LimitArgs;
use super::{FormatArg, connection, parse};
use crate::commands::verify::{Options, Then};
use crate::compose::failure::Failure;
use crate::compose::scenario_runner::ScenarioOptions;

/// Runs scenarios, and compares what each plugin writes word for word
///
/// On an embedded broker, or with --broker on that one: with exchanges and queues of its own there, which
/// go when it ends. Exits with 1 if a metric differs.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Scenario files; 1, 2 or 3, where there is no such file, for those in the binary
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,

    /// Rewrite the expectations to what the plugins write
    #[arg(long)]
    bless: bool,

    /// How long to wait for logs that do not come
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    timeout: Option<Duration>,

    /// How the report is written
    #[arg(long, value_name = "FORMAT")]
    format: Option<FormatArg>,

    /// Run on this broker: amqp://user:password@host:port/vhost; several are tried in turn
    #[arg(long, value_name = "URL")]
    broker: Vec<String>,

    #[command(flatten)]
    limits: LimitArgs,
}

pub(super) fn defaults() -> Vec<ShownDefault> {
    vec![("timeout", time(ScenarioOptions::default().timeout))]
}

impl TryFrom<Args> for Options {
    type Error = Failure;

    fn try_from(args: Args) -> Result<Self, Failure> {
        let addresses = connection::addresses(&args.broker)?;
        Ok(Self {
            scenarios: args.scenarios,
            on: addresses.into(),
            then: if args.bless { Then::Bless } else { Then::Compare },
            each: ScenarioOptions {
                timeout: args.timeout.unwrap_or(ScenarioOptions::default().timeout),
                limits: args.limits.into(),
            },
            format: FormatArg::or_default(args.format),
        })
    }
}
