//! Values of arguments.

mod begin;
mod size;
mod time;

use std::net::SocketAddr;
use std::num::{IntErrorKind, ParseIntError};
use std::path::Path;
use std::str::FromStr;

use clap::{Arg, ArgAction, value_parser};
use loghost_core::application::Tolerance;
use loghost_core::domain::scenario::ConsumerRef;
use loghost_core::domain::{ConsumerName, Severity, UnknownSeverity};
use regex::Regex;

pub(super) use self::begin::{begin, past};
pub(super) use self::size::{bytes, memory, queue_memory, segment, stack, stream_size};
pub(super) use self::time::{age, duration};
use crate::compose::failure::{Failure, Status};
use crate::compose::plugins::suggestion::like;

/// `key=value`; the key is not empty.
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected key=value".to_owned()),
    }
}

/// A number that is not zero.
pub(super) fn from_one<N: FromStr<Err = ParseIntError>>(text: &str) -> Result<N, String> {
    number(text, 1)
}

/// A number, which may be zero.
pub(super) fn from_zero<N: FromStr<Err = ParseIntError>>(text: &str) -> Result<N, String> {
    number(text, 0)
}

fn number<N: FromStr<Err = ParseIntError>>(text: &str, least: u8) -> Result<N, String> {
    text.parse().map_err(|error: ParseIntError| match error.kind() {
        IntErrorKind::PosOverflow => {
            let most = u64::MAX >> (u64::BITS as usize - 8 * size_of::<N>());
            format!("expected a number from {least} to {most}")
        }
        _ => format!("expected a number from {least}"),
    })
}

/// A consumer; what cannot be one's name may have it in it.
pub(super) fn consumer(text: &str) -> Result<ConsumerName, String> {
    text.parse().map_err(|error| match named_in(text) {
        Some(meant) => format!("{error} (is `{meant}` meant?)"),
        None => format!("{error}"),
    })
}

/// The consumer of the plugin in a file, of a queue or of dead letters that are called so.
fn named_in(text: &str) -> Option<ConsumerName> {
    let path = Path::new(text);
    let name = if path.extension().is_some_and(|extension| extension == "wasm") {
        path.file_stem()?.to_str()?
    } else {
        text.strip_suffix(".dead").unwrap_or(text).rsplit(['.', '/']).next()?
    };
    name.parse().ok()
}

/// The name of an exchange that is published to.
pub(super) fn exchange(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("expected the name of an exchange".to_owned()),
        1..=255 => Ok(text.to_owned()),
        length => Err(format!("the name of an exchange has at most 255 bytes, this one has {length}")),
    }
}

/// A severity; what is none may be another's word, or misspelled.
pub(super) fn severity(text: &str) -> Result<Severity, String> {
    let lower = text.to_lowercase();
    let meant = |error: UnknownSeverity| match lower.as_str() {
        "warn" | "warning" => format!("{error}; where others warn, take info or error"),
        "-" => format!("{error}; lines of standard input are published with --stdin --severity SEVERITY"),
        _ => {
            let names = Severity::ALL.map(|severity| severity.to_string());
            let nearest = Severity::nearest(text).map(|severity| severity.to_string());
            let same = || names.iter().find(|name| **name == lower).cloned();
            let meant = nearest.or_else(same).or_else(|| like(&lower, names.clone()));
            let meant = meant.map(|meant| format!(" (is `{meant}` meant?)"));
            format!("{error}{}", meant.unwrap_or_default())
        }
    };
    text.parse().map_err(meant)
}

/// `level=severity`: a level's word or number.
pub(super) fn level(text: &str) -> Result<(String, Severity), String> {
    match text.split_once('=') {
        Some((level, name)) if !level.trim().is_empty() => Ok((level.to_owned(), severity(name)?)),
        _ => Err("expected LEVEL=SEVERITY, such as warn=error or 35=info".to_owned()),
    }
}

/// A consumer as scenarios name it.
pub(super) fn expected(text: &str) -> Result<ConsumerRef, String> {
    let is_line = !text.contains(['\n', '\r']);
    let consumer = ConsumerRef::new(text.to_owned()).filter(|_| is_line);
    consumer.ok_or_else(|| {
        "expected a bundled plugin, such as `error`, or a plugin's file, such as ./mine.wasm".to_owned()
    })
}

/// A regular expression.
pub(super) fn regex(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| error.to_string())
}

/// An address to listen at.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        let named = text.replace("localhost", "127.0.0.1");
        let like = [format!("127.0.0.1:{}", text.trim_start_matches(':')), format!("{named}:5672"), named];
        let meant = like.iter().find(|address| address.parse::<SocketAddr>().is_ok());
        let meant = meant.map(|address| format!(" (is {address} meant?)")).unwrap_or_default();
        format!("expected an IP address and a port, such as 127.0.0.1:5672 or [::1]:0{meant}")
    })
}

/// So many failures among so many logs, such as `25/30`.
pub(super) fn tolerance(text: &str) -> Result<Tolerance, String> {
    let numbers = text.split_once('/').and_then(|(failures, window)| {
        Some(Tolerance { failures: failures.parse().ok()?, window: window.parse().ok()? })
    });
    match numbers {
        Some(Tolerance { failures, window }) if failures > window => {
            Err("there are more failures than logs: expected FAILURES/LOGS, such as 25/30".to_owned())
        }
        Some(tolerance) if tolerance.failures > 0 && tolerance.window <= 10_000 => Ok(tolerance),
        _ => Err("expected FAILURES/LOGS, such as 25/30, and at most 10000 logs".to_owned()),
    }
}

/// Settings whose keys are all different.
pub(super) fn unique(settings: Vec<(String, String)>) -> Result<Vec<(String, String)>, Failure> {
    for (n, (key, _)) in settings.iter().enumerate() {
        if settings[..n].iter().any(|(other, _)| other == key) {
            return Err(Failure::new(Status::Usage, format!("--set {key}=... is given twice")));
        }
    }
    Ok(settings)
}

/// A flag that an argument can also take back, where something else has set it: `--watch=false`.
pub(super) fn flag(arg: Arg) -> Arg {
    if !matches!(arg.get_action(), ArgAction::SetTrue) {
        return arg;
    }
    let arg = arg.action(ArgAction::Set).value_parser(value_parser!(bool)).value_name("BOOL");
    let arg = arg.num_args(0..=1).require_equals(true).default_missing_value("true").default_value("false");
    arg.hide_default_value(true).hide_possible_values(true)
}
