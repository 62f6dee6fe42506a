//! The command line, without flags that it takes back: these exclude nothing, and need nothing.

use std::env;
use std::ffi::{OsStr, OsString};

use clap::{Command, CommandFactory};

use super::option;
use crate::cli::Cli;

/// The end of an argument that takes a flag back.
const TAKEN_BACK: &str = "=false";

/// What a process was given.
pub(in crate::cli) struct Arguments {
    /// Those that the parser is given, with the name.
    pub(in crate::cli) given: Vec<OsString>,
    /// The names of the flags that are taken back, whatever the environment and the file say: `watch` of `--watch=false`.
    pub(super) taken_back: Vec<String>,
}

impl Arguments {
    /// Those of this process.
    pub(in crate::cli) fn of_process() -> Self {
        Self::of(env::args_os().collect())
    }

    fn of(given: Vec<OsString>) -> Self {
        let ends = |argument: &OsString| argument.as_encoded_bytes().ends_with(TAKEN_BACK.as_bytes());
        if !given.iter().any(ends) {
            return Self { given, taken_back: Vec::new() };
        }
        let mut root = Cli::command();
        root.build();
        let end = given.iter().position(|argument| argument == "--").unwrap_or(given.len());
        let command = command(&root, &given[..end]);
        let name = |argument: &OsStr| {
            let name = argument.to_str()?.strip_prefix("--")?.strip_suffix(TAKEN_BACK)?;
            let mut flags = option::options(command).filter(|arg| option::is_flag(arg));
            flags.any(|arg| option::key(arg) == Some(name)).then(|| name.to_owned())
        };
        let (mut still_given, mut taken_back) = (Vec::new(), Vec::new());
        for (at, argument) in given.iter().enumerate() {
            // One that is given twice is left to the parser, which refuses that.
            match name(argument).filter(|name| at < end && occurrences(&given[..end], name) == 1) {
                Some(name) => taken_back.push(name),
                None => still_given.push(argument.clone()),
            }
        }
        Self { given: still_given, taken_back }
    }
}

/// The command that is named.
fn command<'a>(root: &'a Command, arguments: &[OsString]) -> &'a Command {
    arguments.iter().fold(root, |command, argument| command.find_subcommand(argument).unwrap_or(command))
}

/// How often a flag is given, or taken back.
fn occurrences(arguments: &[OsString], name: &str) -> usize {
    let is_it = |argument: &&OsString| {
        let given = argument.to_str().and_then(|argument| argument.strip_prefix("--"));
        given.is_some_and(|given| given.split('=').next() == Some(name))
    };
    arguments.iter().filter(is_it).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is(line: &str, given: &str, taken_back: &[&str]) {
        let words = |line: &str| line.split_whitespace().map(OsString::from).collect::<Vec<_>>();
        let arguments = Arguments::of(words(line));
        assert_eq!(arguments.given, words(given));
        assert_eq!(arguments.taken_back, taken_back);
    }

    #[test]
    fn flags_of_the_command_are_taken_back() {
        is("loghost run --ephemeral=false --state s p", "loghost run --state s p", &["ephemeral"]);
        is("loghost config check --watch=false", "loghost config check", &["watch"]);
        for as_it_is in [
            "loghost run --ephemeral --watch=true p",
            "loghost run --watch --watch=false p",
            "loghost run --state=false p",
            "loghost run -- --watch=false",
            "loghost publish error --watch=false",
            "loghost --watch=false",
        ] {
            is(as_it_is, as_it_is, &[]);
        }
    }
}
