//! Times as producers write them. A time without a zone is UTC.

use loghost_core::domain::Timestamp;

use crate::value::{Table, Value, get};

/// The time that a value tells.
pub(crate) fn of(value: &Value<'_>, received: Option<Timestamp>) -> Option<Timestamp> {
    if let Some(number) = value.as_number() {
        return of_number(number);
    }
    if let Value::Table(fields) = value {
        return of_number(seconds_of(fields)?);
    }
    let text = value.as_text()?;
    let (time, rest) = prefix(text.trim(), received)?;
    rest.trim().is_empty().then_some(time)
}

/// `{"seconds":1795648000,"nanos":123000000}`, as Google's libraries write, or the same as Log4j 2 does: in seconds.
pub(crate) fn seconds_of(fields: &Table<'_>) -> Option<f64> {
    let number = |names: [&str; 2]| names.iter().find_map(|name| get(fields, name)?.as_number());
    let seconds = number(["seconds", "epochSecond"])?;
    Some(seconds + number(["nanos", "nanoOfSecond"]).unwrap_or(0.0) / 1e9)
}

/// A time since the epoch in seconds, milli-, micro- or nanoseconds, told by its magnitude: none before 1973.
pub(crate) fn of_number(number: f64) -> Option<Timestamp> {
    let millis = match number {
        n if n < 1e8 => return None,
        n if n < 1e11 => n * 1e3,
        n if n < 1e14 => n,
        n if n < 1e17 => n / 1e3,
        n if n < 1e20 => n / 1e6,
        _ => return None,
    };
    // Rounded, as 1.123 seconds are slightly less.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1e11 to 1e14")]
    Some(Timestamp::from_millis((millis + 1e-3) as u64))
}

/// The time that `text` begins with, and what is behind it.
pub(crate) fn prefix(text: &str, received: Option<Timestamp>) -> Option<(Timestamp, &str)> {
    iso(text).or_else(|| bsd(text, received))
}

/// `2026-11-25T23:06:40.123+01:00` and what is near it (ISO 8601, RFC 3339).
pub(crate) fn iso(text: &str) -> Option<(Timestamp, &str)> {
    let mut at = Cursor(text);
    let year = at.digits(4, 4)?;
    let separator = at.one_of(b"-/")?;
    let month = at.digits(2, 2)?;
    at.one_of(&[separator])?;
    let day = at.digits(2, 2)?;
    at.one_of(b"T t")?;
    let (seconds, millis) = at.clock()?;
    let offset = at.zone();
    let days = days(i64::from(year), month, day)?;
    let millis = (days * 86_400 + i64::from(seconds) - offset) * 1000 + i64::from(millis);
    Some((Timestamp::from_millis(u64::try_from(millis).ok()?), at.0))
}

/// `Nov 25 23:06:40` (RFC 3164, section 4.1.2). The year is the one that brings it nearest to when it was received; without
/// that, there is no time.
fn bsd(text: &str, received: Option<Timestamp>) -> Option<(Timestamp, &str)> {
    let (month, day, seconds, rest) = bsd_parts(text)?;
    Some((nearest((month, day), (seconds, 0), received?)?, rest))
}

/// A month, its day, seconds of the day and milliseconds, in the year that brings them nearest to when the log was received.
fn nearest(
    (month, day): (u32, u32),
    (seconds, millis): (u32, u32),
    received: Timestamp,
) -> Option<Timestamp> {
    let received = i64::try_from(received.as_millis() / 1000).ok()?;
    let this = year_of(received);
    let at = |year: i64| Some(days(year, month, day)? * 86_400 + i64::from(seconds));
    let nearest = (this - 1..=this + 1).filter_map(at).min_by_key(|time| time.abs_diff(received))?;
    let begin = u64::try_from(nearest).ok()?.checked_mul(1000)?;
    Some(Timestamp::from_millis(begin + u64::from(millis)))
}

/// `1125 23:06:40.123456` or, with the year, `20261125 23:06:40.123456`, as klog and glog write; none of a time without its
/// year if it is not known when the log was received. And what is behind it.
pub(crate) fn compact(text: &str, received: Option<Timestamp>) -> Option<(Option<Timestamp>, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let mut at = Cursor(text);
    let year = match length {
        4 => None,
        8 => Some(at.digits(4, 4)?),
        _ => return None,
    };
    let (month, day) = (at.digits(2, 2)?, at.digits(2, 2)?);
    at.one_of(b" ")?;
    let (seconds, millis) = at.clock()?;
    // A leap year has all days that there are.
    let of_year = days(year.map_or(2024, i64::from), month, day)?;
    let time = match (year, received) {
        (Some(_), _) => {
            let seconds = u64::try_from(of_year * 86_400 + i64::from(seconds)).ok()?;
            Some(Timestamp::from_millis(seconds * 1000 + u64::from(millis)))
        }
        (None, Some(received)) => nearest((month, day), (seconds, millis), received),
        (None, None) => None,
    };
    Some((time, at.0))
}

/// What is behind such a time, whatever year it is of.
pub(crate) fn behind_bsd(text: &str) -> Option<&str> {
    bsd_parts(text).map(|(_, _, _, rest)| rest)
}

fn bsd_parts(text: &str) -> Option<(u32, u32, u32, &str)> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS.into_iter().zip(1..).find(|(name, _)| text.starts_with(name))?.1;
    let mut at = Cursor(text.get(3..)?);
    at.one_of(b" ")?;
    at.one_of(b" ");
    let day = at.digits(1, 2)?;
    at.one_of(b" ")?;
    let (seconds, _) = at.clock()?;
    (1..=31).contains(&day).then_some((month, day, seconds, at.0))
}

/// Days since the epoch (Howard Hinnant, `days_from_civil`); none if there is no such day.
fn days(year: i64, month: u32, day: u32) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = i64::from((153 * month + 2) / 5 + day - 1);
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// The year of a time in seconds.
fn year_of(seconds: i64) -> i64 {
    let guess = 1970 + seconds / 31_556_952;
    let begins = |year: i64| days(year, 1, 1).unwrap_or(0) * 86_400;
    if seconds < begins(guess) {
        guess - 1
    } else if seconds >= begins(guess + 1) {
        guess + 1
    } else {
        guess
    }
}

/// Reads from the beginning of a text.
struct Cursor<'a>(&'a str);

impl Cursor<'_> {
    /// A number of so many digits.
    fn digits(&mut self, least: usize, most: usize) -> Option<u32> {
        let length = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        (length >= least).then(|| digits.parse().ok()).flatten()
    }

    /// One of these ASCII characters. Nothing is taken if there is none.
    fn one_of(&mut self, characters: &[u8]) -> Option<u8> {
        let first = *self.0.as_bytes().first()?;
        if !characters.contains(&first) {
            return None;
        }
        self.0 = &self.0[1..];
        Some(first)
    }

    /// `23:06:40.123`, as seconds of the day and milliseconds; a leap second is the one before.
    fn clock(&mut self) -> Option<(u32, u32)> {
        let hours = self.digits(2, 2)?;
        self.one_of(b":")?;
        let minutes = self.digits(2, 2)?;
        let seconds = if self.one_of(b":").is_some() { self.digits(2, 2)? } else { 0 };
        if hours > 23 || minutes > 59 || seconds > 60 {
            return None;
        }
        let mut millis = 0;
        let has_fraction = self.0.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        if has_fraction && self.one_of(b".,").is_some() {
            let length = self.0.bytes().take_while(u8::is_ascii_digit).count();
            let (digits, rest) = self.0.split_at(length);
            self.0 = rest;
            millis =
                digits.bytes().chain(*b"00").take(3).fold(0, |n, digit| n * 10 + u32::from(digit - b'0'));
        }
        Some((hours * 3600 + minutes * 60 + seconds.min(59), millis))
    }

    /// `Z`, ` UTC`, `+01:00`, `+0100`, `+01` or nothing, in seconds east of Greenwich. Behind a space a number without minutes,
    /// or a name with a hyphen, is a word of the text.
    fn zone(&mut self) -> i64 {
        let (text, is_apart) = match self.0.strip_prefix(' ') {
            Some(text) => (text, true),
            None => (self.0, false),
        };
        for name in ["Z", "z", "UTC", "GMT"] {
            let is_word = |rest: &str| {
                rest.starts_with(|c: char| c.is_alphanumeric()) || (is_apart && rest.starts_with('-'))
            };
            if let Some(rest) = text.strip_prefix(name).filter(|rest| !is_word(rest)) {
                self.0 = rest;
                return 0;
            }
        }
        let mut at = Cursor(text);
        let Some(sign) = at.one_of(b"+-") else { return 0 };
        let Some(hours) = at.digits(2, 2) else { return 0 };
        at.one_of(b":");
        let minutes = match at.digits(2, 2) {
            Some(minutes) => minutes,
            None if is_apart => return 0,
            None => 0,
        };
        let is_number = at.0.starts_with(|c: char| c.is_ascii_digit());
        if hours > 23 || minutes > 59 || is_number {
            return 0;
        }
        self.0 = at.0;
        let east = i64::from(hours * 3600 + minutes * 60);
        if sign == b'-' { -east } else { east }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, millis: Option<u64>) {
        let received = Some(Timestamp::from_millis(1_795_648_000_000));
        assert_eq!(of(&Value::text(text), received).map(Timestamp::as_millis), millis, "{text}");
    }

    #[test]
    fn a_time_is_read_as_it_is_written() {
        let time = Some(1_795_648_000_123);
        for text in [
            "2026-11-25T23:06:40.123Z",
            "2026-11-25 23:06:40,123",
            "2026-11-25T23:06:40.1234567+00:00",
            "2026-11-26T00:06:40.123456789+01:00",
            "2026-11-25T22:36:40.123-0030",
            "2026-11-25 23:06:40.123 UTC",
            "2026-11-26 00:06:40.123 +0100",
            "2026-11-26 00:06:40.123 +01:00",
            "2026-11-26 00:06:40.123+01",
            "2026/11/25 23:06:40.123",
            "1795648000.123",
            "1795648000123",
            "1795648000123456",
            "1795648000123456789",
        ] {
            check(text, time);
        }
        check("Nov 25 23:06:40", Some(1_795_648_000_000));
        check("2024-02-29T00:00Z", Some(1_709_164_800_000));
        for text in
            ["2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "5", "2026", "", "2026-11-25", "Nov 99 00:00:00"]
        {
            check(text, None);
        }
    }

    #[test]
    fn a_year_that_is_not_written_is_the_nearest() {
        let new_year = Timestamp::from_millis(1_798_761_600_000);
        let (time, _) = prefix("Dec 31 23:59:59", Some(new_year)).expect("a time");
        assert_eq!(time.as_millis(), 1_798_761_599_000);
        assert_eq!(prefix("Dec 31 23:59:59", None), None);
        assert_eq!(behind_bsd("Dec  1 23:59:59 web-1"), Some(" web-1"));
    }
}
