//! Messages of loggers that were not captured.

use loghost_core::domain::{Severity, Source, Timestamp};
use loghost_decode::{Decoder, Message};

use super::{check, read};

#[test]
fn records_of_many_loggers_are_read() {
    // oslo.messaging: JSON in a string.
    check(
        r#"{"oslo.version":"2.0","oslo.message":"{\"publisher_id\":\"nova\",\"priority\":\"ERROR\",\"event_type\":\"compute.error\",\"payload\":{\"message\":\"no host\"}}"}"#,
        "error",
        "no host",
        "nova",
    );
    // log4js' JSON layout: what it was called with is a list.
    check(
        r#"{"startTime":"2026-11-25T23:11:59.913Z","categoryName":"shop","level":{"level":40000,"levelStr":"ERROR"},"data":["x",{"n":1}]}"#,
        "error",
        r#"x {"n":1}"#,
        "shop",
    );
    check(r#"{"level":"error","data":["x"]}"#, "error", r#"{"level":"error","data":["x"]}"#, "");
    // lowball: message and arguments are not merged.
    check(
        r#"{"name":"shop","msg":"disk %s is %d%% full","args":["sda",99],"levelname":"CRITICAL","levelno":50}"#,
        "critical",
        "disk sda is 99% full",
        "shop",
    );
    // zap, with a time in seconds.
    check(r#"{"level":"dpanic","ts":1795648000.1,"logger":"shop","msg":"x"}"#, "critical", "x", "shop");
    // NLog's layout for Logstash.
    check(
        r#"{"@source":"nlog://web-1","@fields":{"level":"Warn","logger":"Shop"},"@message":"slow"}"#,
        "info",
        "slow",
        "Shop",
    );
    check(r#"{"@source":"nlog://web-1","@message":"slow"}"#, "", "slow", "nlog://web-1");
    // Log4j 2, whose numbers fall.
    check(r#"{"level":"?","intLevel":200,"loggerName":"a.B","message":"x"}"#, "error", "x", "a.B");
    check(r#"{"level_value":50000,"logger_name":"a.B","message":"x"}"#, "critical", "x", "a.B");
    // Monolog without its name, pino, Python and syslog: the same key, other numbers.
    check(r#"{"level":550,"message":"x"}"#, "critical", "x", "");
    check(r#"{"level":40,"msg":"x"}"#, "info", "x", "");
    check(r#"{"levelno":40,"msg":"x"}"#, "error", "x", "");
    check(r#"{"level":4,"short_message":"x","host":"web-1"}"#, "info", "x", "web-1");
}

#[test]
fn lines_of_many_loggers_are_read() {
    check("2026/11/25 23:06:40 [error] 42#0: no such file", "error", "42#0: no such file", "");
    check("2026-11-25 23:06:40.123 UTC [42] FATAL:  no memory", "critical", "[42] FATAL:  no memory", "");
    check("2026-11-25 23:06:40,123 - shop - ERROR - boom", "error", "shop - ERROR - boom", "");
    check("2026-11-25 23:01:50.157 | SUCCESS  | a:b:35 - done", "info", "a:b:35 - done", "");
    check("[2026-11-25T23:14:27+00:00] shop.NOTICE: line {} []", "info", "line {} []", "shop");
    check("Nov 25 23:06:40 web-1 sshd[42]: error: no key", "", "error: no key", "sshd");
    check("<0>Nov  5 23:06:40 web-1 kernel: panic", "critical", "panic", "kernel");
    check("<165>1 - - - - - - no header", "info", "no header", "");
    check("level=warn component=db msg=slow", "info", "slow", "");
    // MySQL, and Python's usual formats.
    check(
        "2026-11-25T23:06:40.123456Z 0 [Warning] [MY-010068] [Server] x",
        "info",
        "0 [Warning] [MY-010068] [Server] x",
        "",
    );
    check("2026-11-25 23:06:40,123 root ERROR boom", "error", "root ERROR boom", "");
    check("2026-11-25 23:06:40 web-1 shop.cart ERROR boom", "error", "web-1 shop.cart ERROR boom", "");
}

#[test]
fn stack_traces_and_times_of_many_loggers_are_read() {
    let attribute = |body: &str, key: &str| {
        let log = read(&Message::of_text(body));
        log.attributes.into_iter().find(|(other, _)| other == key).map(|(_, value)| value)
    };
    let stack = |body: &str| attribute(body, "stack");
    // Log4j 2, whose frames are a text or a list, and Monolog.
    let text =
        r#"{"level":"ERROR","message":"x","thrown":{"name":"a.B","extendedStackTrace":"a.B\n\tat a.C"}}"#;
    assert_eq!(stack(text).as_deref(), Some("a.B\n\tat a.C"));
    let list =
        r#"{"level":"ERROR","message":"x","thrown":{"extendedStackTrace":[{"class":"a.C","line":3}]}}"#;
    assert_eq!(stack(list).as_deref(), Some(r#"[{"class":"a.C","line":3}]"#));
    let monolog = r#"{"message":"x","level":400,"level_name":"ERROR","context":{"exception":{"class":"E","trace":["/a.php:1","/b.php:2"]}}}"#;
    assert_eq!(stack(monolog).as_deref(), Some("/a.php:1\n/b.php:2"));
    assert_eq!(attribute(monolog, "context.exception.class").as_deref(), Some("E"));
    // Google's libraries, and Log4j 2.
    for time in [
        r#""timestamp":{"seconds":1795648000,"nanos":123000000}"#,
        r#""instant":{"epochSecond":1795648000,"nanoOfSecond":123456789}"#,
    ] {
        let body = format!(r#"{{"severity":"ERROR","message":"x",{time}}}"#);
        let log = read(&Message::of_text(&body));
        assert_eq!(log.timestamp.map(Timestamp::as_millis), Some(1_795_648_000_123), "{body}");
        assert_eq!(log.attributes, [], "{body}");
    }
    check(r#"{"level":"CONFIG","message":"x"}"#, "debug", "x", "");
    check("2026-11-25 23:06:40 CONFIG x", "debug", "x", "");
    check("config: x", "", "config: x", "");
}

#[test]
fn what_python_writes_without_a_configuration_is_read() {
    check("ERROR:root:disk full: 100%", "error", "disk full: 100%", "root");
    check("WARNING:shop.cart:slow", "info", "slow", "shop.cart");
    check("CRITICAL:__main__:a\nb", "critical", "a\nb", "__main__");
    // What only begins so.
    for text in [
        "error:root:x",
        "ERROR:42:17: no such name",
        "INFO:http://a.b/c",
        "ERROR:a b:c",
        "ERROR:42",
        r"ERROR:C:\data\x: gone",
    ] {
        check(text, "", text, "");
    }
}

#[test]
fn lines_of_klog_are_read() {
    let received = Some(Timestamp::from_millis(1_795_648_000_000));
    let log = |body: &str| read(&Message { received, ..Message::of_text(body) });
    for (line, severity, level) in [
        ("E1125 23:06:40.123456   42 disk.go:7] full: [sda] 100%", "error", None),
        ("F1125 23:06:40.123456 42 disk.go:7] full: [sda] 100%", "critical", Some("fatal")),
        ("W20261125 23:06:40.123456 42 disk.go:7] full: [sda] 100%", "info", Some("warning")),
    ] {
        let log = log(line);
        let read =
            (log.severity.map(Severity::as_str), &*log.message, log.timestamp.map(Timestamp::as_millis));
        assert_eq!(read, (Some(severity), "full: [sda] 100%", Some(1_795_648_000_123)), "{line}");
        let mut attributes = vec![("thread", "42"), ("caller", "disk.go:7")];
        attributes.splice(0..0, level.map(|level| ("level", level)));
        let told: Vec<_> = log.attributes.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(told, attributes, "{line}");
    }
    let name = Decoder::default().producer(&Message::of_text("E1125 23:06:40.1 42 a.go:7] x")).name;
    assert_eq!(name, "klog");
    // Without a year there is no time unless it is known when the line came; the level is none the less.
    let untimed = read(&Message::of_text("I1125 23:06:40.123456 42 a.go:7] x"));
    assert_eq!((untimed.severity, untimed.timestamp), (Some(Severity::Info), None));
    // What only begins so.
    for text in
        ["E1125 23:06:40 disk full", "E1399 23:06:40.1 42 a.go:7] x", "I1125", "E1125 23:06:40.1 42 a b:7] x"]
    {
        check(text, "", text, "");
    }
}

#[test]
fn lines_of_a_containers_log_file_are_read() {
    let time = "2026-11-25T23:06:40.123456789Z";
    check(&format!("{time} stderr F ERROR: disk full"), "error", "disk full", "");
    check(&format!("{time} stdout P E1125 23:06:40.1 42 a.go:7] x"), "error", "x", "");
    let json = format!(r#"{time} stdout F {{"level":"warn","logger":"shop","msg":"slow","id":7}}"#);
    check(&json, "info", "slow", "shop");
    let log = read(&Message::of_text(&json));
    assert_eq!(log.timestamp.map(Timestamp::as_millis), Some(1_795_648_000_123));
    for attribute in [("stream", "stdout"), ("id", "7")] {
        let has = log.attributes.iter().any(|(key, value)| (&**key, &**value) == attribute);
        assert!(has, "{attribute:?} in {log:?}");
    }
    assert_eq!(Decoder::default().producer(&Message::of_text(&json)).name, "a container's log file");
    for empty in [format!("{time} stdout F "), format!(r#"{{"log":"\n","stream":"stdout","time":"{time}"}}"#)]
    {
        check(&empty, "", "", "");
    }
    check(r#"{"log":"","stream":"stdout","text":"disk full"}"#, "", "disk full", "");
    // What only begins so.
    check(&format!("{time} stderr is full"), "", "stderr is full", "");
}

#[test]
fn a_message_of_journald_may_be_bytes_or_left_out() {
    let read = |message: &str| {
        let fields = r#""__CURSOR":"s=1","PRIORITY":"3","SYSLOG_IDENTIFIER":"shop""#;
        read(&Message::of_text(&format!(r#"{{{fields},"MESSAGE":{message}}}"#)))
    };
    let bytes = read("[103,195,188,255]");
    assert_eq!((&*bytes.message, bytes.severity), ("gü\u{fffd}", Some(Severity::Error)));
    let left_out = read("null");
    assert!(left_out.message.contains("--all"), "{}", left_out.message);
    let told = (left_out.severity, left_out.source);
    assert_eq!(told, (Some(Severity::Error), Source::new("shop").ok()));
    assert!(left_out.attributes.iter().any(|(key, value)| (&**key, &**value) == ("__CURSOR", "s=1")));
}
