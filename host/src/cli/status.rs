//! `loghost status`

use std::path::PathBuf;
use std::time::Duration;

use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::StreamAddress;

use super::connection::AskingArgs;
use super::defaults::{ShownDefault, time};
use super::{FormatArg, parse};
use crate::commands::status::{OVER, Options};
use crate::compose::failure::Failure;
use crate::compose::running::listen;
use crate::compose::running_host::{HostAddress, RunningHost};

/// Shows how far behind consumers are: from the broker alone, from any machine
///
/// It looks twice at each queue and at the streams that a consumer reads, and changes nothing. The exit status is 1 if logs
/// wait at both looks and nobody reads, if a consumer that is named has no queue, or if its host (--host-address) has stopped
/// it. Hosts that stand by are told by the management API alone, as readers that wait. How far streams were read is known by the broker only of hosts
/// without --state, and only through the stream protocol; else --state or --host-address tells.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Names of consumers; without one, all whose queues the management API knows
    #[arg(value_name = "CONSUMER", value_parser = parse::consumer)]
    consumers: Vec<ConsumerName>,

    /// The time between the two looks
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    over: Option<Duration>,

    /// The folder that `run --state` was given, which has how far streams were read; may be given several times, for hosts
    /// that took turns
    #[arg(long, value_name = "FOLDER")]
    state: Vec<PathBuf>,

    /// A running host, at the address that it was given with `run --listen`: it is asked for the state of its consumers, and
    /// how far they have read streams
    #[arg(long, value_name = "HOST:PORT")]
    host_address: Option<HostAddress>,

    /// The file with the token that the host asks for: that of `run --listen-token-file`
    #[arg(long, value_name = "FILE", requires = "host_address")]
    host_token_file: Option<PathBuf>,

    /// Where the stream protocol is spoken, if not where the broker says, as for `loghost run`
    #[arg(long, value_name = "HOST:PORT")]
    stream_address: Option<StreamAddress>,

    #[command(flatten)]
    asking: AskingArgs,
}

pub(super) fn defaults() -> Vec<ShownDefault> {
    vec![("over", time(OVER))]
}

impl TryFrom<Args> for Options {
    type Error = Failure;

    fn try_from(args: Args) -> Result<Self, Failure> {
        let token = args
            .host_token_file
            .as_deref()
            .map(|file| listen::token(file, "--host-token-file (that of `run --listen-token-file`)", None));
        let token = token.transpose()?;
        Ok(Self {
            target: args.asking.connection.target()?,
            management: args.asking.management.url()?,
            stream_address: args.stream_address,
            states: args.state,
            host: args.host_address.map(|address| RunningHost { address, token }),
            consumers: args.consumers,
            over: args.over.unwrap_or(OVER),
            format: FormatArg::or_default(args.asking.format),
        })
    }
}
