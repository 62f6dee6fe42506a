//! What is probably meant by arguments that the parser refuses.

use std::{env, process};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory};
use loghost_core::domain::Severity;

use super::configuration::{LOG_FORMAT, variables};
use super::{Cli, EXIT_TIMEOUT};
use crate::compose::plugins::suggestion::like;
use crate::ui::terminal::{self, OutputFormat};

/// Shows why the arguments are refused, without the passwords of URLs among them, or what they ask for; ends the process.
pub(super) fn exit(error: &clap::Error) -> ! {
    let logins: Vec<(String, String)> = arguments().filter_map(|argument| login(&argument)).collect();
    let is_json = is_log_json();
    if !error.use_stderr() || logins.is_empty() && !is_json {
        error.exit();
    }
    let text = error.render();
    let text = if is_json { text.to_string() } else { text.ansi().to_string() };
    let text = logins.iter().fold(text, |text, (login, user)| text.replace(login, user));
    if is_json {
        terminal::write_log_as(OutputFormat::Json);
        terminal::error(text.strip_prefix("error: ").unwrap_or(&text).trim_end(), None);
        terminal::finish(EXIT_TIMEOUT);
    } else {
        anstream::eprint!("{text}");
    }
    process::exit(error.exit_code())
}

/// Whether the log is to be JSON, by arguments that may be wrong, or else by the variable.
pub(super) fn is_log_json() -> bool {
    let arguments: Vec<String> = arguments().take_while(|argument| argument != "--").collect();
    let option = format!("--{LOG_FORMAT}");
    let is_given = |pair: &[String]| pair[0] == option && pair[1] == "json";
    if arguments.iter().any(|argument| argument.split('=').next() == Some(&*option)) {
        return arguments.windows(2).any(is_given) || arguments.contains(&format!("{option}=json"));
    }
    let is_json = |variable| env::var(variable).is_ok_and(|format| format == "json");
    variables(LOG_FORMAT).iter().any(is_json)
}

/// The arguments as they are shown: what is not UTF-8 is replaced.
fn arguments() -> impl Iterator<Item = String> {
    env::args_os().map(|argument| argument.to_string_lossy().into_owned())
}

/// What a URL has before its host, with its password and without; none if it has no password.
fn login(argument: &str) -> Option<(String, String)> {
    let (_scheme, rest) = argument.split_once("://")?;
    let (login, _host) = rest.rsplit_once('@')?;
    let (user, _password) = login.split_once(':')?;
    Some((format!("://{login}@"), format!("://{user}@")))
}

/// Adds what is probably meant: the command, where one is misspelled, or quotes around a message.
pub(super) fn suggesting(mut error: clap::Error) -> clap::Error {
    let first = arguments().nth(1).unwrap_or_default();
    if let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidSubcommand) {
        let wrong = wrong.clone();
        suggest_command(&mut error, &first, &wrong);
    } else if let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidArg)
        && error.kind() == ErrorKind::UnknownArgument
    {
        let wrong = wrong.clone();
        suggest_argument(&mut error, &first, &wrong);
    } else if first == "publish"
        && error.kind() == ErrorKind::ValueValidation
        && let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg)
        && argument == "[SEVERITY]"
    {
        suggest_severity(&mut error);
    }
    error
}

fn suggest_command(error: &mut clap::Error, first: &str, wrong: &str) {
    let mut all = Cli::command();
    // Gives it its `--version` and `--help`.
    all.build();
    if let Some(elsewhere) = elsewhere(&all, wrong) {
        error.remove(ContextKind::SuggestedSubcommand);
        tip(error, format!("there is `{elsewhere}`"));
        return;
    }
    if error.get(ContextKind::SuggestedSubcommand).is_some() {
        return;
    }
    let commands = all.find_subcommand(first).unwrap_or(&all);
    let names: Vec<String> = names(commands).collect();
    if let Some(meant) = like(wrong, names.clone()) {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![meant]));
    } else {
        tip(error, format!("the commands are {}", names.join(", ")));
    }
}

/// The command or option of exactly this name that is at another place.
fn elsewhere(all: &Command, wrong: &str) -> Option<String> {
    if all.get_arguments().any(|option| option.get_long() == Some(wrong)) {
        return Some(format!("loghost --{wrong}"));
    }
    if names(all).any(|name| name == wrong) {
        return Some(format!("loghost {wrong}"));
    }
    let has = |command: &&Command| names(command).any(|name| name == wrong);
    Some(format!("loghost {} {wrong}", all.get_subcommands().find(has)?.get_name()))
}

/// The commands of a command, but for `help`, which each has.
fn names(command: &Command) -> impl Iterator<Item = String> {
    command.get_subcommands().map(|command| command.get_name().to_owned()).filter(|name| name != "help")
}

/// Where an option of another tool is called otherwise here.
enum OptionOwner {
    /// With this command.
    Command(&'static str),
    /// With each command that has this option.
    Having(&'static str),
}

/// What options of other tools are called here: where, under which names, and what to do instead.
const CALLED_OTHERWISE: [(OptionOwner, &[&str], &str); 11] = [
    (
        OptionOwner::Command("run"),
        &["--source", "--severity", "--severities", "--level"],
        "which logs a plugin wants is in the plugin: `loghost plugin inspect FILE` shows it",
    ),
    (
        OptionOwner::Command("broker"),
        &["--port", "--host", "--bind", "--address"],
        "there is `--listen 127.0.0.1:5672`",
    ),
    (
        OptionOwner::Having("broker"),
        &[
            "--user",
            "--username",
            "--password",
            "--host",
            "--port",
            "--vhost",
            "--url",
            "--uri",
            "--amqp-url",
        ],
        "the broker is named by one URL: --broker amqp://user:password@host:port/vhost",
    ),
    (OptionOwner::Having("format"), &["--json"], "there is `--format json`"),
    (OptionOwner::Command("tail"), &["-f", "-F", "--follow"], "it follows by itself: leave that out"),
    (OptionOwner::Command("tail"), &["-n", "--lines"], "there is `--max-logs`, which counts from now on"),
    (OptionOwner::Command("tail"), &["--level", "--severities"], "there is `--severity`"),
    (OptionOwner::Command("publish"), &["-f"], "there is `--file`"),
    (OptionOwner::Command("publish"), &["-s"], "there are `--severity` and `--source`"),
    (OptionOwner::Command("run"), &["-s"], "there are `--set` and `--state`"),
    (OptionOwner::Command("publish"), &["-a"], "there is `--attribute`"),
];

fn suggest_argument(error: &mut clap::Error, first: &str, wrong: &str) {
    let name = wrong.split('=').next().unwrap_or_default();
    let known = CALLED_OTHERWISE.iter().find(|(of, names, _)| {
        let is_here = match of {
            OptionOwner::Command(command) => *command == first,
            OptionOwner::Having(option) => has(option),
        };
        is_here && names.contains(&name)
    });
    if let Some((.., instead)) = known {
        error.remove(ContextKind::SuggestedArg);
        tip(error, (*instead).to_owned());
    } else if !wrong.starts_with('-') {
        if let Some(instead) = instead_of_word(first, wrong) {
            tip(error, instead);
        }
    } else if first == "publish" && !wrong.starts_with("--") {
        let text = "a message that begins with `-` goes behind `--`: loghost publish error -- \"-5 degrees\"";
        tip(error, text.to_owned());
    } else if let Some(ContextValue::StyledStrs(mut tips)) = error.remove(ContextKind::Suggested) {
        // No value here begins with `--`: that it can be given as one is no help.
        let as_value = format!("-- {wrong}");
        tips.retain(|tip| !tip.to_string().contains(&as_value));
        if !tips.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
    }
}

/// What is probably meant by a word that has no place behind a command.
fn instead_of_word(first: &str, word: &str) -> Option<String> {
    let option = match first {
        // Its password is not shown.
        _ if word.starts_with("amqp") => return has("broker").then(|| "there is `--broker URL`".to_owned()),
        "publish" if word.contains('=') => "--attribute",
        "publish" => {
            return Some(
                "a message of several words needs quotes: loghost publish error \"disk full\"".to_owned(),
            );
        }
        "tail" | "record" if word.parse::<Severity>().is_ok() => "--severity",
        "record" => return Some(format!("it writes to standard output: loghost record > {word}")),
        "broker" => "--listen",
        "report" => "--state",
        "dead-letters" if has("number") && word.bytes().all(|byte| byte.is_ascii_digit()) => "--number",
        _ => return None,
    };
    Some(format!("there is `{option} {word}`"))
}

/// What is probably meant by a message, or a file, that stands where `publish` has a severity.
fn suggest_severity(error: &mut clap::Error) {
    let has = |option: &str| arguments().any(|argument| argument == option);
    let text = if has("--file") {
        "`--file` takes one file"
    } else if has("--stdin") {
        "`--stdin` reads standard input: loghost publish --stdin --severity info < app.log"
    } else {
        "a severity and a message: loghost publish error \"disk full\""
    };
    tip(error, text.to_owned());
}

/// Whether the command that the arguments name has this option.
fn has(option: &str) -> bool {
    let mut command = Cli::command();
    for word in arguments().skip(1) {
        let Some(subcommand) = command.find_subcommand(word) else { break };
        command = subcommand.clone();
    }
    command.build();
    command.get_arguments().any(|argument| argument.get_long() == Some(option))
}

fn tip(error: &mut clap::Error, text: String) {
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![text.into()]));
}
