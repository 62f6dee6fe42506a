//! Dead letters, from the operator's side: listed, shown, sent back, destroyed, and never lost.

use std::collections::HashSet;
use std::path::PathBuf;
use std::slice;
use std::thread;
use std::time::{Duration, Instant};

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldArray, FieldTable, ShortString};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::PATIENCE;
use crate::support::broker::{Broker, Kind, on_each};
use crate::support::cli::{Loghost, Output, Running, Signal, Stuck, loghost};
use crate::support::guest::{Guest, Then, declare, guest, seen};
use crate::support::outside::Outside;
use crate::support::{needing, test};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![test("dead_letters::which_must_be_said", which_must_be_said)];
    for more in [
        on_each("dead_letters::are_listed_shown_and_sent_back", are_listed_shown_and_sent_back),
        on_each("dead_letters::are_looked_after_by_one_at_a_time", are_looked_after_by_one_at_a_time),
        on_each("dead_letters::are_chosen_by_what_they_are", are_chosen_by_what_they_are),
        on_each("dead_letters::are_destroyed_only_as_asked", are_destroyed_only_as_asked),
        on_each("dead_letters::keep_where_they_came_from", keep_where_they_came_from),
        on_each("dead_letters::go_back_by_the_thousand", go_back_by_the_thousand),
        on_each("dead_letters::survive_a_kill", survive_a_kill),
        on_each("dead_letters::survive_an_interruption", survive_an_interruption),
        on_each("dead_letters::keep_what_would_act_again_still", keep_what_would_act_again_still),
        on_each("dead_letters::leave_what_is_not_theirs", leave_what_is_not_theirs),
        on_each("dead_letters::need_a_queue", need_a_queue),
    ] {
        trials.extend(more);
    }
    // RabbitMQ confirms what reaches a queue that is being deleted, so there the sum may be less.
    trials.push(needing("embedded::dead_letters::survive_the_end_of_the_queue", || {
        survive_the_end_of_the_queue(&Broker::new(Kind::Embedded)?);
        Ok(())
    }));
    trials
}

/// `loghost dead-letters` with an action and what follows it.
pub(crate) fn dead_letters<const N: usize>(broker: &Broker, action: &str, arguments: [&str; N]) -> Loghost {
    let connection = ["--broker", broker.url(), "--prefix", broker.prefix()];
    loghost(["dead-letters", action]).args(connection).args(arguments)
}

/// What `list --format json` tells of them.
#[track_caller]
pub(crate) fn list(broker: &Broker, consumer: &str, arguments: &[&str]) -> Vec<Value> {
    let list = dead_letters(broker, "list", [consumer, "--format", "json"]).args(arguments);
    list.end().exits(0).json()
}

#[track_caller]
fn messages(broker: &Broker, consumer: &str, arguments: &[&str]) -> Vec<String> {
    let text = |letter: &Value| letter["message"].as_str().expect("a text").to_owned();
    list(broker, consumer, arguments).iter().map(text).collect()
}

/// A plugin in a folder, with its queue on a broker.
pub(crate) struct Deployed<'a> {
    broker: &'a Broker,
    name: String,
    file: PathBuf,
    _folder: TempDir,
}

#[track_caller]
fn deploy<'a>(broker: &'a Broker, guest: &Guest) -> Deployed<'a> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = guest.write(folder.path());
    declare(broker, slice::from_ref(&file));
    Deployed { broker, name: guest.name().to_owned(), file, _folder: folder }
}

impl Deployed<'_> {
    /// Runs it until it has counted this many logs.
    #[track_caller]
    fn run(&self, logs: usize, arguments: &[&str]) -> Output {
        let run = self.broker.loghost(["run", "--format", "json", "--max-logs", &logs.to_string()]);
        run.arg(&self.file).args(arguments).end().exits(0)
    }

    fn queue(&self) -> String {
        self.broker.queue(&self.name)
    }

    pub(crate) fn dead_queue(&self) -> String {
        format!("{}.dead", self.queue())
    }
}

/// The number of errors that the last metric has as accepted and as rejected.
#[track_caller]
fn last(output: &Output) -> [u64; 2] {
    let metric = output.json().pop().unwrap_or_else(|| panic!("no metric: {output}"));
    ["counts", "rejected"].map(|counts| metric[counts]["error"].as_u64().expect("a number"))
}

fn publish(outside: &Outside, broker: &Broker, severity: &str, source: &str, message: &str) {
    let properties = BasicProperties::default().with_message_id(message.into());
    outside.publish(&broker.exchange(severity), source, message.as_bytes(), properties);
}

fn reject(reason: &str) -> Then {
    Then::Reject(reason.to_owned())
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

    let letters = list(broker, "picky", &[]);
    let first = &letters[0];
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
    assert_eq!(shown.json(), letters[1..], "{shown}");
    dead_letters(broker, "show", ["picky", "3"]).end().exits(1).says("there is no number 3");

    // To look at them takes none out, and leaves them in their order.
    assert_eq!(list(broker, "picky", &[]), letters);
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

/// What one holds another does not see: a number would mean another letter.
fn are_looked_after_by_one_at_a_time(broker: &Broker) {
    let picky = with_dead_letters(broker, "picky", 600);
    let list = Stuck::start(dead_letters(broker, "list", ["picky", "--format", "json"]));
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
    replay(&["--outcome", "retry", "--severity", "info"]).exits(0).prints("replayed 0  left 3");
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

/// A plugin that has rejected this many logs.
#[track_caller]
pub(crate) fn with_dead_letters<'a>(broker: &'a Broker, name: &str, n: usize) -> Deployed<'a> {
    let deployed = deploy(broker, &guest(name).on("bad", reject("no")));
    let lines: Vec<String> = (1..=n).map(|n| format!("bad {n}")).collect();
    let publish = broker.loghost(["publish", "--stdin", "--severity", "error"]).stdin(lines.join("\n"));
    publish.end().exits(0);
    deployed.run(n, &["--prefetch", "2000"]);
    assert_eq!(broker.outside().depth(&deployed.dead_queue()), u32::try_from(n).ok());
    deployed
}

/// More than there are under way at once: each goes back once, in order, and what is rejected again while
/// they do is not sent back for ever.
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
    let letters = list(broker, "picky", &[]);
    assert!(letters.iter().all(|letter| letter["attempts"] == 2), "each went back once");
    let numbers: Vec<String> = letters.iter().map(|letter| letter["message"].to_string()).collect();
    let expected: Vec<String> = (1..=MANY).map(|n| format!("\"bad {n}\"")).collect();
    assert_eq!(numbers, expected);
}

/// Starts to send this many back, and gives what does so when some have arrived.
#[track_caller]
fn in_the_middle(outside: &Outside, picky: &Deployed<'_>) -> Running {
    let replay = dead_letters(picky.broker, "replay", [&picky.name, "--all", "--format", "json"]).start();
    let deadline = Instant::now() + PATIENCE;
    while outside.depth(&picky.queue()) == Some(0) {
        assert!(Instant::now() < deadline, "none comes back: {replay}");
        thread::sleep(Duration::from_millis(1));
    }
    replay
}

fn survive_a_kill(broker: &Broker) {
    const MANY: usize = 2000;
    let picky = with_dead_letters(broker, "picky", MANY);
    let outside = broker.outside();
    in_the_middle(&outside, &picky).signal(Signal::Kill);
    let deadline = Instant::now() + PATIENCE;
    let sum =
        || [picky.queue(), picky.dead_queue()].iter().filter_map(|queue| outside.depth(queue)).sum::<u32>();
    // The broker finds out that it is gone.
    while (sum() as usize) < MANY {
        assert!(Instant::now() < deadline, "{} of {MANY} are left", sum());
        thread::sleep(Duration::from_millis(20));
    }
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
    // A quorum queue may not have taken each acknowledgement when the channel ends: such a letter is left, and sent
    // twice, and the log counted once.
    let is_exact = !broker.is_quorum();
    assert!(if is_exact { replayed + left == MANY } else { replayed + left >= MANY }, "{output}");
    assert_eq!(outside.depth(&picky.queue()).map(u64::from), Some(replayed), "{output}");
    let output = if left > 0 { output.exits(69).says("interrupted") } else { output };
    let rest = dead_letters(broker, "replay", ["picky", "--all", "--format", "json"]).end().exits(0);
    let rest = rest.json()[0]["replayed"].as_u64().unwrap_or_default();
    assert!(if is_exact { rest == left } else { rest >= left }, "{rest}: {output}");
    assert_eq!(outside.depth(&picky.queue()).map(u64::from), Some(replayed + rest));
}

/// One that comes back says not which it is: none that is answered after it is taken out.
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

/// What acted once on its way to the consumer must not act again on its way to the dead letters, or back.
fn keep_what_would_act_again_still(broker: &Broker) {
    let picky = deploy(broker, &guest("picky").on("bad", reject("no")));
    let outside = broker.outside();
    let spy = format!("{}.spy", broker.prefix());
    outside.spy(&spy, &broker.exchange("dead"));
    let message = |large: usize| {
        let mut headers = FieldTable::default();
        let recipients =
            || AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::LongString(spy.as_str().into())]));
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
    // The largest that a frame has room for, and one to which something can be added.
    for large in [130_850, 120_000] {
        outside.publish(&broker.exchange("error"), "db.1", b"bad", message(large));
    }
    for attempts in [1, 2] {
        assert_eq!(last(&picky.run(2, &[])), [0, 2]);
        assert_eq!(outside.depth(&picky.queue()), Some(0));
        assert_eq!(outside.depth(&spy), Some(0), "a copy went elsewhere");
        let letters = list(broker, "picky", &[]);
        assert_eq!(letters.len(), 2);
        for letter in &letters {
            let original = &letter["original"];
            assert_eq!(letter["attempts"], attempts);
            assert_eq!((&original["user-id"], &original["delivery-mode"]), (&json!("guest"), &json!("1")));
            assert_eq!(original["CC"], json!([spy]).to_string());
            assert_eq!(original["loghost-replay"], "true");
            assert_eq!(original["expiration"], "600000");
            assert_eq!(
                (&letter["id"], &letter["attributes"]["small"]),
                (&json!("always the same"), &json!("y"))
            );
        }
        let kept = |letter: &Value| letter["attributes"]["large"].as_str().map(str::len);
        assert_eq!((kept(&letters[0]), kept(&letters[1])), (None, Some(120_000)));
        if attempts == 1 {
            assert_eq!(letters[0]["headers_left_out"], 1);
            let replay = dead_letters(broker, "replay", ["picky", "--all"]).end();
            replay.exits(0).prints("replayed 2  left 0");
            assert_eq!(outside.depth(&spy), Some(0), "a copy went elsewhere");
        }
    }
    let letter = outside.take(&picky.dead_queue());
    assert_eq!(*letter.properties.delivery_mode(), Some(2));
    assert_eq!((letter.properties.expiration(), letter.properties.user_id()), (&None, &None));
}

fn leave_what_is_not_theirs(broker: &Broker) {
    let picky = deploy(broker, &guest("picky").on("bad", reject("no")));
    let outside = broker.outside();
    let stray = BasicProperties::default().with_message_id("stray".into());
    outside.publish("", &picky.dead_queue(), b"somebody's", stray.clone());
    publish(&outside, broker, "error", "", "bad");
    picky.run(1, &[]);
    let letters = list(broker, "picky", &[]);
    assert_eq!((&letters[0]["dead_letter"], &letters[0]["message"]), (&json!(false), &json!("somebody's")));
    assert_eq!((&letters[0]["outcome"], &letters[0]["exchange"]), (&json!(null), &json!("")));
    dead_letters(broker, "list", ["picky"]).end().exits(0).prints("not a dead letter  somebody's");
    dead_letters(broker, "show", ["picky", "1"]).end().exits(0).prints("not a dead letter");
    dead_letters(broker, "replay", ["picky", "--number", "1"]).end().exits(0).says("which stay there: 1");
    let replay = dead_letters(broker, "replay", ["picky", "--all"]).end().exits(0);
    replay.prints("replayed 1  left 1").says("which stay there: 1");
    let purge = dead_letters(broker, "purge", ["picky", "--all"]).end().exits(0);
    purge.prints("purged 0  left 1").says("which stay there: 1");
    let kept = outside.take(&picky.dead_queue());
    assert_eq!(kept.data, b"somebody's");
    assert_eq!(kept.properties.message_id().as_ref().map(ShortString::as_str), Some("stray"));
    // What only says that it is a replay, through another exchange or of none of a severity, is not one.
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
