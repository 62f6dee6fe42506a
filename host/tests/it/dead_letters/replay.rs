//! Dead letters that are sent back: each once, in order, and none is lost by a kill, an interruption or the end of a
//! queue.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldArray, FieldTable};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::TIMEOUT;
use crate::support::broker::{Broker, Kind, on, on_all, on_each};
use crate::support::cli::{Running, Signal};
use crate::support::dead_letters::{
    Deployed, dead_letters, deploy, last, list, publish, reject, with_dead_letters,
};
use crate::support::guest::{guest, seen};
use crate::support::needing;
use crate::support::outside::Outside;

pub(crate) fn trials() -> Vec<Trial> {
    [
        on(Kind::QUEUES, "dead_letters::keep_where_they_came_from", keep_where_they_came_from),
        on_each("dead_letters::keep_the_trace_that_they_are_part_of", keep_the_trace),
        on(Kind::QUEUES, "dead_letters::go_back_by_the_thousand", go_back_by_the_thousand),
        on_all("dead_letters::survive_a_kill", survive_a_kill),
        on_each("dead_letters::survive_an_interruption", survive_an_interruption),
        on(Kind::QUEUES, "dead_letters::keep_what_would_act_again_still", keep_what_would_act_again_still),
    ]
    .into_iter()
    .flatten()
    // RabbitMQ confirms messages that reach a queue while it is deleted, so there some may be lost.
    .chain([needing("embedded::dead_letters::survive_the_end_of_the_queue", || {
        survive_the_end_of_the_queue(&Broker::new(Kind::Embedded)?);
        Ok(())
    })])
    .collect()
}

/// W3C trace context, in the headers of the message: as a dead letter, and sent back.
fn keep_the_trace(broker: &Broker) {
    const CONTEXT: [(&str, &str); 2] = [
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"),
    ];
    let first = deploy(broker, &guest("traced").on("bad", reject("no")));
    let mut headers = FieldTable::default();
    for (key, value) in CONTEXT {
        headers.insert(key.into(), AMQPValue::LongString(value.into()));
    }
    let properties = BasicProperties::default().with_message_id("m-1".into()).with_headers(headers);
    broker.outside().publish(&broker.exchange("error"), "shop", b"bad", properties);
    first.run(1, &[]);
    let listed = list(broker, "traced", &[]);
    for (key, value) in CONTEXT {
        assert_eq!(listed[0]["attributes"][key], value, "{listed:?}");
    }
    dead_letters(broker, "replay", ["traced", "--all"]).end().exits(0).prints("replayed 1  left 0");
    let output = deploy(broker, &guest("traced").fields(&["attributes"]).transcribes()).run(1, &[]);
    let seen = seen(&output.stderr, "traced");
    let attributes = CONTEXT.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(seen[0].attributes, Some(attributes.to_vec()), "{output}");
}

/// A dead letter that is sent back and rejected again is the same dead letter, with another reason.
fn keep_where_they_came_from(broker: &Broker) {
    let outside = broker.outside();
    let first = deploy(broker, &guest("stubborn").version("1").on("bad", reject("first")));
    let properties = BasicProperties::default()
        .with_message_id("m-1".into())
        .with_user_id("guest".into())
        .with_delivery_mode(1)
        .with_expiration("600000".into());
    outside.publish(&broker.exchange("critical"), "db.1", b"bad", properties);
    first.run(1, &[]);
    let before = list(broker, "stubborn", &[]);
    for attempts in 2..=3 {
        dead_letters(broker, "replay", ["stubborn", "--all"]).end().exits(0).prints("replayed 1  left 0");
        let reason = format!("again {attempts}");
        let next = guest("stubborn").version(&attempts.to_string()).on("bad", reject(&reason));
        deploy(broker, &next).run(1, &[]);
        let after = list(broker, "stubborn", &[]);
        assert_eq!(after.len(), 1, "{after:?}");
        for key in ["id", "severity", "source", "exchange", "routing_key", "original", "message"] {
            assert_eq!(after[0][key], before[0][key], "{key}");
        }
        assert_eq!(after[0]["original"]["user-id"], "guest");
        assert_eq!(after[0]["original"]["delivery-mode"], "1");
        assert_eq!(after[0]["routing_key"], "db.1");
        assert_eq!((&after[0]["attempts"], &after[0]["reason"]), (&json!(attempts), &json!(reason)));
        assert_eq!(after[0]["plugin"]["version"], attempts.to_string());
    }
    // One whose filter no longer wants it is not shown it; it stays a dead letter.
    dead_letters(broker, "replay", ["stubborn", "--all"]).end().exits(0).prints("replayed 1  left 0");
    publish(&outside, broker, "error", "", "good");
    let narrow = deploy(broker, &guest("stubborn").severities(&["error"]).processes());
    publish(&outside, broker, "error", "", "better");
    let output = narrow.run(2, &[]);
    let metric = output.json().pop().expect("a metric");
    assert_eq!(
        (&metric["counts"]["critical"], &metric["counts"]["error"], &metric["unwanted"]["critical"]),
        (&json!(0), &json!(2), &json!(1)),
        "{output}"
    );
    assert_eq!(outside.depth(&narrow.queue()), Some(0));
    let after = list(broker, "stubborn", &["--outcome", "unwanted"]);
    assert_eq!(after.len(), 1, "{after:?}");
    for key in ["id", "severity", "source", "exchange", "routing_key", "original", "message"] {
        assert_eq!(after[0][key], before[0][key], "{key}");
    }
    assert_eq!(after[0]["attempts"], 3, "it was not tried again");
}

/// More than are in flight at once: each is sent back once, in order, and those that are rejected again meanwhile are
/// not sent back again.
fn go_back_by_the_thousand(broker: &Broker) {
    const MANY: usize = 1500;
    let picky = with_dead_letters(broker, "picky", MANY);
    let running = broker.loghost(["run", "--format", "json"]).arg(&picky.file).start();
    running.says("consuming from");
    let replay = dead_letters(broker, "replay", ["picky", "--all", "--format", "json"]).end().exits(0);
    assert_eq!(replay.json()[0]["replayed"], MANY, "{replay}");
    let outside = broker.outside();
    outside.wait_for_depth(&picky.dead_queue(), u32::try_from(MANY).expect("a few"));
    running.end_by(Signal::Terminate).exits(0);
    let listed = list(broker, "picky", &[]);
    assert!(listed.iter().all(|dead_letter| dead_letter["attempts"] == 2), "each went back once");
    let numbers: Vec<String> = listed.iter().map(|dead_letter| dead_letter["message"].to_string()).collect();
    let expected: Vec<String> = (1..=MANY).map(|n| format!("\"bad {n}\"")).collect();
    assert_eq!(numbers, expected);
}

/// Starts a replay of all, and returns it when some have arrived.
#[track_caller]
fn in_the_middle(outside: &Outside, picky: &Deployed<'_>) -> Running {
    let replay = dead_letters(picky.broker, "replay", [&picky.name, "--all", "--format", "json"]).start();
    let deadline = Instant::now() + TIMEOUT;
    while outside.depth(&picky.queue()) == Some(0) {
        assert!(Instant::now() < deadline, "none comes back: {replay}");
        // A queue does not say when it is no longer empty.
        thread::sleep(Duration::from_millis(1));
    }
    replay
}

fn survive_a_kill(broker: &Broker) {
    const MANY: usize = 2000;
    let picky = with_dead_letters(broker, "picky", MANY);
    let outside = broker.outside();
    in_the_middle(&outside, &picky).signal(Signal::Kill);
    let sum =
        || [picky.queue(), picky.dead_queue()].iter().filter_map(|queue| outside.depth(queue)).sum::<u32>();
    // The broker requeues them when it notices that the connection is gone.
    outside.wait_until(|| sum() as usize >= MANY);
    let found =
        [picky.queue(), picky.dead_queue()].map(|queue| outside.take_all(&queue)).into_iter().flatten();
    let id = |properties: &BasicProperties| properties.message_id().as_ref().map(ToString::to_string);
    let ids: HashSet<String> = found.filter_map(|message| id(&message.properties)).collect();
    assert_eq!(ids.len(), MANY);
}

fn survive_an_interruption(broker: &Broker) {
    const MANY: u64 = 2000;
    let picky = with_dead_letters(broker, "picky", 2000);
    let outside = broker.outside();
    let replay = in_the_middle(&outside, &picky);
    replay.signal(Signal::Interrupt);
    let output = replay.end();
    let result = output.json().pop().unwrap_or_else(|| panic!("no result: {output}"));
    let number = |key: &str| result[key].as_u64().unwrap_or_else(|| panic!("no `{key}`: {output}"));
    let (replayed, left) = (number("replayed"), number("left"));
    // A quorum queue may not have processed every acknowledgement when the channel ends: such a dead letter is left,
    // and is sent twice, but its log is counted once.
    let is_exact = !broker.is_quorum();
    assert!(if is_exact { replayed + left == MANY } else { replayed + left >= MANY }, "{output}");
    assert_eq!(outside.depth(&picky.queue()).map(u64::from), Some(replayed), "{output}");
    let output = if left > 0 { output.exits(69).says("interrupted") } else { output };
    let rest = dead_letters(broker, "replay", ["picky", "--all", "--format", "json"]).end().exits(0);
    let rest = rest.json()[0]["replayed"].as_u64().unwrap_or_default();
    assert!(if is_exact { rest == left } else { rest >= left }, "{rest}: {output}");
    assert_eq!(outside.depth(&picky.queue()).map(u64::from), Some(replayed + rest));
}

/// A returned message does not say which one it is: none of those in flight may be removed.
fn survive_the_end_of_the_queue(broker: &Broker) {
    const MANY: u32 = 2000;
    let picky = with_dead_letters(broker, "picky", 2000);
    let outside = broker.outside();
    let replay = in_the_middle(&outside, &picky);
    let deleted = outside.delete(&picky.queue());
    let output = replay.end();
    let left = u32::try_from(list(broker, "picky", &[]).len()).expect("a few");
    assert!(deleted + left >= MANY, "{deleted} were sent back, {left} are left: {output}");
    if left > 0 {
        output.exits(78).says("did not take a dead letter back");
    }
}

/// Properties that the broker acts on (CC, expiration) must not act again when a message is dead-lettered or replayed.
fn keep_what_would_act_again_still(broker: &Broker) {
    let picky = deploy(broker, &guest("picky").on("bad", reject("no")));
    let outside = broker.outside();
    let copies = format!("{}.copies", broker.prefix());
    outside.bind_by_name(&copies, &broker.exchange("dead"));
    let message = |large: usize| {
        let mut headers = FieldTable::default();
        let recipients =
            || AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::LongString(copies.as_str().into())]));
        headers.insert("CC".into(), recipients());
        headers.insert("BCC".into(), recipients());
        headers.insert("loghost-replay".into(), AMQPValue::Boolean(true));
        headers.insert("large".into(), AMQPValue::LongString("x".repeat(large).into()));
        headers.insert("small".into(), AMQPValue::LongString("y".into()));
        BasicProperties::default()
            .with_message_id("always the same".into())
            .with_user_id("guest".into())
            .with_delivery_mode(1)
            .with_headers(headers)
            .with_expiration("600000".into())
    };
    // Headers that fill a frame, and smaller ones to which something can be added.
    for large in [130_850, 120_000] {
        outside.publish(&broker.exchange("error"), "db.1", b"bad", message(large));
    }
    for attempts in [1, 2] {
        assert_eq!(last(&picky.run(2, &[])), [0, 2]);
        assert_eq!(outside.depth(&picky.queue()), Some(0));
        assert_eq!(outside.depth(&copies), Some(0), "a copy went elsewhere");
        let listed = list(broker, "picky", &[]);
        assert_eq!(listed.len(), 2);
        for dead_letter in &listed {
            let original = &dead_letter["original"];
            assert_eq!(dead_letter["attempts"], attempts);
            assert_eq!((&original["user-id"], &original["delivery-mode"]), (&json!("guest"), &json!("1")));
            assert_eq!(original["CC"], json!([copies]).to_string());
            assert_eq!(original["loghost-replay"], "true");
            assert_eq!(original["expiration"], "600000");
            assert_eq!(
                (&dead_letter["id"], &dead_letter["attributes"]["small"]),
                (&json!("always the same"), &json!("y"))
            );
        }
        let length = |dead_letter: &Value| dead_letter["attributes"]["large"].as_str().map(str::len);
        assert_eq!((length(&listed[0]), length(&listed[1])), (None, Some(120_000)));
        if attempts == 1 {
            assert_eq!(listed[0]["headers_left_out"], 1);
            let replay = dead_letters(broker, "replay", ["picky", "--all"]).end();
            replay.exits(0).prints("replayed 2  left 0");
            assert_eq!(outside.depth(&copies), Some(0), "a copy went elsewhere");
        }
    }
    let dead_letter = outside.take(&picky.dead_queue());
    assert_eq!(*dead_letter.properties.delivery_mode(), Some(2));
    assert_eq!((dead_letter.properties.expiration(), dead_letter.properties.user_id()), (&None, &None));
}
