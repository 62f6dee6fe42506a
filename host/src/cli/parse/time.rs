//! Lengths of time.

use std::time::Duration;

/// The longest time that makes sense, and far from any overflow.
const LONGEST: Duration = Duration::from_hours(24 * 366);

/// The longest that a stream is told to keep logs: beyond that it can keep them without end.
const MOST_AGE: Duration = Duration::from_hours(24 * 365 * 100);

/// A time such as `2s`, `500ms` or `1m 30s`; not zero.
pub(in crate::cli) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be greater than zero".to_owned()),
        Ok(duration) if duration > LONGEST => Err("expected at most a year".to_owned()),
        Ok(duration) => Ok(duration),
        Err(_) => Err("expected a time with its unit, such as 2s or 500ms".to_owned()),
    }
}

/// How long a stream keeps logs: in whole seconds, as the broker counts.
pub(in crate::cli) fn age(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(age) if age < Duration::from_secs(1) => Err("expected at least a second".to_owned()),
        Ok(age) if age > MOST_AGE => Err("expected at most a hundred years".to_owned()),
        Ok(age) => Ok(Duration::from_secs(age.as_secs())),
        Err(_) => Err("expected a time with its unit, such as 7d or 12h".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_in_whole_seconds() {
        assert_eq!(age("7d"), Ok(Duration::from_hours(7 * 24)));
        assert_eq!(age("1500ms"), Ok(Duration::from_secs(1)));
        assert!(age("999ms").is_err() && age("200y").is_err() && age("7").is_err());
    }
}
