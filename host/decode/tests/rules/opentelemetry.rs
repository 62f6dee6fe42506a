//! The bound on the number of logs, where requests of OpenTelemetry have more.

use loghost_decode::{Bounds, Decoder, Message, Options};

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
