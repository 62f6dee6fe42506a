//! `loghost publish`

use std::path::PathBuf;

use loghost_core::domain::{Attributes, Log, Severity, Source};

use super::connection::ConnectionArgs;
use super::{FormatArg, parse};
use crate::commands::publish::{Input, Options, Unrouted};
use crate::compose::failure::{Failure, Status};

/// Publishes logs, and reports what the broker confirmed
///
/// One log from the arguments (`loghost publish error "disk full" --source db-1`), the logs of a
/// scenario (`--file`), or a log a line from standard input (`--stdin --severity info`).
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("input").required(true).args(["severity_of_one", "file", "stdin"]))]
pub(super) struct Args {
    /// Severity of the one log: debug, info, error or critical
    #[arg(value_name = "SEVERITY", requires = "message", value_parser = parse::severity)]
    severity_of_one: Option<Severity>,

    /// Text of the one log
    #[arg(value_name = "MESSAGE")]
    message: Option<String>,

    /// Publish the logs of this scenario; it is checked to its end first
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Publish each line of standard input, as it comes; one over 16 MiB is said and left out
    #[arg(long, requires = "severity")]
    stdin: bool,

    /// Severity of the lines of standard input
    #[arg(long, value_name = "SEVERITY", requires = "stdin", conflicts_with_all = ["severity_of_one", "file"], value_parser = parse::severity)]
    severity: Option<Severity>,

    /// Where the log comes from; also the routing key
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    source: Option<String>,

    /// What else the log says; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse::key_value, conflicts_with = "file")]
    attribute: Vec<(String, String)>,

    /// Remember in this file what was begun and what the broker has confirmed
    ///
    /// Started again with the same input, it leaves out what is confirmed and sends the rest with the ids
    /// that it had, so that nothing counts twice. The input may have grown; one that is otherwise is
    /// refused. What may not be whole yet is held back, and said: a last line without its end, and a
    /// scenario's last log with nothing behind it (a blank line ends it).
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,

    /// Exit with 1 if no queue wanted a log
    #[arg(long)]
    require_route: bool,

    /// How the report is written
    #[arg(long, value_name = "FORMAT")]
    format: Option<FormatArg>,

    #[command(flatten)]
    connection: ConnectionArgs,
}

impl TryFrom<Args> for Options {
    type Error = Failure;

    fn try_from(args: Args) -> Result<Self, Failure> {
        let input = if let Some(path) = args.file {
            Input::File(path)
        } else {
            let severity = args.severity_of_one.or(args.severity);
            let severity = severity.ok_or_else(|| Failure::new(Status::Usage, "no severity is given"))?;
            let log = log(severity, args.message, args.source, args.attribute)?;
            if args.stdin { Input::Lines(log) } else { Input::One(log) }
        };
        Ok(Self {
            target: args.connection.target()?,
            input,
            journal: args.journal,
            unrouted: if args.require_route { Unrouted::Fails } else { Unrouted::IsSaid },
            format: FormatArg::or_default(args.format),
        })
    }
}

fn log(
    severity: Severity,
    message: Option<String>,
    source: Option<String>,
    attributes: Vec<(String, String)>,
) -> Result<Log, Failure> {
    let usage = |error: &dyn std::error::Error| Failure::new(Status::Usage, error.to_string());
    let source = source.map(Source::new).transpose().map_err(|e| usage(&e))?;
    let mut checked = Attributes::default();
    for (key, value) in attributes {
        checked.push(key, value).map_err(|e| usage(&e))?;
    }
    Ok(Log {
        severity,
        message: message.unwrap_or_default(),
        source,
        timestamp: None,
        attributes: checked,
        hops: 0,
    })
}
