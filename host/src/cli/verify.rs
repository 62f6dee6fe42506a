//! `loghost verify`

use std::path::PathBuf;
use std::time::Duration;

use loghost_rabbitmq::{BindRules, KeyTemplate};

use super::bind::BindArgs;
use super::defaults::{ShownDefault, time};
use super::limits::LimitArgs;
use super::{FormatArg, connection, parse};
use crate::commands::verify::{MetricUse, Options};
use crate::compose::failure::{Failure, Status};
use crate::compose::scenario::exchange::ScenarioExchange;
use crate::compose::scenario::runner::ScenarioOptions;

/// Runs scenarios, and compares what each plugin writes word for word
///
/// On an embedded broker, or with --broker on that one: with exchanges and queues of its own there, which
/// go when it ends. Exits with 1 if a metric differs. With --to and --bind, the logs go through an exchange that stands for
/// one of others, as `publish --to` publishes and `run --bind` reads them.
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

    /// Publish the logs as to this exchange of others, and read them by the rules of --bind
    ///
    /// It is one of verify's own, of the type that a rule says (`;type=`), or topic: neither does it look at the one of this
    /// name on a broker, nor publish there.
    #[arg(long, value_name = "EXCHANGE", value_parser = parse::exchange)]
    to: Option<String>,

    /// Routing keys of what is published with --to: text, with {severity} and {source} in it [default: *]
    #[arg(long, value_name = "TEMPLATE", requires = "to")]
    key: Option<KeyTemplate>,

    #[command(flatten)]
    bind: BindArgs,

    #[command(flatten)]
    limits: LimitArgs,
}

pub(super) fn defaults() -> Vec<ShownDefault> {
    vec![("timeout", time(ScenarioOptions::default().timeout))]
}

const NOWHERE: &str = "--bind: nothing is published to exchanges of others unless --to says to which: \
                       --to EXCHANGE, and --key TEMPLATE for the routing keys";

impl TryFrom<Args> for Options {
    type Error = Failure;

    fn try_from(args: Args) -> Result<Self, Failure> {
        let rules = BindRules::from(args.bind);
        let exchange = match args.to {
            Some(to) => Some(ScenarioExchange::new(to, args.key.unwrap_or_default(), rules)?),
            None if rules.is_empty() => None,
            None => return Err(Failure::new(Status::Usage, NOWHERE)),
        };
        let addresses = connection::addresses(&args.broker)?;
        Ok(Self {
            scenarios: args.scenarios,
            on: addresses.into(),
            then: if args.bless { MetricUse::Bless } else { MetricUse::Compare },
            each: ScenarioOptions {
                timeout: args.timeout.unwrap_or(ScenarioOptions::default().timeout),
                limits: args.limits.into(),
                exchange,
            },
            format: FormatArg::or_default(args.format),
        })
    }
}
