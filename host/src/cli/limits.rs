//! What plugins may use.

use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use loghost_wasm::Limits;

use super::parse;

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits of each plugin")]
pub(super) struct LimitArgs {
    /// Memory of an instance
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = parse::memory)]
    max_memory: ByteSize,

    /// Time that one call may take
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse::duration)]
    time_limit: Duration,

    /// Stack of a call
    #[arg(long, value_name = "SIZE", default_value = "512KiB", value_parser = parse::stack)]
    max_stack: ByteSize,

    /// What one call may hand to the host
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = parse::bytes)]
    max_output: ByteSize,
}

impl From<LimitArgs> for Limits {
    fn from(args: LimitArgs) -> Self {
        Self {
            memory: args.max_memory,
            time: args.time_limit,
            stack: args.max_stack,
            output: args.max_output,
        }
    }
}
