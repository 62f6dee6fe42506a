//! `loghost dead-letters`: listed, shown, chosen, destroyed; by one command at a time.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use libtest_mimic::Trial;
use serde_json::json;

use crate::support::broker::{Broker, Kind, on, on_each};
use crate::support::cli::{Unread, loghost};
use crate::support::dead_letters::{
    dead_letters, deploy, last, list, messages, publish, reject, with_dead_letters,
};
use crate::support::guest::{Then, guest, seen};
use crate::support::test;

pub(crate) fn trials() -> Vec<Trial> {
    [
        on(Kind::QUEUES, "dead_letters::are_listed_shown_and_sent_back", are_listed_shown_and_sent_back),
        on_each("dead_letters::are_looked_after_by_one_at_a_time", are_looked_after_by_one_at_a_time),
        on(Kind::QUEUES, "dead_letters::are_chosen_by_what_they_are", are_chosen_by_what_they_are),
        on_each("dead_letters::are_destroyed_only_as_asked", are_destroyed_only_as_asked),
        on(Kind::QUEUES, "dead_letters::leave_what_is_not_theirs", leave_what_is_not_theirs),
        on_each("dead_letters::need_a_queue", need_a_queue),
    ]
    .into_iter()
    .flatten()
    .chain([test("dead_letters::which_must_be_said", which_must_be_said)])
    .collect()
}

fn which_must_be_said() {
    for action in ["replay", "purge"] {
        let nowhere = ["--broker", "amqp://127.0.0.1:1"];
        let command =
            |arguments: &[&str]| loghost(["dead-letters", action]).args(nowhere).args(arguments).end();
        command(&["picky"]).exits(2).says("which of them? say --all, or --number N");
        command(&["picky", "--all", "--max", "3"]).exits(2);
        command(&["No Name", "--all"]).exits(2).says("cannot name a consumer");
        command(&["picky", "--all"]).exits(69);
    }
    loghost(["dead-letters", "list", "--broker", "amqp://127.0.0.1:1", "picky"]).end().exits(69);
}

fn are_listed_shown_and_sent_back(broker: &Broker) {
    let picky = deploy(broker, &guest("picky").version("1.2").on("bad", reject("it is\nno good")));
    let outside = broker.outside();
    let mut headers = FieldTable::default();
    headers.insert("disk".into(), AMQPValue::LongString("sda".into()));
    let properties = BasicProperties::default()
        .with_message_id("m-1".into())
        .with_timestamp(1_700_000_000)
        .with_headers(headers);
    publish(&outside, broker, "error", "", "good");
    outside.publish(&broker.exchange("error"), "db.1", b"bad \x1b[2J\nsecond \xff line", properties);
    publish(&outside, broker, "error", "web", "bad too");
    assert_eq!(last(&picky.run(3, &[])), [1, 2]);

    let table = dead_letters(broker, "list", ["picky"]).end().exits(0);
    let lines: Vec<&str> = table.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    let words: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(
        [words[0], words[2], words[3], words[4], words[5]],
        ["1", "error", "db.1", "reject", "1"],
        "{table}"
    );
    assert!(
        lines[1].contains("it is\\u{a}no good") && lines[1].contains("bad \\u{1b}[2J\\u{a}second"),
        "{table}"
    );
    assert!(lines[2].contains("web") && lines[2].ends_with("bad too"), "{table}");

    let listed = list(broker, "picky", &[]);
    let first = &listed[0];
    let time = first["time"].as_u64().expect("a time");
    assert!(time > 1_700_000_000_000, "{first}");
    assert!(first["plugin"]["sha256"].is_string(), "{first}");
    for (key, value) in [
        ("number", json!(1)),
        ("dead_letter", json!(true)),
        ("id", json!("m-1")),
        ("timestamp", json!(1_700_000_000_000_u64)),
        ("severity", json!("error")),
        ("source", json!("db.1")),
        ("message", json!("bad \u{1b}[2J\nsecond \u{fffd} line")),
        ("attributes", json!({"disk": "sda"})),
        ("outcome", json!("reject")),
        ("reason", json!("it is\nno good")),
        ("backtrace", json!(null)),
        ("attempts", json!(1)),
        ("exchange", json!(broker.exchange("error"))),
        ("routing_key", json!("db.1")),
        ("original", json!({})),
        ("headers_left_out", json!(0)),
    ] {
        assert_eq!(first[key], value, "{key}: {first}");
    }
    assert_eq!((&first["plugin"]["name"], &first["plugin"]["version"]), (&json!("picky"), &json!("1.2")));

    let page = dead_letters(broker, "show", ["picky", "1"]).end().exits(0);
    for part in
        ["1 of 2", "picky 1.2", "db.1", "m-1", "2023-11-14T22:13:20.000Z", "attribute disk", "\nsecond"]
    {
        assert!(page.stdout.contains(part), "`{part}` is not shown: {page}");
    }
    assert!(!page.stdout.contains('\u{1b}'), "{page}");
    let shown = dead_letters(broker, "show", ["picky", "2", "--format", "json"]).end().exits(0);
    assert_eq!(shown.json(), listed[1..], "{shown}");
    dead_letters(broker, "show", ["picky", "3"]).end().exits(1).says("there is no number 3");

    // Listing removes none, and leaves them in their order.
    assert_eq!(list(broker, "picky", &[]), listed);
    let replay = dead_letters(broker, "replay", ["picky", "--all", "--format", "json"]).end().exits(0);
    assert_eq!(replay.json(), [json!({"replayed": 2, "left": 0, "not_dead_letters": 0, "not_logs": 0})]);
    assert_eq!(outside.depth(&picky.dead_queue()), Some(0));

    let fixed = deploy(broker, &guest("picky").fields(&["id", "source", "attributes"]).transcribes());
    let output = fixed.run(2, &[]);
    assert_eq!(last(&output), [2, 0]);
    assert_eq!(outside.depth(&picky.queue()), Some(0));
    let seen = seen(&output.stderr, "picky");
    // A line of the transcript ends where the message has its line end.
    let second = seen.iter().find(|seen| seen.message == "bad too").expect("it came back");
    assert_eq!((second.severity.as_str(), second.attempt), ("error", 2), "{output}");
    assert_eq!((second.id.as_deref(), second.source.as_deref()), (Some("bad too"), Some("web")), "{output}");
    assert_eq!(second.attributes, Some(Vec::new()), "what loghost notes is no attribute: {output}");
    dead_letters(broker, "list", ["picky"]).end().exits(0).says("none to list");
}

/// While one command holds them, another would not see all, and a number would name another dead letter.
fn are_looked_after_by_one_at_a_time(broker: &Broker) {
    let picky = with_dead_letters(broker, "picky", 600);
    let list = Unread::start(dead_letters(broker, "list", ["picky", "--format", "json"]));
    for action in ["purge", "replay"] {
        let other = dead_letters(broker, action, ["picky", "--number", "1"]).end().exits(69);
        other.says("another `loghost dead-letters` holds them");
    }
    dead_letters(broker, "list", ["picky"]).end().exits(69);
    drop(list);
    dead_letters(broker, "purge", ["picky", "--number", "1"]).end().exits(0).prints("purged 1  left 599");
    let left = dead_letters(broker, "list", ["picky", "--limit", "1"]).end().exits(0);
    left.prints("bad 2");
    assert_eq!(broker.outside().depth(&picky.dead_queue()), Some(599));
}

fn are_chosen_by_what_they_are(broker: &Broker) {
    let rules = guest("choosy").on("bad", reject("it is bad")).on("late", Then::Retry("not yet".to_owned()));
    let choosy = deploy(broker, &rules);
    let outside = broker.outside();
    for (severity, source, message) in [
        ("error", "db.1", "bad 1"),
        ("info", "web.1", "bad 2"),
        ("error", "web.2", "late 3"),
        ("critical", "", "bad 4"),
        ("error", "db.2", "bad 5"),
    ] {
        publish(&outside, broker, severity, source, message);
    }
    choosy.run(5, &["--max-retries", "0"]);
    let check = |arguments: &[&str], expected: &[&str]| {
        assert_eq!(messages(broker, "choosy", arguments), expected, "{arguments:?}");
    };
    check(&[], &["bad 1", "bad 2", "late 3", "bad 4", "bad 5"]);
    check(&["--severity", "error"], &["bad 1", "late 3", "bad 5"]);
    check(&["--severity", "info", "--severity", "critical"], &["bad 2", "bad 4"]);
    check(&["--source", "web.*"], &["bad 2", "late 3"]);
    check(&["--outcome", "retry"], &["late 3"]);
    check(&["--outcome", "trap"], &[]);
    check(&["--reason", "is b", "--severity", "error"], &["bad 1", "bad 5"]);
    check(&["--id", "bad 4"], &["bad 4"]);
    check(&["--limit", "2"], &["bad 1", "bad 2"]);
    check(&["--limit", "1", "--source", "web.#"], &["bad 2"]);

    let replay = |arguments: &[&str]| dead_letters(broker, "replay", ["choosy"]).args(arguments).end();
    replay(&["--source", "db.*", "--max", "1"]).exits(0).prints("replayed 1  left 4");
    check(&[], &["bad 2", "late 3", "bad 4", "bad 5"]);
    replay(&["--number", "3"]).exits(0).prints("replayed 1  left 3");
    check(&[], &["bad 2", "late 3", "bad 5"]);
    replay(&["--number", "4"]).exits(1).prints("replayed 0  left 3").says("there is no number 4");
    let none = replay(&["--outcome", "retry", "--severity", "info"]).exits(0).prints("replayed 0  left 3");
    none.says("none of the 3 messages in").does_not_say("there is no");
    replay(&["--outcome", "retry"]).exits(0).prints("replayed 1  left 2");
    check(&[], &["bad 2", "bad 5"]);
    let returned: Vec<_> =
        outside.take_all(&choosy.queue()).into_iter().map(|message| message.data).collect();
    assert_eq!(returned, [&b"bad 1"[..], b"bad 4", b"late 3"]);
}

fn are_destroyed_only_as_asked(broker: &Broker) {
    let picky = deploy(broker, &guest("picky").on("bad", reject("no")));
    let outside = broker.outside();
    for message in ["bad 1", "bad 2", "bad 3", "bad 4"] {
        publish(&outside, broker, "error", "", message);
    }
    picky.run(4, &[]);
    let purge = |arguments: &[&str]| dead_letters(broker, "purge", ["picky"]).args(arguments).end();
    purge(&[]).exits(2).says("which of them?");
    purge(&["--id", "bad 3"]).exits(0).prints("purged 1  left 3");
    purge(&["--id", "bad 3"]).exits(1).prints("purged 0  left 3").says("there is no id bad 3");
    assert_eq!(messages(broker, "picky", &[]), ["bad 1", "bad 2", "bad 4"]);
    purge(&["--number", "1"]).exits(0).prints("purged 1  left 2");
    assert_eq!(messages(broker, "picky", &[]), ["bad 2", "bad 4"]);
    let all = purge(&["--all", "--format", "json"]).exits(0);
    assert_eq!(all.json(), [json!({"purged": 2, "left": 0, "not_dead_letters": 0, "not_logs": 0})]);
    assert_eq!(outside.depth(&picky.dead_queue()), Some(0));
    assert_eq!(outside.depth(&picky.queue()), Some(0), "nothing was sent back");
}

fn leave_what_is_not_theirs(broker: &Broker) {
    let picky = deploy(broker, &guest("picky").on("bad", reject("no")));
    let outside = broker.outside();
    let stray = BasicProperties::default().with_message_id("stray".into());
    outside.publish("", &picky.dead_queue(), b"somebody's", stray.clone());
    publish(&outside, broker, "error", "", "bad");
    picky.run(1, &[]);
    let listed = list(broker, "picky", &[]);
    assert_eq!((&listed[0]["dead_letter"], &listed[0]["message"]), (&json!(false), &json!("somebody's")));
    assert_eq!((&listed[0]["outcome"], &listed[0]["exchange"]), (&json!(null), &json!("")));
    dead_letters(broker, "list", ["picky"]).end().exits(0).prints("not a dead letter  somebody's");
    dead_letters(broker, "show", ["picky", "1"]).end().exits(0).prints("not a dead letter");
    dead_letters(broker, "replay", ["picky", "--number", "1"]).end().exits(0).says("which stay there: 1");
    let replay = dead_letters(broker, "replay", ["picky", "--all"]).end().exits(0);
    replay.prints("replayed 1  left 1").says("which stay there: 1");
    let purge = dead_letters(broker, "purge", ["picky", "--all"]).end().exits(0);
    purge.prints("purged 0  left 1").says("which stay there: 1");
    let left = outside.take(&picky.dead_queue());
    assert_eq!(left.data, b"somebody's");
    assert_eq!(left.properties.message_id().as_ref().map(ShortString::as_str), Some("stray"));
    // A message with the header of a replay that did not come from a severity's exchange is not a replay.
    let mut headers = FieldTable::default();
    headers.insert("loghost-replay".into(), AMQPValue::Boolean(true));
    headers.insert("loghost-exchange".into(), AMQPValue::LongString("elsewhere".into()));
    headers.insert("loghost-routing-key".into(), AMQPValue::LongString("".into()));
    headers.insert("loghost-attempts".into(), AMQPValue::LongLongInt(1));
    outside.publish("", &picky.queue(), b"a lie", stray.with_headers(headers));
    publish(&outside, broker, "error", "", "good");
    let output = picky.run(2, &[]);
    assert_eq!(last(&output), [1, 1], "the replay of `bad`, and `good`: {output}");
    output.says("directly");
}

fn need_a_queue(broker: &Broker) {
    for action in ["list", "replay", "purge", "show"] {
        let arguments = match action {
            "list" => ["nobody", "--format=text"],
            "show" => ["nobody", "1"],
            _ => ["nobody", "--all"],
        };
        let output = dead_letters(broker, action, arguments).end().says("nobody has no dead letters");
        let output = output.exits(i32::from(action == "show"));
        let done = match action {
            "replay" => "replayed 0  left 0\n",
            "purge" => "purged 0  left 0\n",
            _ => "",
        };
        assert_eq!(output.stdout, done, "{output}");
    }
    for one in [["--number", "1"], ["--id", "a"]] {
        dead_letters(broker, "purge", ["nobody", one[0], one[1]]).end().exits(1).prints("purged 0");
    }
    let picky = deploy(broker, &guest("picky").on("bad", reject("no")));
    let outside = broker.outside();
    publish(&outside, broker, "error", "", "bad");
    picky.run(1, &[]);
    outside.delete(&picky.queue());
    let replay = dead_letters(broker, "replay", ["picky", "--all"]).end().exits(78);
    replay.says(&format!("there is no queue {}", picky.queue()));
    assert_eq!(messages(broker, "picky", &[]), ["bad"]);
}
