//! Values of arguments.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use bytesize::ByteSize;
use loghost_core::application::Tolerance;
use loghost_core::domain::{Severity, UnknownSeverity};
use loghost_system::STACK;

use crate::compose::failure::{Failure, Status};
use crate::compose::suggestion::like;

/// The most stack that a plugin may be given: the host's own calls around it need room as well.
const MOST_STACK: ByteSize = ByteSize(STACK as u64 / 2);

/// A page of WebAssembly's memory.
const PAGE: ByteSize = ByteSize(64 << 10);

/// `key=value`; the key is not empty.
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected key=value".to_owned()),
    }
}

/// A number from 1 to 65535.
pub(super) fn count(text: &str) -> Result<NonZeroU16, String> {
    text.parse().map_err(|_| "expected a number from 1 to 65535".to_owned())
}

/// A severity; what is none may be another's word, or misspelled.
pub(super) fn severity(text: &str) -> Result<Severity, String> {
    let meant = |error: UnknownSeverity| match text {
        "warn" | "warning" => format!("{error}; where others warn, take info or error"),
        _ => {
            let names = Severity::ALL.map(|severity| severity.to_string());
            let meant = like(text, names).map(|meant| format!(" (is `{meant}` meant?)"));
            format!("{error}{}", meant.unwrap_or_default())
        }
    };
    text.parse().map_err(meant)
}

/// An address to listen at.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "expected an IP address and a port, such as 127.0.0.1:5672 or [::1]:0".to_owned())
}

/// The longest time that makes sense, and far from any overflow.
const LONGEST: Duration = Duration::from_hours(24 * 366);

/// A time such as `2s`, `500ms` or `1m 30s`; not zero.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be greater than zero".to_owned()),
        Ok(duration) if duration > LONGEST => Err("expected at most a year".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}; expected a time such as 2s or 500ms")),
    }
}

/// A number of bytes such as `64MiB`; not zero.
pub(super) fn bytes(text: &str) -> Result<ByteSize, String> {
    match text.parse::<ByteSize>() {
        Ok(ByteSize(0)) => Err("must be greater than zero".to_owned()),
        Ok(size) => Ok(size),
        Err(error) => Err(format!("{error}; expected a size such as 64MiB or 512KiB")),
    }
}

/// A size of memory: at least a page of WebAssembly's, of which every plugin has one.
pub(super) fn memory(text: &str) -> Result<ByteSize, String> {
    match bytes(text)? {
        size if size < PAGE => Err(format!("a plugin has at least {PAGE}; expected a size such as 64MiB")),
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
    numbers
        .filter(|tolerance| {
            (1..=tolerance.window).contains(&tolerance.failures) && tolerance.window <= 10_000
        })
        .ok_or_else(|| "expected FAILURES/LOGS, such as 25/30, and at most 10000 logs".to_owned())
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
