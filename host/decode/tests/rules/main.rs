//! The rules, on messages of producers that were not captured, and on what is easily read wrong.

mod loggers;
mod opentelemetry;

use std::fmt::Write;

use loghost_core::domain::{Severity, Source, Timestamp};
use loghost_decode::{Decoded, Decoder, Format, Message, Options, SeverityMap, Value};

fn read(message: &Message<'_>) -> Decoded {
    let mut logs = Decoder::default().decode(message);
    assert_eq!(logs.len(), 1);
    logs.remove(0)
}

/// Checks severity, message and source of a body without anything around it.
#[track_caller]
fn check(body: &str, severity: &str, text: &str, source: &str) {
    let log = read(&Message::of_text(body));
    let read = (
        log.severity.map_or("", Severity::as_str),
        &*log.message,
        log.source.as_ref().map_or("", Source::as_str),
    );
    assert_eq!(read, (severity, text, source), "{body}");
}

#[test]
fn a_field_that_is_called_level_and_is_none_is_kept() {
    let level = |body: &str| {
        let log = read(&Message::of_text(body));
        (log.severity.map(Severity::as_str), log.attributes)
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let body = r#"{"level":"payments","severity":"ERROR","msg":"x"}"#;
    assert_eq!(level(body), (Some("error"), pairs(&[("field.level", "payments")])));
    let body = r#"{"level":"payments","severity":"WARNING","msg":"x"}"#;
    assert_eq!(level(body), (Some("info"), pairs(&[("level", "WARNING"), ("field.level", "payments")])));
    // The same in other words.
    assert_eq!(level(r#"{"level":400,"level_name":"ERROR","msg":"x"}"#), (Some("error"), Vec::new()));
    assert_eq!(level(r#"{"level":"payments","msg":"x"}"#), (None, pairs(&[("level", "payments")])));
}

#[test]
fn all_sections_of_an_amqp_1_0_message_are_read() {
    let read = |sections: &[&[u8]]| {
        let body = sections.concat();
        let message = Message { kind: Some("amqp-1.0"), body: &body, ..Message::default() };
        let logs = Decoder::default().decode(&message);
        logs.into_iter().map(|log| (log.severity.map(Severity::as_str), log.message)).collect::<Vec<_>>()
    };
    let footer: &[u8] = &[0x00, 0x53, 0x78, 0xc1, 1, 0];
    let data = [&b"\x00\x53\x75\xa0\x08ERROR: a"[..], b"\x00\x53\x75\xa0\x02 b", footer];
    assert_eq!(read(&data), [(Some("error"), "a b".to_owned())]);
    let sequences = [&b"\x00\x53\x76\xc0\x04\x01\xa1\x01a"[..], b"\x00\x53\x76\xc0\x04\x01\xa1\x01b"];
    assert_eq!(read(&sequences), [(None, r#"["a","b"]"#.to_owned())]);
    // A map is a record; what follows and is no section makes it text.
    let map: &[u8] = b"\x00\x53\x77\xc1\x13\x04\xa1\x05level\xa1\x05error\xa1\x03msg\xa1\x01x";
    assert_eq!(read(&[map]), [(Some("error"), "x".to_owned())]);
    assert_eq!(read(&[map, b"?"])[0].0, None);
}

#[test]
fn prose_is_text() {
    for text in [
        "debug Größe",
        "error",
        "fatal mistake, or so they say",
        "a=b is an equation",
        "the level=error was wrong",
        "10:23 is a time",
        "[1,2,3]",
        "{not json}",
        "<b>bold</b>",
        "<999>no priority",
        " ",
    ] {
        let log = read(&Message::of_text(text));
        assert_eq!((log.severity, &*log.message), (None, text));
    }
    for text in ["there is NO ERROR here", "the job (error) ended", "UTC-based clocks", "-12 items left"] {
        let log = read(&Message::of_text(&format!("2026-11-25 23:06:40 {text}")));
        assert_eq!(log.severity, None, "{text}");
        assert_eq!(log.message, text.trim_start_matches('-'));
        assert_eq!(log.timestamp.map(Timestamp::as_millis), Some(1_795_648_000_000), "{text}");
    }
    // A field of a record is prose more often than not.
    check(r#"{"msg":"error: disk full"}"#, "", "error: disk full", "");
    check(r#"{"log":"ERROR: disk full\n","stream":"stderr"}"#, "error", "disk full", "");
    // Leftover arguments are no reason to merge them.
    let merged = r#"{"msg":"100% done","args":["who"],"levelname":"INFO"}"#;
    check(merged, "info", "100% done", "");
}

#[test]
fn what_is_outermost_counts_first() {
    let headers = vec![("severity".into(), Value::text("critical"))];
    let body = br#"{"level":"debug","msg":"x"}"#;
    let message =
        Message { exchange: "logs.error", routing_key: "web-1.info", headers, body, ..Message::default() };
    assert_eq!(read(&message).severity, Some(Severity::Error));
    let message = Message { exchange: "app", ..message };
    assert_eq!(read(&message).severity, Some(Severity::Critical));
    let message = Message { headers: Vec::new(), ..message };
    let log = read(&message);
    assert_eq!(log.severity, Some(Severity::Debug));
    assert_eq!(log.source, Source::new("web-1").ok());
    let log = read(&Message { body: b"x", ..message });
    assert_eq!((log.severity, log.source), (Some(Severity::Info), Source::new("web-1").ok()));
    // Monolog 1 has four letters; a word that means other things as well is no level here.
    for (key, severity) in [
        ("erro.shop", Some(Severity::Error)),
        ("app.Level 35", None),
        ("user.login.success", None),
        ("a.http.b", None),
    ] {
        let message = Message { exchange: "log", routing_key: key, body: b"x", ..Message::default() };
        assert_eq!(read(&message).severity, severity, "{key}");
    }
}

/// A logger that has JSON to say says so at its own level; what a shipper adds is not the log's.
#[test]
fn json_in_a_text_is_a_record_only_if_a_shipper_has_wrapped_it() {
    let inner = r#"{"level":"error","msg":"x"}"#;
    let quoted = r#""{\"level\":\"error\",\"msg\":\"x\"}""#;
    for body in [
        format!(r#"{{"level":"info","msg":{quoted}}}"#),
        format!(r#"{{"levelname":"INFO","message":{quoted}}}"#),
    ] {
        check(&body, "info", inner, "");
    }
    check(&format!(r#"{{"msg":{quoted}}}"#), "", inner, "");
    for body in [
        format!(r#"{{"log":{quoted},"stream":"stderr"}}"#),
        format!(r#"{{"severity":"info","message":{quoted}}}"#),
        format!(r#"{{"PRIORITY":"6","MESSAGE":{quoted}}}"#),
    ] {
        check(&body, "error", "x", "");
    }
}

#[test]
fn users_say_what_levels_are() {
    let mut severities = SeverityMap::default();
    for (level, severity) in [
        ("warn", Severity::Error),
        ("notice", Severity::Debug),
        ("35", Severity::Critical),
        ("gold", Severity::Info),
    ] {
        severities.insert(level, severity);
    }
    let decoder = Decoder::new(Options { severities, ..Options::default() });
    for (body, severity) in [
        (r#"{"level":"WARNING"}"#, Severity::Error),
        (r#"{"level":"WARN+2"}"#, Severity::Error),
        (r#"{"level":40}"#, Severity::Error),
        (r#"{"PRIORITY":"4"}"#, Severity::Error),
        (r#"{"PRIORITY":"5"}"#, Severity::Debug),
        (r#"{"levelname":"Level 35","levelno":35}"#, Severity::Critical),
        (r#"{"level":"Gold"}"#, Severity::Info),
        (r#"{"level":"error"}"#, Severity::Error),
        ("<28>Nov 25 23:06:40 web-1 shop: x", Severity::Error),
    ] {
        assert_eq!(decoder.decode(&Message::of_text(body))[0].severity, Some(severity), "{body}");
    }
}

#[test]
fn each_format_reads_its_own() {
    let read = |format: Format, body: &str| {
        let decoder = Decoder::new(Options { format, ..Options::default() });
        let log = decoder.decode(&Message::of_text(body)).remove(0);
        (log.severity.map_or("", Severity::as_str), log.message)
    };
    let json = r#"{"level":"error","msg":"x"}"#;
    for format in [Format::Auto, Format::Json, Format::Gelf, Format::Otlp] {
        assert_eq!(read(format, json), ("error", "x".to_owned()), "{format:?}");
    }
    for format in [Format::Text, Format::Logfmt, Format::Syslog, Format::None] {
        assert_eq!(read(format, json), ("", json.to_owned()), "{format:?}");
    }
    assert_eq!(read(Format::Logfmt, "at level=error msg=x"), ("error", "x".to_owned()));
    assert_eq!(read(Format::Text, "ERROR: x"), ("error", "x".to_owned()));
    assert_eq!(read(Format::None, "ERROR: x"), ("", "ERROR: x".to_owned()));
}

#[test]
fn a_time_without_a_year_is_told_by_when_it_came() {
    let received = Some(Timestamp::from_millis(1_795_648_100_000));
    let body = b"<27>Nov 25 23:06:40 web-1 shop[42]: x";
    assert_eq!(
        read(&Message { received, body, ..Message::default() }).timestamp.map(Timestamp::as_millis),
        Some(1_795_648_000_000)
    );
    assert_eq!(read(&Message { body, ..Message::default() }).timestamp, None);
}

#[test]
fn a_wide_record_has_its_level_and_its_message() {
    let mut body = String::from("{");
    for n in 0..400 {
        write!(body, r#""field{n}":{n},"#).expect("memory");
    }
    body.push_str(r#""level":"error","msg":"disk full","logger":"shop"}"#);
    check(&body, "error", "disk full", "shop");
    let attributes = read(&Message::of_text(&body)).attributes;
    assert!(attributes.len() >= 120, "{}", attributes.len());
}
