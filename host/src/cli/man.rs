//! `loghost man`

use std::fs;
use std::path::PathBuf;

use anyhow::Context;

use super::command;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::ui::events::command::ToolEvent;
use crate::ui::terminal;

/// Writes the manual pages of all commands into a folder
///
/// With `loghost man /usr/local/share/man/man1`, `man loghost-run` shows what `loghost run --help` does.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder, which is made if it is not there
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// Writes the pages.
pub(super) fn write(args: &Args) -> Result<(), Failure> {
    let folder = &args.folder;
    let written = fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command(), folder));
    written
        .with_context(|| format!("cannot write the manual pages into {}", folder.display()))
        .status(Status::Io)?;
    terminal::tell(ToolEvent::ManualWritten(folder.display().to_string()));
    Ok(())
}
