//! `loghost completions`

use clap_complete::{Shell, generate};

use super::command;
use crate::compose::failure::Failure;
use crate::ui::terminal;

/// Prints a script by which a shell completes commands, options and files
///
/// For bash: `loghost completions bash > ~/.local/share/bash-completion/completions/loghost`. For zsh, a file `_loghost` in
/// a folder of `$fpath`; for fish, `~/.config/fish/completions/loghost.fish`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Prints the script.
pub(super) fn print(args: &Args) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(args.shell, &mut command(), "loghost", &mut script);
    Ok(terminal::print(String::from_utf8_lossy(&script).trim_end())?)
}
