//! Requests of OpenTelemetry: which field counts where attributes have its name, and the bound on the number of logs.

use loghost_core::domain::{Severity, Timestamp};
use loghost_decode::{Bounds, Decoded, Decoder, Message, Options};

/// The log of a request in JSON that has one record, with these members.
fn log(record: &str) -> Decoded {
    let body = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{record}}}]}}]}}]}}"#);
    let mut logs = Decoder::default().decode(&Message::of_text(&body));
    assert_eq!(logs.len(), 1, "{body}");
    logs.remove(0)
}

fn attribute<'l>(log: &'l Decoded, name: &str) -> Option<&'l str> {
    log.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
}

#[test]
fn attributes_are_no_level_message_or_time_where_the_record_says_its_own() {
    let attributes = [
        r#"{"key":"level","value":{"stringValue":"fatal"}}"#,
        r#"{"key":"priority","value":{"intValue":"1"}}"#,
        r#"{"key":"message","value":{"stringValue":"another"}}"#,
        r#"{"key":"event","value":{"stringValue":"login"}}"#,
        r#"{"key":"time","value":{"intValue":"1700000000"}}"#,
    ];
    let attributes = format!(r#""attributes":[{}]"#, attributes.join(","));
    let said = log(&format!(
        r#""severityNumber":9,"timeUnixNano":"1790000000000000000","body":{{"stringValue":"disk full"}},{attributes}"#
    ));
    assert_eq!((said.severity, &*said.message), (Some(Severity::Info), "disk full"));
    assert_eq!(said.timestamp.map(Timestamp::as_millis), Some(1_790_000_000_000));
    for (name, value) in [
        ("field.level", "fatal"),
        ("priority", "1"),
        ("message", "another"),
        ("event", "login"),
        ("time", "1700000000"),
    ] {
        assert_eq!(attribute(&said, name), Some(value), "{said:?}");
    }
    // A collector has parsed a line, and has not been told what is its level.
    let parsed = log(&format!(r#""severityNumber":0,"body":{{"stringValue":"{{}}"}},{attributes}"#));
    assert_eq!((parsed.severity, &*parsed.message), (Some(Severity::Critical), "another"));
    assert_eq!(parsed.timestamp.map(Timestamp::as_millis), Some(1_700_000_000_000));
}

#[test]
fn an_event_without_a_body_has_its_name_as_message() {
    let event = log(r#""severityNumber":9,"eventName":"order.paid","body":{}"#);
    assert_eq!((&*event.message, attribute(&event, "eventName")), ("order.paid", Some("order.paid")));
    let both = log(r#""severityNumber":9,"eventName":"order.paid","body":{"stringValue":"paid"}"#);
    assert_eq!((&*both.message, attribute(&both, "eventName")), ("paid", Some("order.paid")));
    // Neither: all of it, in its own words.
    let attribute = r#""attributes":[{"key":"order","value":{"intValue":"8"}}]"#;
    assert_eq!(
        log(&format!(r#""severityNumber":9,{attribute}"#)).message,
        r#"{"severityNumber":9,"order":"8"}"#
    );
}

#[test]
fn what_general_encoders_of_protobuf_write_is_read() {
    let log = log(
        r#""severityNumber":"SEVERITY_NUMBER_ERROR3","severityText":"","timeUnixNano":"0","flags":0,"body":{"stringValue":"x"}"#,
    );
    assert_eq!((log.severity, log.attributes.len()), (Some(Severity::Error), 0), "{:?}", log.attributes);
}

/// A field of a protobuf message: its tag, its length, its bytes.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("a short field");
    assert!(length < 128);
    [&[tag << 3 | 2, length], bytes].concat()
}

#[test]
fn requests_of_opentelemetry_in_an_array_keep_to_the_bound_together() {
    let decoder =
        Decoder::new(Options { bounds: Bounds { logs: 3, ..Bounds::default() }, ..Options::default() });
    let record = r#"{"body":{"stringValue":"r"}}"#;
    let request = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record},{record}]}}]}}]}}"#);
    let body = format!("[{request},{request}]");
    let logs = decoder.decode(&Message { body: body.as_bytes(), ..Message::default() });
    assert_eq!(logs.len(), 3);
    assert_eq!((&*logs[1].message, logs[2].message.matches(r#""r""#).count()), ("r", 2));
}

#[test]
fn records_of_opentelemetry_beyond_the_bound_are_the_text_of_the_last_log() {
    let bounds = Bounds { logs: 3, ..Bounds::default() };
    let decoder = Decoder::new(Options { bounds, ..Options::default() });
    let names = ["r0", "r1", "r2", "r3", "r4"];
    let json = names.map(|name| format!(r#"{{"severityText":"ERROR","body":{{"stringValue":"{name}"}}}}"#));
    let json = |count: usize| {
        let records = json[..count].join(",");
        let resource = r#"{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]}"#;
        format!(
            r#"{{"resourceLogs":[{{"resource":{resource},"scopeLogs":[{{"scope":{{"name":"a.B"}},"logRecords":[{records}]}}]}}]}}"#
        )
        .into_bytes()
    };
    let protobuf = |count: usize| {
        let record = |name: &&str| field(2, &field(5, &field(1, name.as_bytes())));
        let records = names[..count].iter().map(record).collect::<Vec<_>>().concat();
        let attribute = [field(1, b"service.name"), field(2, &field(1, b"shop"))].concat();
        let scope = [field(1, &field(1, b"a.B")), records].concat();
        field(1, &[field(1, &field(1, &attribute)), field(2, &scope)].concat())
    };
    for (body, all) in [(json(3), json(5)), (protobuf(3), protobuf(5))] {
        let texts = |body: &[u8]| -> Vec<String> {
            let logs = decoder.decode(&Message { body, ..Message::default() });
            logs.into_iter().map(|log| log.message).collect()
        };
        assert_eq!(texts(&body), ["r0", "r1", "r2"]);
        let texts = texts(&all);
        assert_eq!(texts[..2], ["r0", "r1"]);
        assert_eq!(texts.len(), 3);
        for word in ["r2", "r3", "r4", "shop", "a.B"] {
            assert!(texts[2].contains(word), "{}", texts[2]);
        }
    }
}
