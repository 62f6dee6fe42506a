//! `loghost plugin`

use std::path::PathBuf;

use super::defaults::ShownDefault;
use super::limits::LimitArgs;
use super::{FormatArg, parse};
use crate::commands::plugin::Options;
use crate::compose::failure::Failure;
use crate::toolchain::Template;

/// Writes a consumer of your own
#[derive(Debug, clap::Subcommand)]
pub(super) enum Args {
    /// Makes a crate that builds as it is, with its scenario
    New {
        /// Name of the consumer, and of the folder; or a path to it
        name: PathBuf,

        /// Begin with a consumer that looks at the logs themselves, not only at its metric
        #[arg(long)]
        processor: bool,

        /// Begin with one that also keeps something of its own between logs, and over restarts
        #[arg(long)]
        stateful: bool,
    },
    /// Builds a crate to a component
    Build {
        /// Folder of the crate
        folder: Option<PathBuf>,

        /// Where the component goes; without it: into the folder, under the crate's name
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Shows what a component declares and imports, its size and its SHA-256
    Inspect {
        /// The component
        file: PathBuf,

        /// A setting for `configure`; may be given several times
        #[arg(long, value_name = "KEY=VALUE", value_parser = parse::key_value)]
        set: Vec<(String, String)>,

        /// How it is written
        #[arg(long, value_name = "FORMAT")]
        format: Option<FormatArg>,

        #[command(flatten)]
        limits: LimitArgs,
    },
}

/// The folder of the crate that is built.
const HERE: &str = ".";

pub(super) fn defaults() -> Vec<ShownDefault> {
    vec![("folder", HERE.to_owned())]
}

impl TryFrom<Args> for Options {
    type Error = Failure;

    fn try_from(args: Args) -> Result<Self, Failure> {
        Ok(match args {
            Args::New { name, processor, stateful } => Self::New {
                path: name,
                template: match (processor, stateful) {
                    (_, true) => Template::Stateful,
                    (true, false) => Template::Processing,
                    (false, false) => Template::Counting,
                },
            },
            Args::Build { folder, out } => Self::Build { folder: folder.unwrap_or_else(|| HERE.into()), out },
            Args::Inspect { file, set, format, limits } => Self::Inspect {
                file,
                settings: parse::unique(set)?,
                format: FormatArg::or_default(format),
                limits: limits.into(),
            },
        })
    }
}
