//! `loghost report`

use std::path::PathBuf;

use super::FormatArg;
use crate::commands::report::Options;

/// Shows what was counted, and what is missing
///
/// Of each producer, severity and source, the logs have numbers without gaps: what is missing below the
/// highest number that was counted is listed, and the exit status is 1. What came after that, only the producer's
/// journal knows. It reads a copy: a host may go on meanwhile.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder that `run --state` was given; may be given several times, for hosts that took turns
    #[arg(long, value_name = "FOLDER", required = true)]
    state: Vec<PathBuf>,

    /// What `publish --journal` was given; what it confirmed must be there too. May be given several times
    #[arg(long, value_name = "FILE")]
    journal: Vec<PathBuf>,

    /// How it is written
    #[arg(long, value_name = "FORMAT")]
    format: Option<FormatArg>,
}

impl From<Args> for Options {
    fn from(args: Args) -> Self {
        Self { states: args.state, journals: args.journal, format: FormatArg::or_default(args.format) }
    }
}
