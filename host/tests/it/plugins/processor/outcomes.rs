//! Logs that a processor skips, rejects or retries.

use std::slice;
use std::time::{Duration, Instant};

use lapin::BasicProperties;
use lapin::types::{AMQPValue, ShortString};

use super::{headers, last, messages, run};
use crate::support::broker::Broker;
use crate::support::guest::{Then, declare, guest, seen};

pub(super) fn what_is_skipped_is_not_accepted(broker: &Broker) {
    let picky = guest("picky").on("skip", Then::Skip);
    let output = run(broker, &picky, &[b"one", b"skip", b"two", b"skip too", b"ski"], &[]).exits(0);
    assert_eq!(last(&output), [3, 2, 0], "{output}");
    assert_eq!(broker.outside().depth(&broker.queue("picky")), Some(0));
}

pub(super) fn what_is_rejected_is_a_dead_letter(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = guest("picky").on("reject", Then::Reject("it is no good".to_owned())).write(folder.path());
    declare(broker, slice::from_ref(&file));
    let outside = broker.outside();
    let exchange = broker.exchange("error");
    let properties = BasicProperties::default()
        .with_message_id("m-1".into())
        .with_app_id("db.1".into())
        .with_content_type("text/plain".into())
        .with_timestamp(1_700_000_000)
        .with_headers(headers(&[("disk", "sda")]))
        .with_expiration("600000".into());
    let body = b"reject \xff\x00 this";
    outside.publish(&exchange, "", b"one", BasicProperties::default());
    outside.publish(&exchange, "db.1", body, properties);
    outside.publish(&exchange, "", b"two", BasicProperties::default());
    let run = broker.loghost(["run", "--format", "json", "--max-logs", "3"]).arg(file);
    let output = run.end().exits(0);
    assert_eq!(last(&output), [2, 0, 1], "{output}");
    assert_eq!(outside.depth(&broker.queue("picky")), Some(0), "the original is acknowledged");

    let dead = format!("{}.dead", broker.queue("picky"));
    assert_eq!(outside.depth(&dead), Some(1));
    let dead_letter = outside.take(&dead);
    assert_eq!(dead_letter.data, body);
    assert_eq!(
        (dead_letter.exchange.as_str(), dead_letter.routing_key.as_str()),
        (broker.exchange("dead").as_str(), "picky")
    );
    let properties = &dead_letter.properties;
    assert_eq!(properties.message_id().as_ref().map(ShortString::as_str), Some("m-1"));
    assert_eq!(properties.app_id().as_ref().map(ShortString::as_str), Some("db.1"));
    assert_eq!(properties.content_type().as_ref().map(ShortString::as_str), Some("text/plain"));
    assert_eq!(*properties.timestamp(), Some(1_700_000_000));
    assert_eq!(*properties.delivery_mode(), Some(2));
    // It would expire again.
    assert_eq!(*properties.expiration(), None);
    let headers = properties.headers().clone().unwrap_or_default();
    let header = |key: &str| match headers.inner().get(key) {
        Some(AMQPValue::LongString(text)) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        Some(AMQPValue::LongLongInt(number)) => number.to_string(),
        other => panic!("{key}: {other:?} in {headers:?}"),
    };
    for (key, value) in [
        ("disk", "sda"),
        ("loghost-outcome", "reject"),
        ("loghost-reason", "it is no good"),
        ("loghost-attempts", "1"),
        ("loghost-exchange", exchange.as_str()),
        ("loghost-routing-key", "db.1"),
        ("loghost-original-expiration", "600000"),
    ] {
        assert_eq!(header(key), value, "{key}");
    }
    assert!(header("loghost-time").parse::<u64>().is_ok_and(|time| time > 1_700_000_000_000));
}

pub(super) fn what_is_retried_comes_again(broker: &Broker) {
    let later = Then::Retry("not yet".to_owned());
    let patient = guest("patient").transcribes().on_attempts_below(3, "retry", later);
    let began = Instant::now();
    let output = run(broker, &patient, &[b"one", b"retry", b"two", b"three"], &[]).exits(0);
    let seen = seen(&output.stderr, "patient");
    let expected = [("one", 1), ("retry", 1), ("two", 1), ("three", 1), ("retry", 2), ("retry", 3)];
    assert_eq!(messages(&seen), expected, "{output}");
    assert!(began.elapsed() > Duration::from_secs(2), "it came again at once: {:?}", began.elapsed());
    assert_eq!(last(&output), [4, 0, 0], "{output}");
    let outside = broker.outside();
    assert_eq!(outside.depth(&broker.queue("patient")), Some(0));
    assert_eq!(outside.depth(&format!("{}.dead", broker.queue("patient"))), Some(0));
}

pub(super) fn retries_have_an_end(broker: &Broker) {
    let outside = broker.outside();
    for (retries, attempts) in [("0", 1), ("1", 2)] {
        let name = format!("patient-{retries}");
        let patient = guest(&name).transcribes().on("retry", Then::Retry("never".to_owned()));
        let output = run(broker, &patient, &[b"retry", b"one"], &["--max-retries", retries]).exits(0);
        let seen = seen(&output.stderr, &name);
        let tried = seen.iter().filter(|seen| seen.message == "retry").map(|seen| seen.attempt);
        assert!(tried.eq(1..=attempts), "{output}");
        assert_eq!(last(&output), [1, 0, 1], "{output}");
        assert_eq!(outside.depth(&broker.queue(&name)), Some(0));
        let dead_letter = outside.take(&format!("{}.dead", broker.queue(&name)));
        assert_eq!(dead_letter.data, b"retry");
        let headers = dead_letter.properties.headers().clone().unwrap_or_default();
        let tried = headers.inner().get("loghost-attempts");
        assert_eq!(tried, Some(&AMQPValue::LongLongInt(attempts.into())), "{headers:?}");
        let reason = headers.inner().get("loghost-reason");
        assert_eq!(reason, Some(&AMQPValue::LongString("never".into())), "{headers:?}");
    }
}
