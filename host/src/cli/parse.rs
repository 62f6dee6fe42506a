//! Values of arguments.

use std::net::SocketAddr;
use std::num::{IntErrorKind, ParseIntError};
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytesize::ByteSize;
use clap::{Arg, ArgAction, value_parser};
use loghost_core::application::Tolerance;
use loghost_core::domain::scenario::ConsumerRef;
use loghost_core::domain::{ConsumerName, Severity, UnknownSeverity};
use loghost_rabbitmq::Begin;
use loghost_system::STACK;
use regex::Regex;

use crate::compose::failure::{Failure, Status};
use crate::compose::suggestion::like;

/// The most stack that a plugin may be given: the host's own calls around it need room as well.
const MOST_STACK: ByteSize = ByteSize(STACK as u64 / 2);

/// A page of WebAssembly's memory.
const PAGE: ByteSize = ByteSize(64 << 10);

/// With less than this, the embedded broker would hold publishers back from the beginning.
const LEAST_QUEUES: ByteSize = ByteSize(64 << 10);

/// All that a plugin's addresses reach.
const MOST_MEMORY: ByteSize = ByteSize(1 << 32);

/// The longest that a stream is told to keep logs: beyond that it can keep them without end.
const MOST_AGE: Duration = Duration::from_hours(24 * 365 * 100);

/// What the broker has numbers for.
const MOST_OF_STREAM: ByteSize = ByteSize(1 << 62);

/// The broker's index of a segment has 32 bits for where a chunk is.
const MOST_OF_SEGMENT: ByteSize = ByteSize(3_000_000_000);

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

/// The longest time that makes sense, and far from any overflow.
const LONGEST: Duration = Duration::from_hours(24 * 366);

/// A time such as `2s`, `500ms` or `1m 30s`; not zero.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be greater than zero".to_owned()),
        Ok(duration) if duration > LONGEST => Err("expected at most a year".to_owned()),
        Ok(duration) => Ok(duration),
        Err(_) => Err("expected a time with its unit, such as 2s or 500ms".to_owned()),
    }
}

/// A number of bytes such as `64MiB`; not zero.
pub(super) fn bytes(text: &str) -> Result<ByteSize, String> {
    match text.parse::<ByteSize>() {
        Ok(ByteSize(0)) => Err("must be greater than zero".to_owned()),
        Ok(size) => Ok(size),
        Err(_) => Err("expected a size such as 64MiB or 512KiB".to_owned()),
    }
}

/// A size of memory for queued messages, enough to take some.
pub(super) fn queue_memory(text: &str) -> Result<ByteSize, String> {
    match bytes(text)? {
        size if size < LEAST_QUEUES => Err(format!("expected at least {LEAST_QUEUES}, such as 64MiB")),
        size => Ok(size),
    }
}

/// A size of memory: at least a page of WebAssembly's, of which every plugin has one.
pub(super) fn memory(text: &str) -> Result<ByteSize, String> {
    match bytes(text)? {
        size if size < PAGE => Err(format!("a plugin has at least {PAGE}; expected a size such as 64MiB")),
        size if size > MOST_MEMORY => {
            Err(format!("a plugin's addresses have 32 bits: expected at most {MOST_MEMORY}"))
        }
        size => Ok(size),
    }
}

/// A size of stack: at most what the engine and the host's threads have room for.
pub(super) fn stack(text: &str) -> Result<ByteSize, String> {
    match bytes(text)? {
        size if size > MOST_STACK => Err(format!("expected at most {MOST_STACK}")),
        size => Ok(size),
    }
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

/// How long a stream keeps logs: in whole seconds, as the broker counts.
pub(super) fn age(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(age) if age < Duration::from_secs(1) => Err("expected at least a second".to_owned()),
        Ok(age) if age > MOST_AGE => Err("expected at most a hundred years".to_owned()),
        Ok(age) => Ok(Duration::from_secs(age.as_secs())),
        Err(_) => Err("expected a time with its unit, such as 7d or 12h".to_owned()),
    }
}

/// A size of a stream: what the broker has numbers for.
pub(super) fn stream_size(text: &str) -> Result<ByteSize, String> {
    at_most(MOST_OF_STREAM, text, "20GB or 500MB")
}

/// A size of a segment of a stream.
pub(super) fn segment(text: &str) -> Result<ByteSize, String> {
    at_most(MOST_OF_SEGMENT, text, "500MB or 50MB")
}

fn at_most(most: ByteSize, text: &str, like: &str) -> Result<ByteSize, String> {
    match text.parse::<ByteSize>() {
        Ok(ByteSize(0)) => Err("must be greater than zero".to_owned()),
        Ok(size) if size > most => Err(format!("expected at most {most}")),
        Ok(size) => Ok(size),
        Err(_) => Err(format!("expected a size such as {like}")),
    }
}

/// Where to begin in a stream.
pub(super) fn begin(text: &str) -> Result<Begin, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    begin_at(text, now)
}

/// Where to begin in what a stream has.
pub(super) fn past(text: &str) -> Result<Begin, String> {
    match begin(text)? {
        Begin::Next => {
            Err("behind what is there, there is nothing: expected first, last, a time or an offset"
                .to_owned())
        }
        begin => Ok(begin),
    }
}

/// The same, at this time since the Unix epoch.
fn begin_at(text: &str, now: Duration) -> Result<Begin, String> {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    match text {
        "first" => return Ok(Begin::First),
        "last" => return Ok(Begin::Last),
        "next" => return Ok(Begin::Next),
        _ => {}
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let offset = text.parse().map_err(|_| format!("expected an offset of at most {}", u64::MAX))?;
        return Ok(Begin::Offset(offset));
    }
    if humantime::parse_duration(text).is_ok() {
        return Ok(Begin::Time(millis(now.saturating_sub(duration(text)?))));
    }
    match time(text)? {
        time if time > now => Err("this is not yet: for what is published from now on, give next".to_owned()),
        time => Ok(Begin::Time(millis(time))),
    }
}

/// A time such as `2026-11-25T10:00Z`, as that since the Unix epoch; the seconds may be left out.
fn time(text: &str) -> Result<Duration, String> {
    let whole = match text.strip_suffix('Z') {
        Some(time) if time.len() == "2026-11-25T10:00".len() => format!("{time}:00Z"),
        _ => text.to_owned(),
    };
    match humantime::parse_rfc3339(&whole) {
        Ok(time) => time.duration_since(UNIX_EPOCH).map_err(|_| "expected a time since 1970".to_owned()),
        Err(_) if text.starts_with(|first: char| first.is_ascii_digit()) && text.contains('-') => {
            Err("expected a time in UTC, such as 2026-11-25T10:00Z or 2026-11-25T10:00:30Z".to_owned())
        }
        Err(_) => Err("expected first, last, next, a time ago such as 2h, a time in UTC such as \
                       2026-11-25T10:00Z, or an offset"
            .to_owned()),
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_millis(1_764_000_000_500);

    #[test]
    fn a_place_in_a_stream_is_written_in_many_ways() {
        for (text, expected) in [
            ("first", Begin::First),
            ("last", Begin::Last),
            ("next", Begin::Next),
            ("0", Begin::Offset(0)),
            ("18446744073709551615", Begin::Offset(u64::MAX)),
            ("1m", Begin::Time(1_763_999_940_500)),
            ("1h 30m", Begin::Time(1_763_994_600_500)),
            ("1970-01-01T00:01Z", Begin::Time(60_000)),
            ("2024-02-29T23:59:30Z", Begin::Time(1_709_251_170_000)),
            ("2024-02-29T23:59:30.250Z", Begin::Time(1_709_251_170_250)),
        ] {
            assert_eq!(begin_at(text, NOW), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for (text, expected) in [
            ("", "expected first, last, next"),
            ("yesterday", "expected first, last, next"),
            ("-5", "expected first, last, next"),
            ("18446744073709551616", "expected an offset of at most"),
            ("0s", "must be greater than zero"),
            ("20y", "expected at most a year"),
            ("2024-02-29", "expected a time in UTC"),
            ("2024-02-29T23:59", "expected a time in UTC"),
            ("2024-02-30T23:59Z", "expected a time in UTC"),
            ("2024-02-29T23:59+01:00", "expected a time in UTC"),
            ("1969-12-31T23:59Z", "expected a time"),
            ("2030-01-01T00:00Z", "this is not yet"),
        ] {
            let refused = begin_at(text, NOW).unwrap_err();
            assert!(refused.starts_with(expected), "{text}: {refused}");
        }
    }

    #[test]
    fn an_age_is_in_whole_seconds() {
        assert_eq!(age("7d"), Ok(Duration::from_hours(7 * 24)));
        assert_eq!(age("1500ms"), Ok(Duration::from_secs(1)));
        assert!(age("999ms").is_err() && age("200y").is_err() && age("7").is_err());
    }
}
