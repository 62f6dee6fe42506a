//! Of several URLs, lines, files or consumers, one that fails does not end the others.

use std::fs;

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind, on_each, start_again, start_embedded};
use crate::support::cli::{Running, Signal, loghost};
use crate::support::rabbitmq::{self, Setup};
use crate::support::{Skip, needing, test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        test("embedded::best_of::a_url_that_is_refused_is_said_once", beside_a_refusing_embedded_broker),
        needing("best_of::files_of_a_folder", files_of_a_folder),
    ];
    for kind in [Kind::RabbitMq, Kind::RabbitMq4] {
        let name = format!("{}::best_of::a_url_that_is_refused_is_said_once", kind.name());
        trials.push(needing(name, move || beside_a_refusing_node(kind)));
    }
    trials.extend(on_each("journal::a_long_line_is_skipped_again", a_long_line_is_skipped_again));
    trials
        .extend(on_each("best_of::all_urls_that_are_refused_are_final", all_urls_that_are_refused_are_final));
    trials.extend(on_each("best_of::a_line_that_is_too_long", a_line_that_is_too_long));
    trials.extend(on_each("best_of::a_consumer_that_is_refused", a_consumer_that_is_refused));
    trials
}

/// A publisher and a host that are given two URLs that are refused, and a good one.
struct Tried {
    publish: Running,
    run: Running,
}

impl Tried {
    /// Starts both, and waits until they are connected.
    #[track_caller]
    fn start(refusing: &Broker, good: &str) -> Self {
        let password = refusing.as_user("guest", "s3cret");
        let urls = [&refusing.url_of_vhost("missing"), password.url(), good];
        let brokers: Vec<&str> = urls.iter().flat_map(|url| ["--broker", url]).collect();
        let publish = ["publish", "--stdin", "--severity", "info", "--retry-for", "5m"];
        let mut publish = loghost(publish).args(&brokers).start();
        let run = loghost(["run", "--retry-for", "5m"]).args(&brokers);
        let run = run.arg(tracked("plugins/error.wasm")).start();
        run.says("consuming from");
        publish.write_line("before");
        publish.says("no queue wants");
        Self { publish, run }
    }

    /// Waits until they have tried all of them, again and again.
    #[track_caller]
    fn lose_the_good_one(&self) {
        self.run.has_said(|said| said.matches("trying again in").count() > 5);
        self.publish.has_said(|said| said.matches("trying again in").count() > 2);
    }

    /// The good one is back; what was refused was said once.
    #[track_caller]
    fn go_on(mut self) {
        self.run.says("[error] consuming");
        self.publish.write_line("after");
        let publish = self.publish.end().exits(0).prints("total 2").does_not_say("s3cret");
        let run = self.run.end_by(Signal::Terminate).exits(0);
        assert_eq!(publish.stderr.matches("ACCESS_REFUSED").count(), 1, "{publish}");
        assert_eq!(publish.stderr.matches("NOT_ALLOWED").count(), 1, "{publish}");
        // It has two connections.
        assert_eq!(run.stderr.matches("ACCESS_REFUSED").count(), 2, "{run}");
    }
}

fn beside_a_refusing_embedded_broker() {
    let [(_other, refusing), (good, url)] = [start_embedded(), start_embedded()];
    let tried = Tried::start(&Broker::at(refusing), &url);
    drop(good.end_by(Signal::Kill));
    tried.lose_the_good_one();
    let _good = start_again(&url);
    tried.go_on();
}

fn beside_a_refusing_node(kind: Kind) -> Result<(), Skip> {
    let refusing = Broker::new(kind)?;
    let mut good = rabbitmq::private(kind.version().expect("a RabbitMQ"), Setup::default())?;
    let tried = Tried::start(&refusing, &good.url());
    good.kill();
    tried.lose_the_good_one();
    good.restart();
    tried.go_on();
    Ok(())
}

fn all_urls_that_are_refused_are_final(broker: &Broker) {
    let (vhost, password) = (broker.url_of_vhost("missing"), broker.as_user("guest", "s3cret"));
    let publish = ["publish", "error", "a", "--retry-for", "1m", "--broker", &vhost, "--broker"];
    let publish = loghost(publish).arg(password.url());
    let publish = publish.end().exits(78).says("missing").says("ACCESS_REFUSED");
    publish.does_not_say("trying again").does_not_say("s3cret");
}

const LONGEST: usize = 16 * 1024 * 1024;

fn a_line_that_is_too_long(broker: &Broker) {
    let (outside, queue) = (broker.outside(), format!("{}-kept", broker.prefix()));
    outside.listen(&queue, &broker.exchange("info"));
    let mut publish =
        broker.loghost(["publish", "--stdin", "--severity", "info", "--format", "json"]).start();
    publish.write_line("a");
    publish.write_line(&"x".repeat(LONGEST + 1_000_000));
    publish.says(&format!("line 2 of standard input has {} bytes", LONGEST + 1_000_001));
    publish.write_line("b");
    // With its end it is one byte too long.
    publish.write_line(&"x".repeat(LONGEST));
    publish.write_line("c");
    for text in ["a", "b", "c"] {
        assert_eq!(outside.take(&queue).data, text.as_bytes());
    }
    let peak = fs::read_to_string(format!("/proc/{}/status", publish.pid())).expect("it runs");
    let peak =
        peak.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    assert!(peak < Some(150_000_u64), "{peak:?} kB");
    let output = publish.end().exits(65).says("2 lines were too long");
    assert_eq!(output.json()[0]["skipped_lines"], 2, "{output}");
    assert_eq!(output.json()[0]["confirmed"]["info"], 3, "{output}");
}

/// The same input has the same logs, and the same ids.
fn a_long_line_is_skipped_again(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("journal");
    let go_on = |more: &str| {
        let lines = format!("a\n{}\nb\n{more}", "x".repeat(LONGEST + 1));
        let publish =
            broker.loghost(["publish", "--stdin", "--severity", "info", "--format", "json", "--journal"]);
        let output = publish.arg(&journal).stdin(lines).end().exits(65).says("line 2 of standard input");
        let report = output.json().remove(0);
        (report["confirmed"]["info"].clone(), report["already_confirmed"]["info"].clone())
    };
    assert_eq!(go_on(""), (2.into(), 0.into()));
    assert_eq!(go_on("c\n"), (1.into(), 2.into()));
}

fn files_of_a_folder() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    for hidden in ["._error.wasm", ".#error.wasm", ".wasm"] {
        fs::write(folder.path().join(hidden), "resource fork").expect("a file in a folder of ours");
    }
    let run = || broker.loghost(["run", "--until-idle", "100ms"]).arg(folder.path()).end();
    run().exits(65).says("no `.wasm` file");
    fs::copy(tracked("plugins/error.wasm"), folder.path().join("error.wasm")).expect("a copy");
    let clean = run().exits(0).says("consuming from");
    clean.does_not_say("._error").does_not_say(".#error");

    // Copied by half, and copied as something that is none.
    let whole = fs::read(tracked("plugins/critical.wasm")).expect("a plugin");
    fs::write(folder.path().join("half.wasm"), &whole[..whole.len() / 2])
        .expect("a file in a folder of ours");
    fs::write(folder.path().join("text.wasm"), "none").expect("a file in a folder of ours");
    let rest = run().exits(65).says("consuming from").says("half.wasm").says("text.wasm").prints("[error]");
    rest.does_not_say("panicked");
    let all = broker.loghost(["run", "--exit-on-failure"]).arg(folder.path()).end().exits(65);
    all.says("half.wasm").does_not_say("consuming from");
    // Who names it wants it.
    let named = broker.loghost(["run", "--until-idle", "100ms"]).arg(folder.path().join("half.wasm"));
    named.arg(tracked("plugins/error.wasm")).end().exits(65).says("half.wasm").does_not_say("consuming from");
    fs::remove_file(folder.path().join("error.wasm")).expect("a file of ours");
    run().exits(65).says("half.wasm").says("text.wasm").does_not_say("consuming from");
    Ok(())
}

/// Its queue is there already, and somebody else's.
fn a_consumer_that_is_refused(broker: &Broker) {
    let taken = broker.outside();
    taken.declare_exclusive(&broker.queue("error"));
    let plugins = [tracked("plugins/error.wasm"), tracked("plugins/critical.wasm")];
    let run = broker.loghost(["run", "--every", "50ms"]).args(&plugins).start();
    run.says("[error] left out: ");
    run.says("consuming from");
    broker.loghost(["publish", "critical", "a"]).end().exits(0);
    run.prints("critical  1");
    let run = run.end_by(Signal::Terminate).exits(78);
    assert!(!run.stdout.contains("[error]"), "{run}");
    let all = broker.loghost(["run", "--exit-on-failure"]).args(&plugins).end().exits(78);
    all.says("error ").does_not_say("consuming from").does_not_say("left out");
    let declare = broker.loghost(["run", "--declare-only"]).args(&plugins).end().exits(78);
    declare.says("for critical: ").says("left out:");
    let alone = broker.loghost(["run"]).arg(&plugins[0]).end().exits(78);
    alone.does_not_say("consuming from").does_not_say("left out");
}
