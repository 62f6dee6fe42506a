//! `loghost report`: what was counted, and what is missing.

use std::path::Path;
use std::thread;
use std::time::Duration;

use lapin::BasicProperties;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::broker::{Broker, Kind, on, on_all, on_each};
use crate::support::cli::{Loghost, Signal, loghost};
use crate::support::publish::publish_numbers;
use crate::support::{Skip, needing, test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        test("report::refuses_wrong_arguments", refuses_wrong_arguments),
        needing("report::is_made_while_a_host_counts", is_made_while_a_host_counts),
        needing("report::knows_consumers_of_other_prefixes_apart", knows_consumers_of_other_prefixes_apart),
    ];
    trials.extend(on_all("report::shows_what_is_missing", shows_what_is_missing));
    trials.extend(on(Kind::QUEUES, "report::claims_what_it_can_know", claims_what_it_can_know));
    trials.extend(on_each(
        "report::holds_nothing_missing_that_is_forgotten",
        holds_nothing_missing_that_is_forgotten,
    ));
    trials.extend(on(
        Kind::QUEUES,
        "report::takes_hosts_that_took_turns_as_one",
        takes_hosts_that_took_turns_as_one,
    ));
    trials.extend(on(
        Kind::QUEUES,
        "report::misses_what_a_journal_has_confirmed",
        misses_what_a_journal_has_confirmed,
    ));
    trials
}

fn report(states: &[&Path]) -> Loghost {
    states.iter().fold(loghost(["report"]), |report, state| report.arg("--state").arg(state))
}

#[track_caller]
fn declare(broker: &Broker) {
    broker.loghost(["run", "--declare-only"]).arg(tracked("plugins/error.wasm")).end().exits(0);
}

/// Counts what is in the queue, and ends.
#[track_caller]
fn count(broker: &Broker, state: &Path) {
    let run = broker.loghost(["run", "--until-idle", "500ms", "--state"]).arg(state);
    run.arg(tracked("plugins/error.wasm")).end().exits(0);
    assert_eq!(broker.outside().depth(&broker.queue("error")), Some(0));
}

/// Each report is of one moment, and does not delay the host.
fn is_made_while_a_host_counts() -> Result<(), Skip> {
    const LOGS: u64 = 20_000;
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let [state, journal] = ["state", "journal"].map(|name| folder.path().join(name));
    let run = broker.loghost(["run", "--every", "50ms", "--state"]).arg(&state);
    let run = run.arg(tracked("plugins/error.wasm")).start();
    run.says("consuming from");
    let publish = broker.loghost(["publish", "--stdin", "--severity", "error", "--journal"]).arg(&journal);
    let publish = publish.stdin("text\n".repeat(20_000)).start();
    let (mut counted, mut reports) = (0, 0);
    run.prints("error ");
    while counted < LOGS {
        let output = loghost(["report", "--format", "json", "--state"]).arg(&state).end();
        output.code().filter(|code| [0, 1].contains(code)).unwrap_or_else(|| panic!("{output}"));
        let now = output.json()[0]["counts"]["error"].as_u64().expect("a number");
        assert!(now >= counted, "{now} after {counted}: {output}");
        (counted, reports) = (now, reports + 1);
    }
    assert!(reports > 1, "it was counted before it was looked at");
    publish.end().exits(0);
    report(&[&state]).arg("--journal").arg(&journal).end().exits(0);
    run.end_by(Signal::Terminate).exits(0);
    Ok(())
}

fn tally(error: u64) -> Value {
    json!({ "debug": 0, "info": 0, "error": error, "critical": 0 })
}

/// A source that sends nothing for a long time expires: its counts stay, and what it sends then is new.
fn holds_nothing_missing_that_is_forgotten(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    declare(broker);
    let run =
        broker.loghost(["run", "--every", "50ms", "--forget-after", "1s", "--state"]).arg(folder.path());
    let run = run.arg(tracked("plugins/error.wasm")).start();
    publish_numbers(broker, "error", "web", &[1, 2, 3]);
    run.prints("total     3");
    // It is time itself that is waited for.
    thread::sleep(Duration::from_millis(2500));
    publish_numbers(broker, "error", "db", &[1]);
    run.prints("total     4");
    publish_numbers(broker, "error", "web", &[4, 6]);
    run.prints("total     6");
    run.end_by(Signal::Terminate).exits(0);

    let gap = report(&[folder.path()]).end().exits(1).prints("have expired");
    assert!(gap.stdout.lines().any(|line| line.ends_with("missing of p/error/web: 5")), "{gap}");
    publish_numbers(broker, "error", "web", &[5]);
    count(broker, folder.path());
    report(&[folder.path()]).end().exits(0).prints("nothing is missing of what is remembered");
}

/// What is said where there is no journal.
const BELOW: &str = "nothing is missing in each of these queues below the highest number that it has counted of a \
                     producer, severity and source; what came after that, or was taken from the queue by a run without this state, cannot be seen here: \
                     give --journal";

/// A source that would clear a terminal.
const HOSTILE: &str = "db\u{1b}[2J";

fn shows_what_is_missing(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    declare(broker);
    publish_numbers(broker, "error", "web", &[1, 2, 5, 2]);
    publish_numbers(broker, "error", HOSTILE, &[2]);
    count(broker, folder.path());

    let text = report(&[folder.path()]).end().exits(1);
    assert_eq!(text.stderr, "", "{text}");
    let lines: Vec<&str> = text.stdout.lines().collect();
    let queue = broker.queue("error");
    let row: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(row, [queue.as_str(), "error", "4", "0", "0", "0", "3"], "{text}");
    let remarks = [
        format!("{queue}: 1 came again, and were not counted again"),
        format!("{queue}: missing of p/error/db\\u{{1b}}[2J: 1"),
        format!("{queue}: missing of p/error/web: 3-4"),
        "logs are missing".to_owned(),
    ];
    assert_eq!(lines[2..], remarks, "{text}");

    let output = report(&[folder.path()]).args(["--format", "json"]).end().exits(1);
    let [consumer] = output.json().try_into().expect("one consumer");
    assert_eq!((&consumer["consumer"], &consumer["queue"]), (&json!("error"), &json!(queue)));
    assert_eq!((&consumer["counts"], &consumer["missing"]), (&tally(4), &tally(3)), "{output}");
    let gaps = json!([
        { "origin": format!("p/error/{HOSTILE}"), "intervals": [[1, 1]] },
        { "origin": "p/error/web", "intervals": [[3, 4]] },
    ]);
    assert_eq!(consumer["gaps"], gaps, "{output}");
    assert_eq!((&consumer["repeated"], &consumer["complete"]), (&json!(1), &json!(false)), "{output}");

    publish_numbers(broker, "error", "web", &[4, 3]);
    publish_numbers(broker, "error", HOSTILE, &[1]);
    count(broker, folder.path());
    let text = report(&[folder.path()]).end().exits(0);
    assert_eq!(text.stdout.lines().last(), Some(BELOW), "{text}");
}

/// A run without the state takes logs out of the queue. Without the journal the report cannot know, and does not claim
/// completeness; after the next log that is counted, they are missing.
fn claims_what_it_can_know(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let (state, journal) = (folder.path().join("state"), folder.path().join("journal"));
    let send = |lines: &str| {
        let publish = broker.loghost(["publish", "--stdin", "--severity", "error", "--source", "web"]);
        publish.arg("--journal").arg(&journal).stdin(lines).end().exits(0);
    };
    let reach = |report: Loghost, code: i32| {
        let output = report.args(["--format", "json"]).end().exits(code);
        let [consumer] = output.json().try_into().expect("one consumer");
        (consumer["reach"].clone(), consumer["complete"].clone())
    };
    let reported = || report(&[&state]).arg("--journal").arg(&journal);
    declare(broker);
    send("1\n2\n");
    count(broker, &state);
    assert_eq!(reach(reported(), 0), (json!("confirmed"), json!(true)));
    assert_eq!(reach(report(&[&state]), 0), (json!("finished"), json!(true)));

    send("1\n2\n3\n4\n");
    let without = broker.loghost(["run", "--until-idle", "500ms"]).arg(tracked("plugins/error.wasm"));
    without.end().exits(0).says("without --state, counts last as long as this run");
    report(&[&state]).end().exits(0).prints(BELOW);
    reported().end().exits(1).prints("/error/web: 3-4").prints("logs are missing");
    assert_eq!(reach(report(&[&state]), 0), (json!("finished"), json!(true)));

    send("1\n2\n3\n4\n5\n");
    count(broker, &state);
    report(&[&state]).end().exits(1).prints("/error/web: 3-4").prints("logs are missing");

    // Of what has no id, and of another producer, a journal does not tell.
    broker.outside().publish(&broker.exchange("error"), "", b"no id", BasicProperties::default());
    publish_numbers(broker, "error", "db", &[1]);
    count(broker, &state);
    let text = reported().end().exits(1).prints("none is known to be missing");
    assert!(!text.stdout.contains("none can be"), "{text}");
    let text = text.prints("has logs of producers whose journals are not given");
    assert!(text.stdout.contains("beyond what is here: p\n"), "{text}");
    assert_eq!(reach(reported(), 1), (json!("finished"), json!(false)));
}

fn takes_hosts_that_took_turns_as_one(broker: &Broker) {
    let (one, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    declare(broker);
    publish_numbers(broker, "error", "web", &[1, 2, 5]);
    count(broker, one.path());
    publish_numbers(broker, "error", "web", &[2, 3, 4, 6]);
    count(broker, other.path());

    report(&[one.path()]).end().exits(1).prints("missing of p/error/web: 3-4");
    report(&[other.path()]).end().exits(1).prints("missing of p/error/web: 1, 5");
    report(&[one.path(), other.path()]).end().exits(0).prints("nothing is missing");
    let output = report(&[one.path(), other.path()]).args(["--format", "json"]).end().exits(0);
    let [consumer] = output.json().try_into().expect("one consumer");
    assert_eq!((&consumer["counts"], &consumer["counted_twice"]), (&tally(7), &tally(1)), "{output}");
    report(&[one.path(), one.path()]).end().exits(2).says("given twice");
}

fn misses_what_a_journal_has_confirmed(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let (state, journal) = (folder.path().join("state"), folder.path().join("journal"));
    let send = |lines: &str| {
        let publish = broker.loghost(["publish", "--stdin", "--severity", "error", "--source", "web"]);
        publish.arg("--journal").arg(&journal).stdin(lines).end().exits(0);
    };
    let reported = || report(&[&state]).arg("--journal").arg(&journal);
    declare(broker);
    send("1\n2\n3\n");
    count(broker, &state);
    reported().end().exits(0).prints(
        "nothing is missing in these queues of what the journals have confirmed, of the severities that they are for",
    );

    send("1\n2\n3\n4\n5\n");
    assert_eq!(broker.outside().delete(&broker.queue("error")), 2);
    report(&[&state]).end().exits(0).prints(BELOW);
    reported().end().exits(1).prints("/error/web: 4-5").prints("logs are missing");

    let missing = folder.path().join("missing");
    report(&[&state]).arg("--journal").arg(&missing).end().exits(65).says("missing");
}

/// Those of one name count for themselves.
fn knows_consumers_of_other_prefixes_apart() -> Result<(), Skip> {
    let (one, other) = (Broker::new(Kind::Embedded)?, Broker::new(Kind::Embedded)?);
    let folder = tempfile::tempdir().expect("a folder");
    for (broker, numbers) in [(&one, &[1, 2][..]), (&other, &[2])] {
        declare(broker);
        publish_numbers(broker, "error", "web", numbers);
        count(broker, folder.path());
    }
    let text = report(&[folder.path()]).end().exits(1);
    let missing = format!("{}: missing of p/error/web: 1\n", other.queue("error"));
    assert!(text.stdout.contains(&missing), "{text}");
    assert_eq!(text.stdout.matches("missing of").count(), 1, "{text}");
    Ok(())
}

fn refuses_wrong_arguments() {
    loghost(["report"]).end().exits(2).says("--state");
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing");
    loghost(["report", "--state"]).arg(&missing).end().exits(65).says("there is no state in");
    assert!(!missing.exists());
}
