//! `loghost config`

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Arg, CommandFactory, Parser};
use loghost_core::domain::printable_line;

use super::configuration::{Arguments, FILE, InForce, init, show};
use super::{Cli, Command, command, run};
use crate::commands;
use crate::commands::run::{Configuration, Options};
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::ui::events::command::ToolEvent;
use crate::ui::{config, terminal};

/// Shows, checks and begins a configuration file
#[derive(Debug, clap::Subcommand)]
pub(super) enum Args {
    /// Prints what is in force for `run` with these arguments, and where each value comes from
    ///
    /// An argument goes before a variable, that before the file, and that before the default. Passwords and the values of
    /// settings are not shown.
    Show(Box<run::Args>),
    /// Says what is wrong with the file, and loads every plugin; no broker is asked
    Check(Box<run::Args>),
    /// Writes a file with every key, what it is, and its default
    Init {
        /// The file, which must not be there yet; `-` for standard output [default: *]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// Does what is asked for, with what is in force.
pub(super) fn config(args: Args, in_force: &InForce) -> Result<(), Failure> {
    match args {
        Args::Show(args) => {
            let tables = show::tables(in_force, &run_command(), args.names_plugins());
            config::show(&tables, args.format()).map_err(Failure::from)
        }
        Args::Check(args) => {
            let Some(file) = in_force.file.clone() else {
                let text = format!(
                    "there is no {FILE} in the working directory, and no other is named: name one with --config FILE, or begin \
                     one with `loghost config init`"
                );
                return Err(Failure::new(Status::BadConfiguration, text));
            };
            commands::config::check(&run_options(*args, in_force)?, &file)
        }
        Args::Init { file } => write(&file.unwrap_or_else(|| PathBuf::from(FILE))),
    }
}

/// What `run` is asked for with what is in force.
pub(super) fn run_options(args: run::Args, in_force: &InForce) -> Result<Options, Failure> {
    let options = Options::try_from(args).map_err(|failure| in_force.told(failure))?;
    let consumers = in_force.consumers(&options.consumer)?;
    let configuration = in_force.file.clone().map(|file| Configuration { file, read: run_options_again });
    Ok(Options { configuration, ..options.with_consumers(consumers) })
}

/// What the arguments of this process ask `run` for with what is in force now.
fn run_options_again() -> Result<Options, Failure> {
    let refused = |error: clap::Error| Failure::of(Status::Internal, error);
    let arguments = Arguments::of_process();
    let matches = Cli::command().try_get_matches_from(&arguments.given).map_err(refused)?;
    let in_force = InForce::of(arguments, &matches)?;
    let cli = Cli::try_parse_from(&in_force.arguments).map_err(|error| in_force.refused(&error))?;
    match cli.command {
        Command::Run(args) => run_options(*args, &in_force),
        _ => Err(Failure::new(Status::Internal, "only `run` has consumers")),
    }
}

/// The options of `run` with their defaults, in the order in which they are described.
fn run_command() -> clap::Command {
    let of = |mut root: clap::Command| {
        root.build();
        root.find_subcommand("run").cloned().unwrap_or(root)
    };
    let (shown, plain) = (of(command()), of(Cli::command()));
    let index = |arg: &Arg| plain.get_arguments().position(|other| other.get_id() == arg.get_id());
    let mut options: Vec<Arg> = shown.get_arguments().cloned().collect();
    options.sort_by_key(index);
    clap::Command::new("run").args(options)
}

fn write(path: &Path) -> Result<(), Failure> {
    let text = init::text(&run_command());
    if path == Path::new("-") {
        return terminal::print(text.trim_end()).map_err(Failure::from);
    }
    let shown = printable_line(&path.to_string_lossy()).into_owned();
    let written = OpenOptions::new().write(true).create_new(true).open(path);
    match written.and_then(|mut file| file.write_all(text.as_bytes())) {
        Ok(()) => {
            terminal::tell(ToolEvent::ConfigurationWritten(shown));
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let text = format!("{shown} is there already: name another file, or `-` for standard output");
            Err(Failure::new(Status::Usage, text))
        }
        Err(error) => {
            Err::<(), io::Error>(error).with_context(|| format!("cannot write {shown}")).status(Status::Io)
        }
    }
}
