//! `loghost verify`: what passes, what differs, what is left behind.

use std::fs;
use std::path::Path;
use std::time::Instant;

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind, on, on_each, unique};
use crate::support::cli::{Signal, loghost};
use crate::support::rabbitmq::rabbitmqctl;
use crate::support::{TIMEOUT, test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        test("verify::shows_what_differs", shows_what_differs),
        test("verify::blesses_what_differs_and_nothing_else", blesses_what_differs_and_nothing_else),
        test("verify::says_where_a_scenario_is_wrong", says_where_a_scenario_is_wrong),
    ];
    let versions = [Kind::RabbitMq, Kind::RabbitMq4];
    trials.extend(on(versions, "verify::leaves_nothing_behind", leaves_nothing_behind));
    trials.extend(on_each("verify::passes_the_scenarios", passes_the_scenarios));
    trials
}

fn passes_the_scenarios(broker: &Broker) {
    let scenarios = ["1", "2", "3"].map(|n| tracked(&format!("scenarios/{n}.txt")));
    let verify = loghost(["verify", "--broker", broker.url()]).args(&scenarios).end().exits(0);
    assert_eq!(verify.stdout.matches("  ok  ").count(), 12, "{verify}");
    verify.prints("12 metrics of 3 scenarios: all as expected\n");
}

/// A copy of the first scenario with one digit changed.
pub(crate) fn changed(folder: &Path) -> String {
    let file = folder.join("changed.txt");
    let text = fs::read_to_string(tracked("scenarios/1.txt")).expect("a readable file");
    let (rest, last) = text.rsplit_once("critical  1").expect("the metric of `critical`");
    fs::write(&file, format!("{rest}critical  2{last}")).expect("a file in a folder of ours");
    file.to_str().expect("a path in UTF-8").to_owned()
}

fn shows_what_differs() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = changed(folder.path());
    let text = loghost(["verify", &file]).end().exits(1);
    let text = text.prints("  differs  critical\n    - critical  2\n    + critical  1\n      total     1\n");
    assert_eq!(text.stdout.matches("  ok  ").count(), 3, "{text}");
    assert!(!text.stdout.contains("all as expected"), "{text}");

    let json = loghost(["verify", "--format", "json", &file]).end().exits(1);
    let metrics = json.json();
    let failed: Vec<_> = metrics.iter().filter(|metric| metric["passed"] != true).collect();
    assert_eq!((metrics.len(), failed.len()), (4, 1), "{json}");
    assert_eq!(failed[0]["consumer"], "critical", "{json}");
    assert_eq!(failed[0]["expected"], "critical  2\ntotal     1", "{json}");
    assert_eq!(failed[0]["actual"], "critical  1\ntotal     1", "{json}");
}

fn blesses_what_differs_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = changed(folder.path());
    let unchanged = folder.path().join("2.txt");
    fs::copy(tracked("scenarios/2.txt"), &unchanged).expect("a file in a folder of ours");
    let bless = loghost(["verify", "--bless", &file]).arg(&unchanged).end().exits(0);
    bless.prints("changed.txt: rewritten\n").prints("2.txt: as it was\n");

    let read = |path: &Path| fs::read_to_string(path).expect("a readable file");
    assert_eq!(read(Path::new(&file)), read(&tracked("scenarios/1.txt")));
    assert_eq!(read(&unchanged), read(&tracked("scenarios/2.txt")));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder of ours").count(), 2, "a file was left behind");
}

fn says_where_a_scenario_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = [
        ("error: a\n\nexpect ./mine.wasm\n", 65, "scenario.txt:3", "mine.wasm"),
        ("error: a\n\nexpect nobody\n", 65, "scenario.txt:3", "nobody"),
        ("error: a\nexpect error treshold=3\n| error     1\n", 78, "scenario.txt:2", "treshold"),
        ("error: a\nerror @db-1 @db-2: b\n", 65, "scenario.txt:2:13", "@db-2"),
        ("error: a\n\u{1b}[31m: b\n", 65, "scenario.txt:2:1", "[31m"),
    ];
    let file = folder.path().join("scenario.txt");
    for (text, status, location, offender) in wrong {
        fs::write(&file, text).expect("a file in a folder of ours");
        let output = loghost(["verify"]).arg(&file).end().exits(status);
        assert!(!output.stderr.contains('\u{1b}'), "a raw escape: {:?}", output.stderr);
        output.says(location).says(offender);
    }
    loghost(["verify"]).end().exits(2);
    loghost(["verify", "--timeout", "0s", "scenarios/1.txt"]).end().exits(2);
    loghost(["verify"]).arg(folder.path().join("missing.txt")).end().exits(65).says("missing.txt");
}

/// On an otherwise empty virtual host, nothing is left after a verification that succeeds, or that is killed.
fn leaves_nothing_behind(broker: &Broker) {
    let (host, version) = (unique("verify"), broker.version().expect("a RabbitMQ"));
    rabbitmqctl(version, &["add_vhost", &host]);
    rabbitmqctl(version, &["set_permissions", "--vhost", &host, "guest", ".*", ".*", ".*"]);
    let url = broker.url().replace("%2f", &host);
    // Every queue and every exchange, in one look.
    let look = format!(
        "lists:sort(rabbit_amqqueue:list_names(<<\"{host}\">>) ++ \
         [element(2, X) || X <- rabbit_exchange:list(<<\"{host}\">>)])."
    );
    let all = || rabbitmqctl(version, &["eval", &look]);
    let before = all();
    assert!(before.contains("amq.topic"), "{before}");
    let verify = loghost(["verify", "--broker", &url]).arg(tracked("scenarios/1.txt"));
    verify.end().exits(0);
    assert_eq!(all(), before, "after a verification that ended well");
    let verify = loghost(["verify", "--broker", &url, "--to", "app", "--bind", "app;type=fanout"]);
    verify.arg(tracked("scenarios/1.txt")).end().exits(0);
    assert_eq!(all(), before, "after one through an exchange that stands for another");

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("long.txt");
    fs::write(&file, "error x5000000: again\nexpect error\n").expect("a file in a folder of ours");
    let running = loghost(["verify", "--broker", &url]).arg(&file).start();
    let deadline = Instant::now() + TIMEOUT;
    while !all().contains("verify-") {
        assert!(Instant::now() < deadline, "nothing was declared by {running}");
    }
    let _ = running.end_by(Signal::Kill);
    let mut after = all();
    while after != before {
        assert!(Instant::now() < deadline, "left behind: {after}");
        after = all();
    }
}
