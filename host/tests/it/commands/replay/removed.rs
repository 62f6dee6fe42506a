//! `loghost replay` of a span of which retention has removed a part: before it begins, and while it reads.

use lapin::BasicProperties;
use libtest_mimic::Trial;

use super::{KINDS, declare, metric, plugin, publish, replay};
use crate::support::broker::{Broker, Kind, on};
use crate::support::gate::Gate;
use crate::support::metrics::errors;
use crate::support::outside::Outside;

pub(super) fn trials() -> impl Iterator<Item = Trial> {
    [
        on(KINDS, "replay::what_was_removed_is_said", what_was_removed_is_said),
        on([Kind::Stream], "replay::what_is_removed_meanwhile_is_said", what_is_removed_meanwhile_is_said),
    ]
    .into_iter()
    .flatten()
}

/// Declares the stream of errors with this retention, in bytes, and this size of segments.
#[track_caller]
fn declare_bounded(broker: &Broker, outside: &Outside, retained: i64, segment: i64) {
    outside.declare_bounded_stream(&broker.exchange("error"), retained, segment);
    declare(broker, &plugin());
}

fn what_was_removed_is_said(broker: &Broker) {
    let outside = broker.outside();
    declare_bounded(broker, &outside, 200_000, 50_000);
    let text = "x".repeat(10_000);
    for _ in 0..5 {
        publish(&outside, broker, &[&*text; 40]);
    }
    // When a segment has just begun, it may be the only one.
    publish(&outside, broker, &["last"]);
    let replay = |from: &str| replay(broker, [&plugin()]).args(["--from", from]).end().exits(0);
    let [left, 0] = errors(&metric(&replay("first").does_not_say("begins at offset"))) else { panic!() };
    assert!((1..201).contains(&left), "{left}");
    let output = replay("3");
    let first = output.stderr.split("begins at offset ").nth(1).and_then(|rest| rest.split(':').next());
    let first: u64 = first.and_then(|first| first.parse().ok()).unwrap_or_else(|| panic!("{output}"));
    let output = output.says(&format!("of what was asked for, up to {} logs are not there", first - 3));
    assert_eq!(errors(&metric(&output)), [left, 0], "{output}");
    let output = replay("1h").says("what was before").says("its retention has removed them");
    assert_eq!(errors(&metric(&output)), [left, 0], "{output}");
}

/// What the broker has sent so far is held back while retention removes what comes next. The end of the span is still there.
fn what_is_removed_meanwhile_is_said(broker: &Broker) {
    let outside = broker.outside();
    declare_bounded(broker, &outside, 4_000_000, 200_000);
    let (logs, mut next) = (3000, 0);
    let mut publish = |logs: u64| {
        let exchange = broker.exchange("error");
        for _ in 0..logs / 40 {
            let log = |n| (&*exchange, "web", format!("{n} {:990}", ""), BasicProperties::default());
            outside.publish_all((next..next + 40).map(log));
            next += 40;
        }
    };
    publish(logs);
    let gate = Gate::new(broker.stream_port().expect("the stream protocol"), 600_000);
    let replay = replay(broker, [&plugin()]).args(["--from", "first", "--stream-address", gate.address()]);
    let replay = replay.start();
    gate.wait_until_closed();
    // More than the broker sends ahead, and less than the span has.
    let first = || {
        let tail = ["tail", "--severity", "error", "--from", "first", "--max-logs", "1", "--format", "json"];
        let output = broker.loghost(tail).end().exits(0);
        let log = &output.json()[0]["message"];
        let number = log.as_str().and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        number.unwrap_or_else(|| panic!("no log: {output}"))
    };
    while first() < 2200 {
        publish(400);
    }
    gate.open();
    let output = replay.end().exits(0);
    let number = |before: &str| {
        let rest = output.stderr.split(before).nth(1);
        let number = rest.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        number.unwrap_or_else(|| panic!("no number behind `{before}`: {output}"))
    };
    let (until, missing) = (number("from offset 0 to "), number("of what was asked for, up to "));
    let [counted, _] = errors(&metric(&output));
    assert!(missing > 0 && counted < logs, "{output}");
    // Each offset of the span was read or is said to be missing, but for those of the broker's own.
    let own = until.checked_sub(counted + missing);
    assert!(own.is_some_and(|own| own <= until - logs), "{output}");
    assert_eq!(output.stderr.matches("as its retention has removed them").count(), 1, "{output}");
}
