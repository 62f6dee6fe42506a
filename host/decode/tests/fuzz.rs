//! What holds whatever comes in. `PROPTEST_CASES` says how many are tried.

use std::borrow::Cow;

use loghost_core::domain::{Attributes, Timestamp};
use loghost_decode::{Bounds, Decoder, Format, Message, Options, SeverityMap, Value};
use peak_alloc::PeakAlloc;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const BOUNDS: Bounds = Bounds { inflated: 4096, logs: 5, attributes: 6, attribute_bytes: 200, depth: 3 };

/// Pieces that formats are made of, so that what is put together comes near to them.
const PIECES: [&str; 64] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    "\n",
    " ",
    "=",
    "<",
    ">",
    "<27>",
    "<191>1 ",
    "-",
    "%s",
    "%",
    "{who}",
    "{}",
    "\"level\":",
    "\"msg\":",
    "\"message\":",
    "\"args\":",
    "\"levelno\":",
    "\"@t\":",
    "\"@mt\":",
    "\"log\":",
    "\"fields\":",
    "\"record\":",
    "\"text\":",
    "\"oslo.message\":",
    "\"resourceLogs\":",
    "\"scopeLogs\":",
    "\"logRecords\":",
    "\"payload\":",
    "\"key\":",
    "\"error\"",
    "\"warning\"",
    "30",
    "1e400",
    "18446744073709551616",
    "-0",
    "null",
    "true",
    "level=error",
    "msg=\"a b\"",
    "ERROR",
    "ERROR: ",
    "[error] ",
    "2026-11-25T23:06:40.123Z ",
    "Nov 25 23:06:40 ",
    "web-1 ",
    "shop[42]: ",
    "\u{1b}[31m",
    "\u{feff}",
    "E, [2026-11-25T23:06:40 #1] ERROR -- x: ",
    "\u{0}Sw",
    "é",
    "\t",
    "\r\n",
    "\\u0000",
    "0",
    "[ex@1 k=\"v\"]",
];

fn format() -> impl Strategy<Value = Format> {
    select(Format::ALL.to_vec())
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(select(PIECES.to_vec()), 0..40).prop_map(|pieces| pieces.concat().into_bytes()),
        1 => vec(any::<u8>(), 0..200),
        1 => vec(any::<u8>(), 0..200).prop_map(|bytes| [&b"\x00\x53\x77"[..], &bytes].concat()),
        1 => vec(any::<u8>(), 0..200).prop_map(|bytes| [&b"\x0a"[..], &bytes].concat()),
        1 => vec(select(b"\x0a\x12\x00\x02\x04\x06\x1a\x2a\x32".to_vec()), 0..60),
        1 => vec(any::<u8>(), 0..100).prop_map(|bytes| [&b"\x1f\x8b\x08\x00"[..], &bytes].concat()),
        1 => vec(any::<u8>(), 0..100).prop_map(|bytes| [&b"BZh9"[..], &bytes].concat()),
    ]
}

fn value() -> impl Strategy<Value = Value<'static>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<u64>().prop_map(Value::Unsigned),
        any::<f64>().prop_map(Value::Float),
        ".{0,20}".prop_map(|text| Value::Text(Cow::Owned(text))),
        vec(any::<u8>(), 0..20).prop_map(|bytes| Value::Bytes(Cow::Owned(bytes))),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::List),
            vec((".{0,5}".prop_map(Cow::Owned), inner), 0..4).prop_map(Value::Table),
        ]
    })
}

fn headers() -> impl Strategy<Value = Vec<(Cow<'static, str>, Value<'static>)>> {
    const NAMES: [&str; 9] = [
        "severity",
        "level",
        "MESSAGE",
        "PRIORITY",
        "x-death",
        "timestamp_in_ms",
        "x-amqp-1.0-app-properties",
        "k",
        "",
    ];
    vec((select(NAMES.to_vec()).prop_map(Cow::Borrowed), value()), 0..5)
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z.]{0,12}", ".{0,20}", Just("web-1.error".to_owned()), Just("Level 35.x".to_owned())]
}

proptest! {
    #[test]
    fn fuzz_any_message_is_at_least_one_log_within_the_bounds(
        format in format(),
        body in body(),
        headers in headers(),
        exchange in select(vec!["", "logs.error", "logs.", "amq.rabbitmq.event", "amq.rabbitmq.log", "x"]),
        routing_key in key(),
        kind in select(vec![None, Some("amqp-1.0"), Some("binary")]),
        timestamp in any::<Option<u64>>(),
        received in any::<Option<u64>>(),
    ) {
        let mut severities = SeverityMap::default();
        severities.insert("30", loghost_core::domain::Severity::Error);
        let decoder = Decoder::new(Options { format, severities, bounds: BOUNDS, ..Options::default() });
        let message = Message {
            exchange,
            routing_key: &routing_key,
            kind,
            headers,
            timestamp,
            received: received.map(Timestamp::from_millis),
            body: &body,
            ..Message::default()
        };
        let logs = decoder.decode(&message);
        decoder.producer(&message);
        prop_assert!((1..=BOUNDS.logs).contains(&logs.len()), "{} logs", logs.len());
        for log in &logs {
            prop_assert!(log.attributes.len() <= BOUNDS.attributes);
            let bytes: usize = log.attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
            prop_assert!(bytes <= BOUNDS.attribute_bytes, "{bytes} bytes");
            let mut checked = Attributes::default();
            for (key, value) in &log.attributes {
                prop_assert_eq!(checked.push(key.clone(), value.clone()), Ok(()));
            }
        }
        if format == Format::None {
            let text = String::from_utf8_lossy(&body);
            prop_assert_eq!(&logs[0].message, text.trim_end_matches(['\n', '\r']));
        }
    }

    /// Text without a form of its own is what it is, in every format.
    #[test]
    fn properties_plain_text_stays_as_it_is(text in "[a-z][a-z ]{0,30}[a-z]", format in format()) {
        let decoder = Decoder::new(Options { format, ..Options::default() });
        let logs = decoder.decode(&Message::of_text(&text));
        prop_assert_eq!(logs.len(), 1);
        prop_assert_eq!(&logs[0].message, &text);
        prop_assert_eq!(logs[0].severity, None);
    }

    /// As many objects as there are lines, or elements of an array, are as many logs.
    #[test]
    fn properties_each_object_is_a_log(texts in vec("[a-zäß\"\\\\ ]{1,10}[a-z]", 1..5)) {
        let objects: Vec<String> =
            texts.iter().map(|text| serde_json::json!({"level": "error", "msg": text}).to_string()).collect();
        for body in [objects.join("\n"), format!("[{}]", objects.join(","))] {
            let logs = Decoder::default().decode(&Message::of_text(&body));
            let messages: Vec<&String> = logs.iter().map(|log| &log.message).collect();
            prop_assert_eq!(messages, texts.iter().collect::<Vec<_>>());
        }
    }
}

/// A line of a container whose text is a list of these values.
fn container_line(values: &str) -> String {
    format!("2026-11-25T23:06:40Z stdout F {{\"a\":[{values}0]}}\n")
}

/// What would exhaust a stack or the memory, if nothing were bounded.
#[test]
fn fuzz_hostile_bodies_cost_little() {
    let deep = |open: &str, close: &str| open.repeat(200_000) + &close.repeat(200_000);
    let long_name = format!("{{\"{}\":{{{}\"z\":1}}}}", "n".repeat(1 << 20), "\"a\":1,".repeat(100_000));
    let bodies = [
        deep("[", "]").into_bytes(),
        deep("{\"a\":", "}").into_bytes(),
        long_name.into_bytes(),
        "[{}".repeat(1_000_000).into_bytes(),
        format!("[{}{{}}]", "{},".repeat(1_200_000)).into_bytes(),
        [0x0a, 0x00].repeat(500_000),
        // Empty values of OpenTelemetry: in a list, attributes, records, scopes and resources.
        nested(&[1, 2, 2, 5, 5], &[0x0a, 0x00].repeat(4 << 20)),
        nested(&[1, 2, 2], &[0x32, 0x00].repeat(4 << 20)),
        nested(&[1, 2], &[0x12, 0x00].repeat(4 << 20)),
        nested(&[1], &[0x12, 0x00].repeat(4 << 20)),
        [0x0a, 0x00].repeat(4 << 20),
        [&[0x00, 0x53, 0x77], &[0x00].repeat(100_000)[..]].concat(),
        [&[0x00, 0x53, 0x77, 0xd0, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff], &[0x40; 1000][..]].concat(),
        [&[0x00, 0x53, 0x77, 0xf0, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff], &[0x43; 1000][..]].concat(),
        "a=b ".repeat(500_000).into_bytes(),
        "<11>1 - - - - - ".to_owned().into_bytes(),
        format!("<11>1 - - - - - {}", "[a b=\"".repeat(100_000)).into_bytes(),
        "\u{1b}[".repeat(500_000).into_bytes(),
        // Maps whose names are maps, as JSON in JSON.
        (0..28).fold(vec![0xa1, 1, b'"'], |name, _| map_of_one(&name)),
        // A template that has the same property again and again, and one of holes that do not close.
        clef(&"{a}".repeat(20_000), &"x".repeat(60_000)).into_bytes(),
        clef(&"{a".repeat(500_000), "x").into_bytes(),
        clef(&"{none}".repeat(20_000), "x").into_bytes(),
        // Each parameter has the id of its element.
        format!("<11>1 - - - - - [{}{}] x", "i".repeat(30_000), " a=\"\"".repeat(6000)).into_bytes(),
        format!("<11>1 - - - - - [{}{}] x", "i".repeat(120), " a=\"\"".repeat(100_000)).into_bytes(),
        // What all records of a resource share, and requests that share nothing.
        otlp(&"{\"arrayValue\":{}},".repeat(1300), 9999).into_bytes(),
        format!("[{}{{}}]", (otlp(&"{},".repeat(100), 3000) + ",").repeat(50)).into_bytes(),
        (otlp(&"{},".repeat(100), 3000) + "\n").repeat(50).into_bytes(),
        // JSON in each of several lines of a container.
        ("{}\n".to_owned() + &container_line(&"0,".repeat(900_000)).repeat(8)).into_bytes(),
        // Numbers that are long when they are written out.
        format!("{{\"msg\":[{}0]}}", "1e308,5e-324,".repeat(50_000)).into_bytes(),
        [&[0x00, 0x53, 0x77, 0xf0, 0, 0, 0, 4, 0, 0, 0xff, 0xff, 0x82], &[0x7f, 0xef].repeat(300_000)[..]]
            .concat(),
    ];
    for (n, body) in bodies.iter().enumerate() {
        for kind in [None, Some("amqp-1.0")] {
            MEMORY.reset_peak_usage();
            let before = MEMORY.current_usage();
            let logs = Decoder::default().decode(&Message { kind, body, ..Message::default() });
            let memory = MEMORY.peak_usage().saturating_sub(before);
            let most = (64 * body.len()).min(96 << 20) + (64 << 20);
            assert!(memory <= most, "body {n}: {memory} bytes of memory");
            assert!((1..=Bounds::default().logs).contains(&logs.len()), "body {n}: {}", logs.len());
            let sizes = logs.iter().map(|log| {
                let attributes = log.attributes.iter().map(|(key, value)| key.len() + value.len());
                log.message.len() + attributes.sum::<usize>()
            });
            let size: usize = sizes.sum();
            assert!(size <= 8 * body.len() + (64 << 10) + SHARED * logs.len(), "body {n}: {size} bytes");
        }
    }
}

/// The most bytes that each log of a message may have of what all of them share.
const SHARED: usize = 4096;

/// Bytes in fields of protobuf that are in each other, of these numbers from the outermost on.
fn nested(fields: &[u8], bytes: &[u8]) -> Vec<u8> {
    fields.iter().rev().fold(bytes.to_vec(), |inner, field| {
        let mut of = vec![field << 3 | 2];
        let mut length = inner.len();
        while length >= 128 {
            of.push(u8::try_from(length & 127).expect("seven bits") | 128);
            length >>= 7;
        }
        of.push(u8::try_from(length).expect("seven bits"));
        [of, inner].concat()
    })
}

/// A map of AMQP 1.0 that has one name, which is this value; of a section, from the outermost on.
fn map_of_one(name: &[u8]) -> Vec<u8> {
    let inner = name.strip_prefix(&[0x00, 0x53, 0x77]).unwrap_or(name);
    [&[0x00, 0x53, 0x77, 0xd1, 0, 0, 0, 0, 0, 0, 0, 2], inner, &[0x40]].concat()
}

/// A record of Serilog.
fn clef(template: &str, property: &str) -> String {
    format!(r#"{{"@t":"2026-11-25T23:06:40Z","@l":"Error","@mt":"{template}","a":"{property}"}}"#)
}

/// A request of OpenTelemetry with so many empty records, whose resource has a list of these values.
fn otlp(values: &str, records: usize) -> String {
    let list = format!(r#"{{"arrayValue":{{"values":[{values}{{}}]}}}}"#);
    let resource = format!(r#"{{"attributes":[{{"key":"a","value":{list}}}]}}"#);
    let records = "{},".repeat(records) + "{}";
    format!(r#"{{"resourceLogs":[{{"resource":{resource},"scopeLogs":[{{"logRecords":[{records}]}}]}}]}}"#)
}
