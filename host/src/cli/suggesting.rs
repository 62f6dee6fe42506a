//! What is probably meant by arguments that the parser refuses.

use std::env;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory};

use super::Cli;
use crate::compose::suggestion::like;

/// Adds what is probably meant: the command, where one is misspelled, or quotes around a message.
pub(super) fn suggesting(mut error: clap::Error) -> clap::Error {
    let first = env::args().nth(1).unwrap_or_default();
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

/// What options of other tools are called here: of which command (any, if it is empty), under which names, and what to
/// do instead.
const CALLED_OTHERWISE: [(&str, &[&str], &str); 8] = [
    (
        "run",
        &["--source", "--severity", "--severities", "--level"],
        "which logs a plugin wants is in the plugin: `loghost plugin inspect FILE` shows it",
    ),
    ("broker", &["--port", "--host", "--bind", "--address"], "there is `--listen 127.0.0.1:5672`"),
    (
        "",
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
    ("", &["--json"], "there is `--format json`"),
    ("publish", &["-f"], "there is `--file`"),
    ("publish", &["-s"], "there are `--severity` and `--source`"),
    ("run", &["-s"], "there are `--set` and `--state`"),
    ("publish", &["-a"], "there is `--attribute`"),
];

fn suggest_argument(error: &mut clap::Error, first: &str, wrong: &str) {
    let name = wrong.split('=').next().unwrap_or_default();
    let known = CALLED_OTHERWISE
        .iter()
        .find(|(command, names, _)| (command.is_empty() || *command == first) && names.contains(&name));
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
        _ if word.starts_with("amqp") => "--broker",
        "publish" if word.contains('=') => "--attribute",
        "publish" => {
            return Some(
                "a message of several words needs quotes: loghost publish error \"disk full\"".to_owned(),
            );
        }
        "broker" => "--listen",
        "report" => "--state",
        "dead-letters" if word.bytes().all(|byte| byte.is_ascii_digit()) => "--number",
        _ => return None,
    };
    Some(format!("there is `{option} {word}`"))
}

/// What is probably meant by a message, or a file, that stands where `publish` has a severity.
fn suggest_severity(error: &mut clap::Error) {
    let has = |option: &str| env::args().any(|argument| argument == option);
    let text = if has("--file") {
        "`--file` takes one file"
    } else if has("--stdin") {
        "`--stdin` reads standard input: loghost publish --stdin --severity info < app.log"
    } else {
        "a severity and a message: loghost publish error \"disk full\""
    };
    tip(error, text.to_owned());
}

fn tip(error: &mut clap::Error, text: String) {
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![text.into()]));
}
