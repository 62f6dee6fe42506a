//! The arguments that a stream is declared with, and the policy that has the same effect.

use lapin::types::{AMQPValue, FieldTable};

use crate::stream::options::Retention;
use crate::topology::queue_difference::{Difference, TYPE};

const MAX_AGE: &str = "x-max-age";
const MAX_BYTES: &str = "x-max-length-bytes";
const SEGMENT_BYTES: &str = "x-stream-max-segment-size-bytes";

/// What a stream is declared with.
pub(super) fn arguments(retention: &Retention) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert(TYPE.into(), AMQPValue::LongString("stream".into()));
    if let Some(age) = retention.age {
        arguments.insert(MAX_AGE.into(), AMQPValue::LongString(seconds(age.as_secs()).into()));
    }
    for (argument, bytes) in [(MAX_BYTES, retention.bytes), (SEGMENT_BYTES, retention.segment_bytes)] {
        if let Some(bytes) = bytes {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            arguments.insert(argument.into(), AMQPValue::LongLongInt(bytes));
        }
    }
    arguments
}

/// Whether a queue that differs in this may be a stream: streams are durable, and are declared as such.
pub(super) fn is_of_streams(difference: &Difference) -> bool {
    difference.argument.starts_with("x-") && difference.argument != TYPE
}

/// Whether something was asked for that the stream has otherwise.
pub(super) fn is_unmet(Difference { argument, declared, current }: &Difference) -> bool {
    let age_of = |value: &Option<AMQPValue>| age(value.as_ref().filter(|_| argument == MAX_AGE)?);
    let is_same = age_of(declared).is_some_and(|asked| age_of(current) == Some(asked));
    declared.is_some() && !is_same
}

/// A difference in words: an age in seconds, also where the broker has milliseconds.
pub(super) fn shown(difference: &Difference) -> String {
    let age = difference.current.as_ref().filter(|_| difference.argument == MAX_AGE).and_then(age);
    match age {
        Some(millis) if millis % 1000 == 0 => {
            let current = Some(AMQPValue::LongString(seconds(millis / 1000).into()));
            Difference { current, ..difference.clone() }.to_string()
        }
        _ => difference.to_string(),
    }
}

/// An age as it is declared.
fn seconds(age: u64) -> String {
    format!("{age}s")
}

/// An age in milliseconds, as `RabbitMQ` writes it: `7D`, `12h`; a year has 365 days, and a month 30. Version 4 answers with
/// milliseconds, without a unit.
fn age(value: &AMQPValue) -> Option<u64> {
    let AMQPValue::LongString(text) = value else { return None };
    let text = str::from_utf8(text.as_bytes()).ok()?;
    let unit = text.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let number: u64 = text[..text.len() - unit.len()].parse().ok()?;
    number.checked_mul(match unit {
        "Y" => 365 * 24 * 3_600_000,
        "M" => 30 * 24 * 3_600_000,
        "D" => 24 * 3_600_000,
        "h" => 3_600_000,
        "m" => 60_000,
        "s" => 1_000,
        "" => 1,
        _ => return None,
    })
}

/// The definition of a policy, as JSON, that gives an existing stream the `unmet` settings: a policy takes precedence over a
/// stream's arguments.
pub(super) fn policy(retention: &Retention, unmet: &[&Difference]) -> String {
    let age = retention.age.map(|age| format!("\"max-age\":\"{}\"", seconds(age.as_secs())));
    let number = |key, bytes: Option<u64>| bytes.map(|bytes| format!("\"{key}\":{bytes}"));
    let keys = [
        (MAX_AGE, age),
        (MAX_BYTES, number("max-length-bytes", retention.bytes)),
        (SEGMENT_BYTES, number("stream-max-segment-size-bytes", retention.segment_bytes)),
    ];
    let is_unmet = |argument| unmet.iter().any(|difference| difference.argument == argument);
    let wanted = keys.into_iter().filter(|(argument, _)| is_unmet(*argument)).filter_map(|(_, key)| key);
    format!("{{{}}}", wanted.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const WEEK: Retention =
        Retention { age: Some(Duration::from_hours(7 * 24)), bytes: Some(2_000), segment_bytes: None };

    fn text(text: &str) -> AMQPValue {
        AMQPValue::LongString(text.into())
    }

    /// A difference of a stream that has this, and was declared as [`WEEK`].
    fn found(argument: &str, current: Option<AMQPValue>) -> Difference {
        let declared = arguments(&WEEK).inner().get(argument).cloned();
        Difference { argument: argument.to_owned(), declared, current }
    }

    #[test]
    fn only_what_was_asked_for_is_unmet() {
        assert!(is_unmet(&found(MAX_AGE, None)));
        assert!(is_unmet(&found(MAX_AGE, Some(text("8D")))));
        assert!(is_unmet(&found(MAX_AGE, Some(text("D")))));
        assert!(is_unmet(&found(MAX_BYTES, Some(AMQPValue::LongLongInt(1_000)))));
        for same in ["7D", "168h", "10080m", "604800s", "604800000"] {
            assert!(!is_unmet(&found(MAX_AGE, Some(text(same)))), "{same}");
        }
        assert!(!is_unmet(&found(SEGMENT_BYTES, Some(AMQPValue::LongLongInt(1_000)))));
    }

    #[test]
    fn an_age_is_read_as_rabbitmq_reads_it() {
        assert_eq!(age(&text("1Y")), Some(31_536_000_000));
        assert_eq!(age(&text("2M")), Some(5_184_000_000));
        for bad in ["", "D", "7d", "-7D", "7é", "7 D", "18446744073709551615Y", "99999999999999999999"] {
            assert_eq!(age(&text(bad)), None, "{bad}");
        }
    }

    #[test]
    fn an_age_is_shown_in_seconds() {
        for day in ["1D", "24h", "86400000"] {
            let day = shown(&found(MAX_AGE, Some(text(day))));
            assert_eq!(day, "x-max-age is 86400s, not 604800s");
        }
        assert_eq!(shown(&found(MAX_AGE, None)), "x-max-age is none, not 604800s");
        let bytes = found(MAX_BYTES, Some(AMQPValue::LongLongInt(1_000)));
        assert_eq!(shown(&bytes), "x-max-length-bytes is 1000, not 2000");
    }

    #[test]
    fn a_policy_has_what_is_unmet() {
        let (age, bytes) = (found(MAX_AGE, None), found(MAX_BYTES, None));
        assert_eq!(policy(&WEEK, &[&age]), r#"{"max-age":"604800s"}"#);
        let both = r#"{"max-age":"604800s","max-length-bytes":2000}"#;
        assert_eq!(policy(&WEEK, &[&bytes, &age]), both);
    }
}
