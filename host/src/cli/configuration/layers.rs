//! What is in force: what the command line says, over the environment, over the configuration file.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches};
use loghost_core::domain::printable_line;

use super::arguments::Arguments;
use super::file::{CONSUMERS, ConfigFile, ConsumerTable, Entry, PLUGIN, Problem, SETTINGS};
use super::location::FileLocation;
use super::option::{self, STREAM_ADDRESS};
use crate::cli::Cli;
use crate::cli::connection::FileArgs;
use crate::compose::failure::{Failure, Status};
use crate::compose::plugins::suggestion::is_like;

/// The file that is read if it is there and no other is named.
pub(in crate::cli) const FILE: &str = "loghost.toml";

/// Where a value comes from, in the order of precedence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Origin {
    Flag,
    Variable(String),
    File(FileLocation),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("argument"),
            Self::Variable(name) => f.write_str(name),
            Self::File(location) => location.fmt(f),
        }
    }
}

/// The values of an option, and where they come from.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) values: Vec<String>,
    pub(super) origin: Origin,
}

/// What is in force for a command.
pub(in crate::cli) struct InForce {
    /// The command line that says all of it.
    pub(in crate::cli) arguments: Vec<OsString>,
    /// The file that was read.
    pub(in crate::cli) file: Option<PathBuf>,
    /// What is given, by the names of options.
    pub(super) given: BTreeMap<String, Given>,
    pub(super) consumers: Vec<ConsumerTable>,
    pub(super) folder: PathBuf,
}

/// Which options a command takes from the environment and the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    All,
    OfEveryCommand,
}

impl InForce {
    /// What is in force with these arguments, which the parser has taken.
    pub(in crate::cli) fn of(arguments: Arguments, matches: &ArgMatches) -> Result<Self, Failure> {
        let mut root = Cli::command();
        root.build();
        let (mut command, mut matches, mut path) = (&root, matches, Vec::new());
        while let Some((name, beneath)) = matches.subcommand()
            && let Some(found) = command.find_subcommand(name)
        {
            path.push(name.to_owned());
            (command, matches) = (found, beneath);
        }
        let scope = match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["run"] | ["config", "show" | "check"] => Scope::All,
            _ => Scope::OfEveryCommand,
        };
        let Arguments { given: arguments, taken_back } = arguments;
        let mut in_force = Self {
            arguments,
            file: None,
            given: BTreeMap::new(),
            consumers: Vec::new(),
            folder: PathBuf::new(),
        };
        for arg in option::options(command) {
            if option::key(arg).is_some_and(|key| taken_back.iter().any(|name| name == key)) {
                in_force.put(arg, vec!["false".to_owned()], Origin::Flag);
            } else {
                in_force.take_argument(arg, matches);
            }
        }
        let takes = |arg: &&Arg| scope == Scope::All || option::is_of_every_command(arg);
        let options: Vec<&Arg> = option::options(command).filter(takes).collect();
        let mut added = in_force.take_variables(command, &options)?;
        if let Some(path) = file(command, matches) {
            let run = root.find_subcommand("run").unwrap_or(command);
            added.extend(in_force.take_file(&path, (command, &options), run)?);
            in_force.file = Some(path);
        }
        if !in_force.reads_streams(command) {
            // It is said for all commands, and an argument is refused.
            let option = format!("--{STREAM_ADDRESS}=");
            added.retain(|argument| !argument.to_string_lossy().starts_with(&option));
        }
        if let Some(origin) = in_force.origin("broker") {
            added.push(format!("--broker-from={origin}").into());
        }
        let end = in_force.arguments.iter().position(|argument| argument == "--");
        let end = end.unwrap_or(in_force.arguments.len());
        in_force.arguments.splice(end..end, added);
        Ok(in_force)
    }

    fn take_argument(&mut self, arg: &Arg, matches: &ArgMatches) {
        let id = arg.get_id().as_str();
        if matches.value_source(id) != Some(ValueSource::CommandLine) {
            return;
        }
        let text = |raw: &OsStr| raw.to_string_lossy().into_owned();
        let values = matches.get_raw(id).into_iter().flatten().map(text).collect();
        self.put(arg, values, Origin::Flag);
    }

    fn take_variables(&mut self, command: &Command, options: &[&Arg]) -> Result<Vec<OsString>, Failure> {
        let above = self.given.clone();
        let mut added = Vec::new();
        for arg in options.iter().filter(|arg| !is_above(&above, command, arg)) {
            // An empty variable is none; one that cannot be used is not passed over for the next.
            let value = |name: String| {
                let value = env::var_os(&name).filter(|value| !value.is_empty())?;
                Some((name, value))
            };
            let variables = option::variables(option::key(arg).unwrap_or_default());
            let Some((name, value)) = variables.into_iter().find_map(value) else { continue };
            let wrong = |reason: &str| Failure::new(Status::BadConfiguration, format!("{name}: {reason}"));
            let text = value.to_str().ok_or_else(|| wrong("this is not UTF-8"))?;
            let values = option::of_variable(arg, text);
            if let Some(reason) = option::refusal(arg, &values) {
                return Err(wrong(&reason));
            }
            added.extend(option::arguments(arg, &values));
            self.put(arg, values, Origin::Variable(name));
        }
        Ok(added)
    }

    fn take_file(
        &mut self,
        path: &Path,
        (command, options): (&Command, &[&Arg]),
        run: &Command,
    ) -> Result<Vec<OsString>, Failure> {
        let ConfigFile { folder, entries, consumers, mut problems } = ConfigFile::read(path)?;
        let above = self.given.clone();
        let mut added = Vec::new();
        for entry in entries {
            let Entry { key, location, values, .. } = &entry;
            if let Err(problem) = check(run, &entry, &folder, &[CONSUMERS]) {
                problems.push(problem);
                continue;
            }
            let of_command = options.iter().find(|arg| option::key(arg) == Some(key));
            if let Some(arg) = of_command.filter(|arg| !is_above(&above, command, arg)) {
                let values = option::of_file(arg, values, &folder);
                added.extend(option::arguments(arg, &values));
                self.put(arg, values, Origin::File(location.clone()));
            }
        }
        let of_consumer = super::consumers::command();
        for entry in consumers.iter().flat_map(|consumer| &consumer.entries) {
            problems.extend(check(&of_consumer, entry, &folder, &[PLUGIN, SETTINGS]).err());
        }
        if !problems.is_empty() {
            problems.sort();
            let lines: Vec<String> =
                problems.into_iter().map(|(location, text)| format!("{location}: {text}")).collect();
            return Err(Failure::new(Status::BadConfiguration, lines.join("\n")));
        }
        (self.consumers, self.folder) = (consumers, folder);
        Ok(added)
    }

    fn put(&mut self, arg: &Arg, values: Vec<String>, origin: Origin) {
        if let Some(key) = option::key(arg) {
            self.given.insert(key.to_owned(), Given { values, origin });
        }
    }

    /// Whether the command reads streams: one that need not is told to by another option.
    fn reads_streams(&self, command: &Command) -> bool {
        let has = |key| option::options(command).any(|arg| option::key(arg) == Some(key));
        let given = |key| self.given.get(key);
        if has("queue-type") {
            given("queue-type").is_some_and(|given| given.values == ["stream"])
        } else {
            !has("from") || given("from").is_some()
        }
    }

    /// The variable or the location that an option's value comes from, if it is not an argument.
    fn origin(&self, key: &str) -> Option<&Origin> {
        self.given.get(key).map(|given| &given.origin).filter(|origin| **origin != Origin::Flag)
    }

    /// The same failure; where it is about an option that is no argument, its location is named instead.
    pub(in crate::cli) fn told(&self, failure: Failure) -> Failure {
        let text = failure.text().unwrap_or_default();
        let Some(rest) = text.strip_prefix("--") else { return failure };
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(rest.len());
        let (key, rest) = rest.split_at(end);
        match self.origin(key) {
            Some(Origin::Variable(name)) => Failure::new(Status::BadConfiguration, format!("{name}{rest}")),
            Some(Origin::File(location)) => {
                Failure::new(Status::BadConfiguration, format!("{location}: {key}{rest}"))
            }
            _ => failure,
        }
    }

    /// What it means that the parser does not take what the environment and the file add.
    pub(in crate::cli) fn refused(&self, error: &clap::Error) -> Failure {
        let reason = option::first_line(error);
        // Of several options that exclude each other, the first one.
        let named =
            |key: &&String| [' ', '[', '\''].iter().any(|end| reason.contains(&format!("'--{key}{end}")));
        let origin = self.given.keys().filter(named).find_map(|key| self.origin(key));
        let location = origin.map_or_else(|| "the configuration".to_owned(), ToString::to_string);
        Failure::new(Status::BadConfiguration, format!("{location}: {reason}"))
    }
}

/// Whether something of a higher precedence says it, or cannot be together with it.
fn is_above(above: &BTreeMap<String, Given>, command: &Command, arg: &Arg) -> bool {
    let is_given = |arg: &Arg| {
        let given = option::key(arg).and_then(|key| above.get(key));
        given.is_some_and(|given| !option::is_flag(arg) || given.values == ["true"])
    };
    let excludes =
        |other: &Arg| command.get_arg_conflicts_with(other).iter().any(|it| it.get_id() == arg.get_id());
    let is_said = option::key(arg).is_some_and(|key| above.contains_key(key));
    is_said
        || command.get_arg_conflicts_with(arg).into_iter().any(is_given)
        || option::options(command).any(|other| is_given(other) && excludes(other))
}

/// An error if an entry has an unknown key, or a value that is none of it; there are `others` beside options.
fn check(command: &Command, entry: &Entry, folder: &Path, others: &[&str]) -> Result<(), Problem> {
    let Entry { key, key_location, location, values } = entry;
    let Some(arg) = option::options(command).find(|arg| option::key(arg) == Some(key)) else {
        let keys = option::options(command).filter_map(option::key).chain(others.iter().copied());
        let meant = is_like(key, keys.map(str::to_owned));
        return Err((key_location.clone(), format!("unknown key `{}`{meant}", printable_line(key))));
    };
    match option::refusal(arg, &option::of_file(arg, values, folder)) {
        Some(reason) => Err((location.clone(), format!("{key}: {reason}"))),
        None => Ok(()),
    }
}

/// The file that a command reads.
fn file(command: &Command, matches: &ArgMatches) -> Option<PathBuf> {
    if command.get_arguments().all(|arg| arg.get_id() != option::CONFIG) {
        return None;
    }
    let variable = env::var_os("LOGHOST_CONFIG").map(PathBuf::from);
    FileArgs::from_arg_matches(matches).ok()?.path(variable, Path::new(FILE))
}
