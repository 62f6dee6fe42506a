//! Where to begin in a stream: the first log, the last, the next, a time or an offset.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use loghost_rabbitmq::Begin;

use super::duration;

/// Where to begin in a stream.
pub(in crate::cli) fn begin(text: &str) -> Result<Begin, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    begin_at(text, now)
}

/// Where to begin in what a stream has.
pub(in crate::cli) fn past(text: &str) -> Result<Begin, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_millis(1_764_000_000_500);

    #[test]
    fn a_start_in_a_stream_is_written_in_many_ways() {
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
            assert_eq!(begin_at(&expected.to_string(), NOW), Ok(expected), "{expected}");
        }
    }

    #[test]
    fn what_is_no_start_is_refused() {
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
}
