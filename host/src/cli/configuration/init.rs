//! A configuration file to begin with: every key, what it is, and its default.

use std::fmt::Write;

use clap::{Arg, Command};

use super::file::{CONSUMERS, PLUGIN, SETTINGS};
use super::{consumers, option};

/// The width of comments.
const WIDTH: usize = 100;

const HEAD: &str = "\
# The configuration of loghost: each key is the option of `loghost run` that is called so, and `loghost run --help` says
# more of it. An argument (--queue-type) goes before an environment variable (LOGHOST_QUEUE_TYPE), and that before this file.
# Relative paths start from the folder of this file. A line that begins with `#` is a comment: the values are the defaults,
# or, in angle brackets, what a value is.
#
# `loghost config check` says what is wrong with this file, `loghost config show` what is in force.
";

const CONSUMER: &str = "\
# Consumers: what `loghost run` without plugins runs. Each is called as its plugin calls itself.
#
# [consumers.error]
# plugin = \"plugins/error.wasm\"
#
# What its plugin is configured with. A secret is in a file, which nobody else may read; a relative path may also be the name
# of one of systemd's credentials.
# settings = { key = \"value\", token = { file = \"<PATH>\" } }
#
# These may also be given for one consumer, and then go before what is above:
";

/// The text of such a file. `run` is described with its defaults.
pub(in crate::cli) fn text(run: &Command) -> String {
    let mut text = HEAD.to_owned();
    let mut heading = None;
    let mut options: Vec<&Arg> = option::options(run).collect();
    // Those of one heading together, in the order of the help.
    let headings: Vec<Option<&str>> = options.iter().map(|arg| arg.get_help_heading()).collect();
    options.sort_by_key(|arg| headings.iter().position(|heading| *heading == arg.get_help_heading()));
    for arg in options {
        if heading != Some(arg.get_help_heading()) {
            heading = Some(arg.get_help_heading());
            let _ = write!(text, "\n\n# ---- {} ----\n", arg.get_help_heading().unwrap_or("The run"));
        }
        text.push('\n');
        comment(&mut text, arg);
        let _ = writeln!(text, "# {} = {}", option::key(arg).unwrap_or_default(), value(arg));
    }
    let _ = write!(text, "\n\n{CONSUMER}");
    for arg in option::options(&consumers::command()) {
        let shown = run.get_arguments().find(|other| other.get_id() == arg.get_id()).unwrap_or(arg);
        let _ = writeln!(text, "# {} = {}", option::key(arg).unwrap_or_default(), value(shown));
    }
    debug_assert!(text.contains(CONSUMERS) && text.contains(PLUGIN) && text.contains(SETTINGS));
    text
}

fn comment(text: &mut String, arg: &Arg) {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let help = help.split(" [default:").next().unwrap_or_default();
    let mut line = "#".to_owned();
    for word in help.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{line}");
            "#".clone_into(&mut line);
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

/// The default of an option as it is written in the file, or what its value is.
fn value(arg: &Arg) -> String {
    if option::is_flag(arg) {
        return "false".to_owned();
    }
    let name = arg.get_value_names().and_then(|names| names.first()).map_or("VALUE", |name| name.as_str());
    let default = arg.get_default_values().first().map(|value| value.to_string_lossy().into_owned());
    let quoted = match default {
        Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => number,
        Some(text) => format!("\"{text}\""),
        None => format!("\"<{name}>\""),
    };
    if option::is_list(arg) { format!("[{quoted}]") } else { quoted }
}
