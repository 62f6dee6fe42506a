//! `loghost broker`

use std::net::SocketAddr;

use bytesize::ByteSize;

use super::parse;
use crate::commands::broker::{Ending, Options};

/// Runs the embedded broker, for development: in memory, one process
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where it listens; port 0: any free one. The URL to use is printed
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5672", value_parser = parse::listen)]
    listen: SocketAddr,

    /// What queued messages may take before publishers are held back
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = parse::bytes)]
    max_memory: ByteSize,

    /// End when standard input does, and so with the process that holds its other end
    #[arg(long)]
    until_eof: bool,
}

impl From<Args> for Options {
    fn from(args: Args) -> Self {
        Self {
            listen: args.listen,
            max_memory: args.max_memory,
            end: if args.until_eof { Ending::Input } else { Ending::Signal },
        }
    }
}
