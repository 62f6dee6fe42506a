//! `loghost sources`

use std::num::NonZeroU64;
use std::time::Duration;

use loghost_rabbitmq::RouteText;

use super::connection::AskingArgs;
use super::defaults::{ShownDefault, time};
use super::{FormatArg, parse};
use crate::commands::sources::{Options, PERIOD};
use crate::compose::failure::{Failure, Status};

/// Finds out which exchanges carry logs, and says which command takes them
///
/// It looks for some seconds at copies of what is published, in queues that go when it ends, and says of each exchange which
/// producers' logs came, as far as they are recognised, how serious they are, and what tells that. The last line is the
/// command to copy. The broker drops what is not looked at in time, and nothing is declared or changed. The exit status is 1 if no
/// logs were seen.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Exchanges to look at: EXCHANGE[/KEY], in which names are written as in `run --bind`; without one, all that the
    /// management API knows
    ///
    /// On a direct exchange, the keys that others have bound are looked at, unless they are named. A further queue on an
    /// exchange that has an alternate exchange would take messages from that: such an exchange is looked at only if it is named.
    #[arg(value_name = "EXCHANGE", value_parser = |text: &str| text.parse::<RouteText>())]
    exchanges: Vec<RouteText>,

    /// How long to look
    #[arg(long = "for", value_name = "TIME", value_parser = parse::duration)]
    period: Option<Duration>,

    /// End after so many logs
    #[arg(long, value_name = "N", value_parser = parse::from_one::<NonZeroU64>)]
    max_logs: Option<NonZeroU64>,

    #[command(flatten)]
    asking: AskingArgs,
}

pub(super) fn defaults() -> Vec<ShownDefault> {
    vec![("period", time(PERIOD))]
}

impl TryFrom<Args> for Options {
    type Error = Failure;

    fn try_from(args: Args) -> Result<Self, Failure> {
        if args.exchanges.iter().any(|route| route.exchange.is_empty()) {
            let text = "an exchange has a name: what is published to the default exchange goes directly to queues, and is not \
                        seen by others";
            return Err(Failure::new(Status::Usage, text));
        }
        Ok(Self {
            target: args.asking.connection.target()?,
            management: args.asking.management.url()?,
            exchanges: args.exchanges,
            period: args.period.unwrap_or(PERIOD),
            max_logs: args.max_logs,
            format: FormatArg::or_default(args.asking.format),
        })
    }
}
