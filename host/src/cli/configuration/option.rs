//! The options that the environment and the configuration file may give as well: all those of `run`, which the parser of the
//! command line describes.

use std::any::TypeId;
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::ValueRange;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};

use super::credentials;
use crate::compose::plugins::suggestion::is_like;

/// Where the URL of the broker is looked for, in this order.
pub(in crate::cli) const BROKER_VARIABLES: [&str; 5] =
    ["LOGHOST_BROKER", "LOGHOST_AMQP_URL", "AMQP_URL", "RABBITMQ_URL", "CLOUDAMQP_URL"];

/// The one that says which file is read.
pub(super) const CONFIG: &str = "config";

/// The heading of those that every command takes from the environment and the file, if it has them.
const OF_EVERY_COMMAND: &str = "Broker";

/// The one that says how the log is written.
pub(in crate::cli) const LOG_FORMAT: &str = "log-format";

/// The one that is for those commands alone that read streams.
pub(super) const STREAM_ADDRESS: &str = "stream-address";

/// Those that are for every command that has them, whatever their heading.
const GLOBAL: [&str; 2] = [LOG_FORMAT, STREAM_ADDRESS];

/// The name of an option, which is its key in the file too; none for what is no such option.
pub(super) fn key(arg: &Arg) -> Option<&str> {
    let key = arg.get_long().filter(|key| ![CONFIG, "no-config", "help", "version"].contains(key))?;
    (!arg.is_hide_set()).then_some(key)
}

/// Those of a command.
pub(super) fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| key(arg).is_some())
}

/// Whether every command takes it from the environment and the file.
pub(super) fn is_of_every_command(arg: &Arg) -> bool {
    arg.get_help_heading() == Some(OF_EVERY_COMMAND) || key(arg).is_some_and(|key| GLOBAL.contains(&key))
}

/// The variables that may give it.
pub(in crate::cli) fn variables(key: &str) -> Vec<String> {
    match key {
        "broker" => BROKER_VARIABLES.map(str::to_owned).to_vec(),
        key => vec![format!("LOGHOST_{}", key.to_uppercase().replace('-', "_"))],
    }
}

/// Whether it may be given several times.
pub(super) fn is_list(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// Whether it is true or false.
pub(super) fn is_flag(arg: &Arg) -> bool {
    arg.get_value_parser().type_id() == TypeId::of::<bool>()
}

/// The values that a variable has: of an option that may be given several times, each line is one.
pub(super) fn of_variable(arg: &Arg, text: &str) -> Vec<String> {
    if is_list(arg) { text.lines().map(str::to_owned).collect() } else { vec![text.to_owned()] }
}

/// The values as they stand in a file in `folder`, which relative paths start from.
pub(super) fn of_file(arg: &Arg, values: &[String], folder: &Path) -> Vec<String> {
    let is_path = arg.get_value_parser().type_id() == TypeId::of::<PathBuf>();
    let is_secret = key(arg).is_some_and(|key| key.ends_with("-file"));
    let whole = |value: &String| match (is_path, is_secret) {
        _ if value.is_empty() => value.clone(),
        (true, true) => credentials::path(folder, value).to_string_lossy().into_owned(),
        (true, false) => folder.join(value).to_string_lossy().into_owned(),
        (false, _) => value.clone(),
    };
    values.iter().map(whole).collect()
}

/// What is wrong with these values, if something is.
pub(super) fn refusal(arg: &Arg, values: &[String]) -> Option<String> {
    if is_flag(arg) {
        let is_one = matches!(values, [value] if value == "true" || value == "false");
        return (!is_one).then(|| "expected true or false".to_owned());
    }
    if !is_list(arg) && values.len() != 1 {
        return Some("expected one value".to_owned());
    }
    let key = key(arg)?;
    let alone = Arg::new("value")
        .long(key.to_owned())
        .action(arg.get_action().clone())
        .num_args(arg.get_num_args().unwrap_or(ValueRange::SINGLE))
        .value_parser(arg.get_value_parser().clone());
    let command = Command::new("value").no_binary_name(true).arg(alone);
    let error = command.try_get_matches_from(arguments(arg, values)).err()?;
    Some(reason(&error))
}

/// Why the parser does not take a value.
fn reason(error: &clap::Error) -> String {
    if let Some(source) = error.source() {
        return source.to_string();
    }
    if let Some(ContextValue::Strings(good)) = error.get(ContextKind::ValidValue)
        && let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidValue)
    {
        return format!("expected {}{}", good.join(", "), is_like(given, good.clone()));
    }
    first_line(error)
}

/// The first line of what the parser says.
pub(super) fn first_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    match lines.next() {
        Some(second) if first.ends_with(':') => format!("{first} {second}"),
        _ => first,
    }
}

/// The arguments that give it these values.
pub(super) fn arguments(arg: &Arg, values: &[String]) -> Vec<OsString> {
    let key = key(arg).unwrap_or_default();
    let argument = |value: &String| {
        if is_flag(arg) {
            (value == "true").then(|| format!("--{key}"))
        } else {
            Some(format!("--{key}={value}"))
        }
    };
    values.iter().filter_map(argument).map(OsString::from).collect()
}
