//! What holds whatever a message is made of. `PROPTEST_CASES` says how many are tried.

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, DecimalValue, FieldArray, FieldTable, ShortString};
use loghost_core::domain::{Severity, Timestamp, TracesRead};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::connection::sanitize;
use crate::dead_letters::dead_letter::DeadLetter;
use crate::dead_letters::writer;
use crate::message::headers::{self, Headers};
use crate::message::names::{Names, Prefix};
use crate::message::record::{self, Decode};

fn short() -> impl Strategy<Value = ShortString> {
    prop_oneof!["[a-z.#]{0,9}", ".{0,60}"].prop_map(|text| ShortString::try_new(text).unwrap_or_default())
}

/// Names of headers, with those that loghost or a broker acts on.
fn name() -> impl Strategy<Value = ShortString> {
    const WORDS: &[&str] = &[
        record::EXCHANGE,
        record::ROUTING_KEY,
        record::ATTEMPTS,
        record::REPLAY,
        writer::OUTCOME,
        writer::REASON,
        writer::TIME,
        headers::LEFT_OUT,
        "loghost-original-user-id",
        "timestamp_in_ms",
        "CC",
        "x-death",
        "level",
    ];
    prop_oneof![proptest::sample::select(WORDS).prop_map(ShortString::from), short()]
}

fn value() -> impl Strategy<Value = AMQPValue> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(AMQPValue::Boolean),
        any::<i8>().prop_map(AMQPValue::ShortShortInt),
        any::<u8>().prop_map(AMQPValue::ShortShortUInt),
        any::<i16>().prop_map(AMQPValue::ShortInt),
        any::<u16>().prop_map(AMQPValue::ShortUInt),
        any::<i32>().prop_map(AMQPValue::LongInt),
        any::<u32>().prop_map(AMQPValue::LongUInt),
        any::<i64>().prop_map(AMQPValue::LongLongInt),
        any::<u64>().prop_map(AMQPValue::Timestamp),
        any::<u32>().prop_map(|bits| AMQPValue::Float(f32::from_bits(bits))),
        any::<u64>().prop_map(|bits| AMQPValue::Double(f64::from_bits(bits))),
        any::<(u8, u32)>().prop_map(|(scale, value)| AMQPValue::DecimalValue(DecimalValue { scale, value })),
        vec(any::<u8>(), 0..40).prop_map(|bytes| AMQPValue::ByteArray(bytes.into())),
        vec(any::<u8>(), 0..40).prop_map(|bytes| AMQPValue::LongString(bytes.into())),
        proptest::sample::select(&["logs.error", "logs.dead", "reject", "trap", "retry"][..])
            .prop_map(|text| AMQPValue::LongString(text.into())),
        Just(AMQPValue::Void),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| AMQPValue::FieldArray(FieldArray::from(values))),
            vec((short(), inner), 0..4).prop_map(|entries| AMQPValue::FieldTable(table(entries))),
        ]
    })
}

fn table(entries: Vec<(ShortString, AMQPValue)>) -> FieldTable {
    let mut table = FieldTable::default();
    for (key, value) in entries {
        table.insert(key, value);
    }
    table
}

prop_compose! {
    fn properties()(
        texts in vec(option::of(short()), 10),
        headers in option::of(vec((name(), value()), 0..8)),
        mode in option::of(any::<u8>()),
        priority in option::of(any::<u8>()),
        timestamp in option::of(any::<u64>()),
    ) -> BasicProperties {
        let mut texts = texts.into_iter();
        let mut properties = BasicProperties::default();
        let set: [fn(BasicProperties, ShortString) -> BasicProperties; 10] = [
            BasicProperties::with_content_type,
            BasicProperties::with_content_encoding,
            BasicProperties::with_correlation_id,
            BasicProperties::with_reply_to,
            BasicProperties::with_expiration,
            BasicProperties::with_message_id,
            BasicProperties::with_type,
            BasicProperties::with_user_id,
            BasicProperties::with_app_id,
            BasicProperties::with_cluster_id,
        ];
        for set in set {
            if let Some(text) = texts.next().flatten() {
                properties = set(properties, text);
            }
        }
        if let Some(entries) = headers {
            properties = properties.with_headers(table(entries));
        }
        if let Some(mode) = mode {
            properties = properties.with_delivery_mode(mode);
        }
        if let Some(priority) = priority {
            properties = properties.with_priority(priority);
        }
        if let Some(timestamp) = timestamp {
            properties = properties.with_timestamp(timestamp);
        }
        properties
    }
}

prop_compose! {
    fn message()(
        exchange in prop_oneof![Just("logs.error".into()), Just("logs.dead".into()), Just("".into()), short()],
        key in short(),
        properties in properties(),
        data in vec(any::<u8>(), 0..60),
    ) -> Delivery {
        let mut message = Delivery::mock(1, exchange, key, false, data);
        message.properties = properties;
        message
    }
}

proptest! {
    /// Whatever comes through a severity's exchange is a log of that severity; no other is one, but a replay.
    #[test]
    fn there_is_a_record_of_every_log(message in message(), decode: bool) {
        let names = Names::new(Prefix::default());
        let traces = if decode { TracesRead::All } else { TracesRead::None };
        let decode = Decode { message: decode, attributes: decode, traces };
        let record = record::record(&message, &names, Timestamp::from_millis(7), decode);
        match message.exchange.as_str() {
            "logs.error" => {
                let record = record.expect("a record");
                prop_assert_eq!(record.severity, Severity::Error);
                prop_assert_eq!((record.attempt, record.replayed), (1, false));
                if decode.message {
                    prop_assert_eq!(record.message, String::from_utf8_lossy(&message.data));
                }
            }
            "" => prop_assert!(record.is_none_or(|record| record.replayed)),
            _ => prop_assert!(record.is_none()),
        }
    }

    /// Whatever is in a queue of dead letters can be shown, and what is replayed fits a frame.
    #[test]
    fn every_dead_letter_is_read(message in message(), frame_max in 4096..131_072_usize) {
        let dead_letter = DeadLetter::read(1, message, &Names::new(Prefix::default()), "loghost.picky.dead");
        let _ = (dead_letter.id(), dead_letter.timestamp(), dead_letter.attributes(), dead_letter.text());
        let _ = dead_letter.came_through();
        let replay = dead_letter.replay_properties(frame_max);
        prop_assert!(headers::size(&replay) <= frame_max);
        prop_assert_eq!(replay.user_id(), &None);
    }

    /// Headers take the room that they are given, at most, and none is lost silently.
    #[test]
    fn headers_fit(properties in properties(), entries in vec((name(), value()), 0..60), frame_max in 2900..6000_usize) {
        let properties = headers::retained(&properties);
        let mut fitting = Headers::beside(&properties, frame_max);
        let entries: FieldTable = table(entries);
        for (key, value) in entries.inner().iter().filter(|(key, _)| key.as_str() != headers::LEFT_OUT) {
            fitting.put(key.as_str(), value.clone());
        }
        let fitted = fitting.finish();
        let left_out = usize::try_from(record::header_number(&fitted, headers::LEFT_OUT).unwrap_or_default()).unwrap();
        let told = fitted.inner().keys().filter(|key| key.as_str() != headers::LEFT_OUT).count();
        let given = entries.inner().keys().filter(|key| key.as_str() != headers::LEFT_OUT).count();
        prop_assert_eq!(told + left_out, given);
        prop_assert!(headers::size(&properties.with_headers(fitted)) <= frame_max);
    }

    /// Whatever the bytes are: none are added or removed, and what was sanitized is not changed again.
    #[test]
    fn any_bytes_are_sanitized(bytes in vec(any::<u8>(), 0..300), flags in any::<u16>(), method in 0..4_usize) {
        let mut header = [&[0; 12][..], &flags.to_be_bytes(), &bytes].concat();
        let length = header.len();
        sanitize::header(&mut header);
        let once = header.clone();
        sanitize::header(&mut header);
        prop_assert_eq!((header.len(), &header), (length, &once));
        let method = [[0, 60, 0, 60], [0, 60, 0, 50], [0, 60, 0, 71], [0, 10, 0, 10]][method];
        let mut payload = [&method[..], &bytes].concat();
        sanitize::method(&mut payload);
        prop_assert_eq!((payload.len(), &payload[..4]), (bytes.len() + 4, &method[..]));
    }
}
