//! The defaults in the help.
//!
//! They are those of the plain option types. The parser does not know them: what is not given stays open, for something
//! else than an argument to say.

use std::time::Duration;

use bytesize::ByteSize;
use clap::Command;
use clap::builder::StyledStr;
use loghost_rabbitmq::{Begin, KeyTemplate, STREAM_PORTS};

use super::configuration::FILE;
use super::{
    FormatArg, bench, bind, broker, connection, consumer, demo, limits, plugin, replay, run, sources, status,
    verify,
};
use crate::compose::consumer_builder::{MOST_PREFETCH, PREFETCHED_TOGETHER, SMALL_PER_LOG};
use crate::ui::bench::size_text;
use crate::ui::terminal::OutputFormat;

/// An argument, and its default as it would be given.
pub(super) type ShownDefault = (&'static str, String);

/// The same command; its help shows the defaults.
pub(super) fn shown(command: Command) -> Command {
    let (limits, connection) = (limits::defaults(), connection::defaults());
    let of_run =
        [format().into(), run::defaults(), consumer::defaults(), limits.clone(), connection.clone()].concat();
    let [(_, log_format)] = format();
    let command = telling(command, &told());
    command
        .mut_arg("log_format", |arg| arg.default_value(log_format))
        .mut_subcommand("demo", |it| with(it, demo::defaults()))
        .mut_subcommand("run", |it| with(it, of_run.clone()))
        .mut_subcommand("replay", |it| {
            with(it, [format().into(), replay::defaults(), limits.clone(), connection.clone()].concat())
        })
        .mut_subcommand("publish", |it| with(it, [format().into(), connection.clone()].concat()))
        .mut_subcommand("tail", |it| with(it, [format().into(), connection.clone()].concat()))
        .mut_subcommand("record", |it| with(it, connection.clone()))
        .mut_subcommand("verify", |it| {
            with(it, [format().into(), verify::defaults(), limits.clone()].concat())
        })
        .mut_subcommand("sources", |it| {
            with(it, [format().into(), sources::defaults(), connection.clone()].concat())
        })
        .mut_subcommand("status", |it| {
            with(it, [format().into(), status::defaults(), connection.clone()].concat())
        })
        .mut_subcommand("report", |it| with(it, format().into()))
        .mut_subcommand("broker", |it| with(it, broker::defaults()))
        .mut_subcommand("bench", |it| with(it, [format().into(), bench::defaults()].concat()))
        .mut_subcommand("config", |it| {
            it.mut_subcommand("show", |it| with(it, of_run.clone()))
                .mut_subcommand("check", |it| with(it, of_run.clone()))
        })
        .mut_subcommand("plugin", |it| {
            it.mut_subcommand("build", |it| with(it, plugin::defaults()))
                .mut_subcommand("inspect", |it| with(it, [format().into(), limits].concat()))
        })
        .mut_subcommand("dead-letters", |it| {
            it.mut_subcommands(|it| with(it, [format().into(), connection.clone()].concat()))
        })
}

/// What stands in the help of an argument for its default, where nobody could give that as a value: it depends on other
/// arguments, or whoever gives it means more by it.
const UNTOLD: &str = "[default: *]";

/// What the defaults of such arguments are.
fn told() -> [ShownDefault; 7] {
    let [plain, secure] = STREAM_PORTS;
    let prefetch = format!(
        "{MOST_PREFETCH}; of more than {} plugins, {PREFETCHED_TOGETHER} together; of streams with --state {SMALL_PER_LOG} times as \
         many, while they are small",
        PREFETCHED_TOGETHER / usize::from(MOST_PREFETCH)
    );
    [
        ("config", format!("{FILE}, if it is in the working directory")),
        ("default_severity", bind::default_severity().to_string()),
        ("file", FILE.to_owned()),
        ("from", Begin::default().to_string()),
        ("key", KeyTemplate::default().to_string()),
        ("prefetch", prefetch),
        (
            "stream_address",
            format!("port {plain} of the broker, {secure} with TLS, and from there on what it advertises"),
        ),
    ]
}

/// Tells these defaults in the help of the command and its subcommands.
fn telling(command: Command, told: &[ShownDefault]) -> Command {
    let command = command.mut_args(|mut arg| {
        let default = told.iter().find(|(id, _)| arg.get_id() == id);
        let Some((_, default)) = default else { return arg };
        let with = |help: &StyledStr| help.to_string().replace(UNTOLD, &format!("[default: {default}]"));
        if let Some(help) = arg.get_help().map(with) {
            arg = arg.help(help);
        }
        if let Some(help) = arg.get_long_help().map(with) {
            arg = arg.long_help(help);
        }
        arg
    });
    command.mut_subcommands(|subcommand| telling(subcommand, told))
}

fn with(command: Command, shown: Vec<ShownDefault>) -> Command {
    shown.into_iter().fold(command, |command, (id, text)| command.mut_arg(id, |arg| arg.default_value(text)))
}

fn format() -> [ShownDefault; 1] {
    let text = match OutputFormat::default() {
        OutputFormat::Text => "text",
        OutputFormat::Json => "json",
    };
    [("format", text.to_owned())]
}

/// A time, as it would be given.
pub(super) fn time(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

/// A size, as it would be given.
pub(super) fn size(size: ByteSize) -> String {
    size_text(size.as_u64()).replace(' ', "")
}

impl FormatArg {
    /// What was asked for, or the default.
    pub(super) fn or_default(format: Option<Self>) -> OutputFormat {
        format.map(OutputFormat::from).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::super::{Cli, Command, config};
    use super::*;

    /// The options that a command line comes to, with a parser that has the defaults or with the one that is used.
    fn options(parser: clap::Command, line: &str) -> String {
        let matches = parser.try_get_matches_from(line.split(' ')).unwrap();
        match Cli::from_arg_matches(&matches).unwrap().command {
            Command::Demo(args) => format!("{:?}", crate::commands::demo::Options::from(args)),
            Command::Run(args) => format!("{:?}", crate::commands::run::Options::try_from(*args).unwrap()),
            Command::Replay(args) => {
                format!("{:?}", crate::commands::replay::Options::try_from(*args).unwrap())
            }
            Command::Publish(args) => {
                format!("{:?}", crate::commands::publish::Options::try_from(args).unwrap())
            }
            Command::Tail(args) => format!("{:?}", crate::commands::tail::Options::try_from(args).unwrap()),
            Command::Record(args) => {
                format!("{:?}", crate::commands::record::Options::try_from(args).unwrap())
            }
            Command::Verify(args) => {
                format!("{:?}", crate::commands::verify::Options::try_from(args).unwrap())
            }
            Command::Sources(args) => {
                format!("{:?}", crate::commands::sources::Options::try_from(args).unwrap())
            }
            Command::Status(args) => {
                format!("{:?}", crate::commands::status::Options::try_from(args).unwrap())
            }
            Command::Report(args) => format!("{:?}", crate::commands::report::Options::from(args)),
            Command::Broker(args) => format!("{:?}", crate::commands::broker::Options::from(args)),
            Command::Bench(args) => format!("{:?}", crate::commands::bench::Options::try_from(args).unwrap()),
            Command::Plugin(args) => {
                format!("{:?}", crate::commands::plugin::Options::try_from(args).unwrap())
            }
            Command::DeadLetters(args) => {
                format!("{:?}", crate::commands::dead_letters::Options::try_from(args).unwrap())
            }
            Command::Config(args) => match args {
                config::Args::Show(args) | config::Args::Check(args) => {
                    format!("{:?}", crate::commands::run::Options::try_from(*args).unwrap())
                }
                config::Args::Init { file } => format!("{file:?}"),
            },
            Command::Completions(args) => format!("{args:?}"),
            Command::Man(args) => format!("{args:?}"),
        }
    }

    #[test]
    fn the_help_shows_what_holds_when_nothing_is_given() {
        let lines = [
            "loghost demo",
            "loghost run a.wasm",
            "loghost replay a.wasm --from first",
            "loghost publish info a",
            "loghost tail",
            "loghost record",
            "loghost verify a.txt",
            "loghost sources",
            "loghost status",
            "loghost report --state a",
            "loghost broker",
            "loghost bench",
            "loghost config show",
            "loghost config check a.wasm",
            "loghost config init",
            "loghost plugin build",
            "loghost plugin inspect a.wasm",
            "loghost dead-letters list a",
            "loghost dead-letters show a 1",
            "loghost dead-letters replay a --all",
            "loghost dead-letters purge a --all",
            "loghost completions bash",
            "loghost man a",
        ];
        for line in lines {
            assert_eq!(options(shown(Cli::command()), line), options(Cli::command(), line), "{line}");
        }
    }

    /// The help of all arguments of a command and its subcommands.
    fn helps(command: &clap::Command) -> Vec<String> {
        let help = |arg: &clap::Arg| {
            let texts = [arg.get_help(), arg.get_long_help()].into_iter().flatten();
            texts.map(ToString::to_string).collect()
        };
        let own = command.get_arguments().map(help);
        own.chain(command.get_subcommands().flat_map(helps)).collect()
    }

    #[test]
    fn the_help_has_no_default_of_its_own() {
        let begins = |help: &String| help.replace(UNTOLD, "").contains("[default:");
        assert_eq!(helps(&Cli::command()).into_iter().find(begins), None);
        let shown = helps(&shown(Cli::command()));
        assert_eq!(shown.iter().find(|help| help.contains(UNTOLD)), None);
        for told in ["[default: info]", "[default: next]", "[default: {source}]", "[default: 1000; of more"] {
            assert!(shown.iter().any(|help| help.contains(told)), "{told}");
        }
    }

    #[test]
    fn the_defaults_are_good_values() {
        shown(Cli::command()).debug_assert();
    }
}
