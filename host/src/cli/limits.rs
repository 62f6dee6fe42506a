//! What plugins may use.

use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use loghost_wasm::Limits;

use super::defaults::{ShownDefault, size, time};
use super::parse;

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits of each plugin")]
pub(super) struct LimitArgs {
    /// Memory of an instance
    #[arg(long, value_name = "SIZE", value_parser = parse::memory)]
    max_memory: Option<ByteSize>,

    /// Time that one call may take
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    time_limit: Option<Duration>,

    /// Stack of a call
    #[arg(long, value_name = "SIZE", value_parser = parse::stack)]
    max_stack: Option<ByteSize>,

    /// What one call may hand to the host
    #[arg(long, value_name = "SIZE", value_parser = parse::bytes)]
    max_output: Option<ByteSize>,
}

pub(super) fn defaults() -> Vec<ShownDefault> {
    let Limits { memory, time: time_limit, stack, output } = Limits::default();
    vec![
        ("max_memory", size(memory)),
        ("time_limit", time(time_limit)),
        ("max_stack", size(stack)),
        ("max_output", size(output)),
    ]
}

impl From<LimitArgs> for Limits {
    fn from(args: LimitArgs) -> Self {
        let default = Self::default();
        Self {
            memory: args.max_memory.unwrap_or(default.memory),
            time: args.time_limit.unwrap_or(default.time),
            stack: args.max_stack.unwrap_or(default.stack),
            output: args.max_output.unwrap_or(default.output),
        }
    }
}
