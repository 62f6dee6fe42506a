//! What the values of headers mean, whatever type a client has chosen for them: as text, and as a whole number.

use lapin::types::{AMQPValue, DecimalValue};
use serde_json::{Number, Value};

/// A value as text; JSON where it has parts.
pub(crate) fn text(value: &AMQPValue) -> String {
    match json(value) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// A value as a whole number that is not negative; a fraction is cut off. Texts are read as decimal numbers.
pub(crate) fn whole_number(value: &AMQPValue) -> Option<u64> {
    match json(value) {
        Value::Number(number) => whole(&number),
        Value::String(text) => whole(&text.trim().parse().ok()?),
        _ => None,
    }
}

/// Beyond this, the type does not have every whole number.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

fn whole(number: &Number) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in the range")]
    let floored = |number: f64| (0.0..=MOST_EXACT).contains(&number).then_some(number as u64);
    number.as_u64().or_else(|| number.as_f64().and_then(floored))
}

fn json(value: &AMQPValue) -> Value {
    match value {
        AMQPValue::Boolean(value) => (*value).into(),
        AMQPValue::ShortShortInt(value) => (*value).into(),
        AMQPValue::ShortShortUInt(value) => (*value).into(),
        AMQPValue::ShortInt(value) => (*value).into(),
        AMQPValue::ShortUInt(value) => (*value).into(),
        AMQPValue::LongInt(value) => (*value).into(),
        AMQPValue::LongUInt(value) => (*value).into(),
        AMQPValue::LongLongInt(value) => (*value).into(),
        AMQPValue::Timestamp(value) => (*value).into(),
        // Converted to the wider type directly, 0.1 would become 0.10000000149011612.
        AMQPValue::Float(value) => value.to_string().parse::<f64>().unwrap_or(f64::NAN).into(),
        AMQPValue::Double(value) => (*value).into(),
        AMQPValue::DecimalValue(value) => decimal(*value).into(),
        AMQPValue::ShortString(value) => value.to_string().into(),
        AMQPValue::LongString(value) => String::from_utf8_lossy(value.as_bytes()).into(),
        AMQPValue::ByteArray(value) => String::from_utf8_lossy(value.as_slice()).into(),
        AMQPValue::FieldArray(values) => values.as_slice().iter().map(json).collect(),
        AMQPValue::FieldTable(table) => table
            .inner()
            .iter()
            .map(|(key, value)| (key.to_string(), json(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        AMQPValue::Void => Value::Null,
    }
}

/// All digits of a decimal number (AMQP 0-9-1, section 4.2.5.5), which clients take for a signed one.
fn decimal(DecimalValue { scale, value }: DecimalValue) -> String {
    let (value, scale) = (value.cast_signed(), usize::from(scale));
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    let point = if scale > 0 { "." } else { "" };
    format!("{sign}{whole}{point}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is_text(value: &AMQPValue, expected: &str) {
        assert_eq!(text(value), expected, "{value:?}");
    }

    #[test]
    fn values_are_the_text_that_was_meant() {
        let decimal =
            |scale, value: i32| AMQPValue::DecimalValue(DecimalValue { scale, value: value.cast_unsigned() });
        is_text(&AMQPValue::ByteArray(b"bob".as_slice().into()), "bob");
        is_text(&decimal(2, 1234), "12.34");
        is_text(&decimal(0, 7), "7");
        is_text(&decimal(3, -5), "-0.005");
        is_text(&decimal(1, i32::MIN), "-214748364.8");
        is_text(&AMQPValue::Float(0.1), "0.1");
        is_text(&AMQPValue::Float(f32::MAX), "3.4028235e+38");
        is_text(&AMQPValue::Double(0.1), "0.1");
        is_text(&AMQPValue::Float(f32::NAN), "null");
        is_text(&AMQPValue::Void, "null");
    }

    #[test]
    fn numbers_of_all_types_are_read() {
        for seven in [
            AMQPValue::ShortShortInt(7),
            AMQPValue::ShortShortUInt(7),
            AMQPValue::ShortInt(7),
            AMQPValue::ShortUInt(7),
            AMQPValue::LongInt(7),
            AMQPValue::LongUInt(7),
            AMQPValue::LongLongInt(7),
            AMQPValue::Timestamp(7),
            AMQPValue::Float(7.9),
            AMQPValue::Double(7.9),
            AMQPValue::DecimalValue(DecimalValue { scale: 1, value: 79 }),
            AMQPValue::LongString(" 7".into()),
            AMQPValue::LongString("7.9".into()),
            AMQPValue::ShortString("7".into()),
            AMQPValue::ByteArray(b"7".as_slice().into()),
        ] {
            assert_eq!(whole_number(&seven), Some(7), "{seven:?}");
        }
        for none in [
            AMQPValue::LongLongInt(-7),
            AMQPValue::Double(f64::INFINITY),
            AMQPValue::Double(-0.5),
            AMQPValue::Boolean(true),
            AMQPValue::LongString("2026-11-26".into()),
            AMQPValue::Void,
        ] {
            assert_eq!(whole_number(&none), None, "{none:?}");
        }
    }
}
