//! `loghost broker`

use std::net::SocketAddr;

use bytesize::ByteSize;

use super::defaults::{ShownDefault, size};
use super::parse;
use crate::commands::broker::{BrokerEnding, Options};

/// Runs the embedded broker, for development: in memory, one process
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where it listens; port 0: any free one. The URL to use is printed
    #[arg(long, value_name = "ADDRESS", value_parser = parse::listen)]
    listen: Option<SocketAddr>,

    /// What queued messages may take before publishers are held back
    #[arg(long, value_name = "SIZE", value_parser = parse::queue_memory)]
    max_memory: Option<ByteSize>,

    /// End when standard input does, and so with the process that holds its other end
    #[arg(long)]
    until_eof: bool,
}

pub(super) fn defaults() -> Vec<ShownDefault> {
    let Options { listen, max_memory, .. } = Options::default();
    vec![("listen", listen.to_string()), ("max_memory", size(max_memory))]
}

impl From<Args> for Options {
    fn from(args: Args) -> Self {
        let default = Self::default();
        Self {
            listen: args.listen.unwrap_or(default.listen),
            max_memory: args.max_memory.unwrap_or(default.max_memory),
            end: if args.until_eof { BrokerEnding::Input } else { BrokerEnding::Signal },
        }
    }
}
