//! The command line: clap structs become plain typed options, one file for each command.

mod bench;
mod bind;
mod broker;
mod completions;
mod config;
mod configuration;
mod connection;
mod consumer;
mod dead_letters;
mod defaults;
mod demo;
mod examples;
mod limits;
mod listen;
mod look;
mod man;
mod parse;
mod past;
mod plugin;
mod publish;
mod queues;
mod record;
mod replay;
mod report;
mod run;
mod sources;
mod status;
mod suggesting;
mod tail;
mod telemetry;
mod verify;

use std::env;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use loghost_core::domain::ConsumerName;
use loghost_system::{self as system, STACK};
use tokio::runtime::{Builder, Runtime};

use self::configuration::{Arguments, InForce};
use crate::commands;
use crate::compose::failure::{Failure, Status};
use crate::platform::signals;
use crate::ui::terminal::{self, OutputFormat};

/// Runs WebAssembly log consumers on RabbitMQ.
///
/// Results go to standard output, everything else to standard error. Exit status: 0 done, 1 a scenario
/// or a version differs, logs are missing, a dead letter is not there, a consumer is stuck or no logs were seen, 2 wrong arguments, 65 bad input file, 69 broker unavailable, 70 internal, 71 too few
/// threads, open files or memory, 74 something cannot be written, 75 a consumer was stopped because it failed, 78 bad
/// configuration.
#[derive(Debug, Parser)]
#[command(name = "loghost", version, max_term_width = 100)]
struct Cli {
    /// How the log on standard error is written: one line for each event
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<FormatArg>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Run(Box<run::Args>),
    Replay(Box<replay::Args>),
    Publish(publish::Args),
    Tail(tail::Args),
    Record(record::Args),
    Verify(verify::Args),
    Sources(sources::Args),
    Status(status::Args),
    Report(report::Args),
    Broker(broker::Args),
    Bench(bench::Args),
    #[command(subcommand)]
    Config(config::Args),
    #[command(subcommand)]
    Plugin(plugin::Args),
    #[command(subcommand)]
    DeadLetters(dead_letters::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// How results are written.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum FormatArg {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl From<FormatArg> for OutputFormat {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Text => Self::Text,
            FormatArg::Json => Self::Json,
        }
    }
}

/// Runs the command that the process was given, and says what went wrong, once.
pub fn main() -> ExitCode {
    terminal::say_panics();
    signals::before_exit(|| terminal::finish(SECOND_SIGNAL_TIMEOUT));
    let arguments = Arguments::of_process();
    let matches = match Cli::command().try_get_matches_from(&arguments.given) {
        Ok(matches) => matches,
        Err(error) => suggesting::exit(&suggesting::suggesting(whole_help(error))),
    };
    // What the file says is known when it has been read.
    if suggesting::is_log_json() {
        terminal::write_log_as(OutputFormat::Json);
    }
    let code = match InForce::of(arguments, &matches).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    };
    terminal::finish(EXIT_TIMEOUT);
    code
}

/// Runs the command of what is in force.
fn run(in_force: InForce) -> Result<(), Failure> {
    let cli = Cli::try_parse_from(&in_force.arguments).map_err(|error| in_force.refused(&error))?;
    terminal::write_log_as(FormatArg::or_default(cli.log_format));
    let runtime = runtime().map_err(|error| Failure::of(Status::Internal, error.context("cannot start")))?;
    // On a thread of the runtime's own: plugins need more stack than the first thread is sure to have.
    let dispatched =
        async move { dispatch(cli.command, &in_force).await.map_err(|failure| in_force.told(failure)) };
    let done = runtime.block_on(runtime.spawn(dispatched));
    // What cannot be interrupted (a plugin's call, a thread that reads standard input) is not waited for. It goes on until
    // the process ends, and so does what it needs.
    std::mem::forget(runtime);
    done.unwrap_or_else(|panic| Err(Failure::new(Status::Internal, format!("a fault of loghost: {panic}"))))
}

/// The whole help, if that is what was asked for.
fn whole_help(error: clap::Error) -> clap::Error {
    match error.kind() {
        ErrorKind::DisplayHelp => command().try_get_matches_from(env::args_os()).err().unwrap_or(error),
        _ => error,
    }
}

/// The command line as it is described: with defaults and examples.
fn command() -> clap::Command {
    examples::shown(defaults::shown(Cli::command()))
}

/// How long it is waited, at the end, for somebody to read what was said.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a second signal waits for what was said before it.
const SECOND_SIGNAL_TIMEOUT: Duration = Duration::from_millis(100);

/// Each consumer of a scenario or a bench may take one.
const MAX_THREADS: usize = 1 << 16;

/// What every command has need of beside the runtime's own threads, and a little more.
const SPARE_THREADS: usize = 16;
const SPARE_FILES: usize = 16;

fn runtime() -> anyhow::Result<Runtime> {
    let workers = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = workers + SPARE_THREADS;
    system::check_addresses(threads)?;
    system::check_threads(threads)?;
    system::check_files(SPARE_FILES)?;
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(workers).thread_stack_size(STACK).max_blocking_threads(MAX_THREADS);
    Ok(builder.enable_all().build()?)
}

async fn dispatch(command: Command, in_force: &InForce) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => Box::pin(commands::demo::demo(args.into())).await,
        Command::Run(args) => Box::pin(commands::run::run(config::run_options(*args, in_force)?)).await,
        Command::Replay(args) => Box::pin(commands::replay::replay((*args).try_into()?)).await,
        Command::Publish(args) => commands::publish::publish(args.try_into()?).await,
        Command::Tail(args) => commands::tail::tail(args.try_into()?).await,
        Command::Record(args) => commands::record::record(args.try_into()?).await,
        Command::Sources(args) => commands::sources::sources(args.try_into()?).await,
        Command::Status(args) => commands::status::status(args.try_into()?).await,
        Command::Verify(args) => Box::pin(commands::verify::verify(args.try_into()?)).await,
        Command::Report(args) => commands::report::report(&args.into()),
        Command::Broker(args) => commands::broker::broker(args.into()).await,
        Command::Bench(args) => commands::bench::bench(args.try_into()?).await,
        Command::Config(args) => config::config(args, in_force),
        Command::Plugin(args) => commands::plugin::run(args.try_into()?).await,
        Command::DeadLetters(args) => commands::dead_letters::dead_letters(args.try_into()?).await,
        Command::Completions(args) => completions::print(&args),
        Command::Man(args) => man::write(&args),
    }
}

fn report(failure: &Failure) -> ExitCode {
    if let Some(text) = failure.text() {
        terminal::error(&text, failure.consumer().map(ConsumerName::as_str));
    }
    failure.status().into()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        super::Cli::command().debug_assert();
    }
}
