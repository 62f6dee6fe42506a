//! `loghost publish`

use std::path::PathBuf;

use loghost_core::domain::{Attributes, Log, Severity, Source};
use loghost_decode::Format;
use loghost_rabbitmq::KeyTemplate;

use super::bind::{default_severity, severity_map};
use super::connection::ConnectionArgs;
use super::queues::{QueueTypeArg, RetentionArgs};
use super::telemetry::TraceArgs;
use super::{FormatArg, parse};
use crate::commands::publish::{Input, LineDecoding, LineOptions, Options, Unrouted};
use crate::compose::failure::{Failure, Status};

/// Publishes logs, and reports what the broker confirmed
///
/// One log from the arguments (`loghost publish error "disk full" --source db-1`), the logs of a
/// scenario (`--file`), or a log a line from standard input (`--stdin --severity info`, or
/// `--stdin --decode auto`, which finds the severity in the line).
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
    #[arg(long)]
    stdin: bool,

    /// Severity of the lines of standard input; with --decode, of those that do not say
    #[arg(long, value_name = "SEVERITY", requires = "stdin", conflicts_with_all = ["severity_of_one", "file"], value_parser = parse::severity)]
    severity: Option<Severity>,

    /// Find severity, time, source and fields in each line of standard input
    ///
    /// `auto` finds out what each line is: JSON (also of Docker and of `journalctl --all -o json`), logfmt, syslog, GELF, or a
    /// text that begins with a time and a level. The others name it; `none`, the default, takes the line as it is. What it does not
    /// say is as --severity and --source say.
    #[arg(long, value_name = "FORMAT", requires = "stdin", conflicts_with_all = ["severity_of_one", "file"])]
    decode: Option<DecodeArg>,

    /// What a producer's levels are: warn=error,notice=debug,35=info
    ///
    /// A warning is info without it, and the producer's own word is the attribute `level`.
    #[arg(long, value_name = "LEVEL=SEVERITY", requires = "decode", value_delimiter = ',', value_parser = parse::level)]
    severity_map: Vec<(String, Severity)>,

    /// Severity of lines that do not say theirs [default: *]
    #[arg(long, value_name = "SEVERITY", requires = "decode", conflicts_with = "severity", value_parser = parse::severity)]
    default_severity: Option<Severity>,

    /// Join the lines of a stack trace to the line before them
    ///
    /// These are indented lines, `Caused by:`, names of Java's exceptions, and what belongs to a traceback of Python, a panic of
    /// Go or Rust, or an exception of PHP: at most 1000 lines and 1 MiB. A log is published when the next one begins, or nothing has come for 250 ms; with --journal,
    /// only when the next one begins.
    #[arg(long, requires = "stdin", conflicts_with_all = ["severity_of_one", "file"])]
    multiline: bool,

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
    /// refused. What may not be whole yet is held back, and said: a last line without its end, the last log
    /// of --multiline, and a scenario's last log with nothing behind it (a blank line ends it).
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,

    /// What keeps the logs; with `stream`, the streams of their severities are declared before anything is published
    ///
    /// A scenario may have all severities. Queues are declared by their consumers: with another type, nothing is declared.
    #[arg(long, value_name = "TYPE")]
    queue_type: Option<QueueTypeArg>,

    /// Publish to this exchange of others, which has to be there, and not to that of each log's severity
    ///
    /// Each message says its severity in the header `severity`, and in the routing key if --key has it. `run --bind EXCHANGE` reads
    /// it.
    #[arg(long, value_name = "EXCHANGE", value_parser = parse::exchange, conflicts_with = "queue_type")]
    to: Option<String>,

    /// Routing keys of what is published with --to: text, with {severity} and {source} in it [default: *]
    #[arg(long, value_name = "TEMPLATE", requires = "to")]
    key: Option<KeyTemplate>,

    /// Exit with 1 if no queue wanted a log
    #[arg(long)]
    require_route: bool,

    /// How the report is written
    #[arg(long, value_name = "FORMAT")]
    format: Option<FormatArg>,

    #[command(flatten)]
    trace: TraceArgs,

    #[command(flatten)]
    retention: RetentionArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

impl TryFrom<Args> for Options {
    type Error = Failure;

    fn try_from(args: Args) -> Result<Self, Failure> {
        let input = if let Some(path) = args.file {
            Input::File(path)
        } else {
            let format = args.decode.map_or(Format::None, Format::from);
            let default = (format != Format::None).then(default_severity);
            let severity = args.severity_of_one.or(args.severity).or(args.default_severity).or(default);
            let severity = severity.ok_or_else(|| Failure::new(Status::Usage, NO_SEVERITY))?;
            let default = log(severity, args.message, args.source, args.attribute)?;
            if args.stdin {
                let severities = severity_map(args.severity_map);
                let decoding = LineDecoding { default, format, severities };
                Input::Lines(LineOptions { decoding, multiline: args.multiline })
            } else {
                Input::One(default)
            }
        };
        let target = args.connection.target()?;
        if let Some(severity) = args.to.as_deref().and_then(|exchange| target.names.severity(exchange)) {
            let text = format!(
                "--to names the exchange of severity {severity} itself: without --to, {severity} logs are published there"
            );
            return Err(Failure::new(Status::Usage, text));
        }
        Ok(Self {
            target,
            input,
            to: args.to.map(|exchange| (exchange, args.key.unwrap_or_default())),
            streams: args.retention.retention(args.queue_type)?,
            journal: args.journal,
            traces: args.trace.traces(),
            telemetry: args.trace.telemetry()?,
            unrouted: if args.require_route { Unrouted::Fails } else { Unrouted::IsSaid },
            format: FormatArg::or_default(args.format),
        })
    }
}

const NO_SEVERITY: &str =
    "no severity is given: all lines are of --severity SEVERITY, or --decode auto finds it in each";

/// What lines are taken for.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum DecodeArg {
    /// Whatever each line is.
    Auto,
    /// Text that may begin with a time and a level.
    Text,
    /// JSON.
    Json,
    /// Pairs such as `level=error msg="disk full"`.
    Logfmt,
    /// Syslog.
    Syslog,
    /// Graylog's JSON.
    Gelf,
    /// The message, as it is.
    None,
}

impl From<DecodeArg> for Format {
    fn from(format: DecodeArg) -> Self {
        match format {
            DecodeArg::Auto => Self::Auto,
            DecodeArg::Text => Self::Text,
            DecodeArg::Json => Self::Json,
            DecodeArg::Logfmt => Self::Logfmt,
            DecodeArg::Syslog => Self::Syslog,
            DecodeArg::Gelf => Self::Gelf,
            DecodeArg::None => Self::None,
        }
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
