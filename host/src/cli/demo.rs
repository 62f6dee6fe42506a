//! `loghost demo`

use std::path::PathBuf;

use super::defaults::ShownDefault;
use crate::commands::demo::Options;

/// The whole job in one process: an embedded broker, the bundled plugins, a scenario
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// 1, 2 or 3, for those in the binary; or a scenario file
    #[arg(value_name = "SCENARIO")]
    scenario: Option<PathBuf>,
}

pub(super) fn defaults() -> Vec<ShownDefault> {
    vec![("scenario", Options::default().scenario.display().to_string())]
}

impl From<Args> for Options {
    fn from(args: Args) -> Self {
        Self { scenario: args.scenario.unwrap_or(Self::default().scenario) }
    }
}
