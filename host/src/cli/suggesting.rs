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

fn suggest_argument(error: &mut clap::Error, first: &str, wrong: &str) {
    if first == "publish" && !wrong.starts_with('-') {
        tip(error, "a message of several words needs quotes: loghost publish error \"disk full\"".to_owned());
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

fn tip(error: &mut clap::Error, text: String) {
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![text.into()]));
}
