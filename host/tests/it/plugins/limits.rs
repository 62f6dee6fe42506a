//! Plugins that exceed a limit: each is reported with the option that raises it, and no other plugin is affected.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use lapin::BasicProperties;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::broker::{Broker, Kind, on, on_each};
use crate::support::cli::{Output, Signal, loghost};
use crate::support::dead_letters;
use crate::support::guest::{Does, Guest, Then, declare, guest};
use crate::support::{needing, test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        test("limits::configure_is_bound", configure_is_bound),
        test("limits::checkpoints_are_bound", checkpoints_are_bound),
        test("limits::each_can_be_set", each_can_be_set),
        needing("limits::a_large_stack_is_there", || {
            a_large_stack_is_there(&Broker::new(Kind::Embedded)?);
            Ok(())
        }),
        needing("limits::format_metric_is_bound", || {
            format_metric_is_bound(&Broker::new(Kind::Embedded)?);
            Ok(())
        }),
        needing("limits::the_host_writes_a_metric_that_fails", || {
            the_host_writes_a_metric_that_fails(&Broker::new(Kind::Embedded)?);
            Ok(())
        }),
    ];
    trials.extend(on_each("limits::process_is_bound", process_is_bound));
    // It takes time itself, whatever the broker is.
    let two = [Kind::Embedded, Kind::RabbitMq];
    trials.extend(on(two, "limits::loops_stall_nobody_else", loops_stall_nobody_else));
    trials
}

/// What a plugin does, and the message under [`LIMITS`].
const FAULTS: [(Does, &str); 4] = [
    (Does::Loop, "took longer than 500ms (--time-limit)"),
    (Does::Recurse, "used more than 512.0 KiB of stack (--max-stack)"),
    (Does::AllocateForever, "used more than 64.0 MiB of memory (--max-memory)"),
    (Does::Panic, "panicked"),
];

const TOO_LONG: &str = "handed more than 1.0 MiB to the host in one call (--max-output)";

/// The defaults, except that a loop need not take a second.
const LIMITS: [&str; 2] = ["--time-limit", "500ms"];

const JSON: [&str; 2] = ["--format", "json"];

/// Two megabytes: more than a call may return.
fn long_text() -> String {
    "x".repeat(2 << 20)
}

fn configure_is_bound() {
    let mut greedy: Vec<(Guest, &str)> =
        FAULTS.iter().map(|(does, words)| (guest("greedy").when_configured(*does), *words)).collect();
    greedy.push((guest("greedy").description(&long_text()), TOO_LONG));
    greedy.push((guest("greedy").refuses(&long_text()), TOO_LONG));
    greedy.push((guest("greedy").logs(1, &long_text()), TOO_LONG));
    greedy.push((guest("greedy").memory(65), "used more than 64.0 MiB of memory (--max-memory)"));
    let folder = tempfile::tempdir().expect("a folder");
    for (guest, words) in greedy {
        let file = guest.write(folder.path());
        let words = format!("{}: `configure` {words}", file.display());
        let run = loghost(["run", "--broker", "amqp://127.0.0.1:1"]).arg(&file).args(LIMITS);
        run.end().exits(65).says(&words);
        loghost(["plugin", "inspect"]).arg(&file).args(LIMITS).end().exits(65).says(&words);
    }
}

fn checkpoints_are_bound() {
    let mut greedy: Vec<(Guest, String)> = Vec::new();
    for (does, words) in FAULTS {
        greedy.push((guest("greedy").when_saving(does), format!("save: {words}")));
        greedy.push((guest("greedy").when_restoring(does), format!("restore: {words}")));
    }
    greedy.push((guest("greedy").state_size(2 << 20), format!("save: {TOO_LONG}")));
    let folder = tempfile::tempdir().expect("a folder");
    for (guest, words) in greedy {
        let file = guest.write(folder.path());
        let words = format!("{}: {words}", file.display());
        loghost(["plugin", "inspect"]).arg(&file).args(LIMITS).end().exits(65).says(&words);
    }
}

fn each_can_be_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |guest: Guest, option: &str, [low, high]: [&str; 2]| {
        let file = guest.write(folder.path());
        let inspect = |value| loghost(["plugin", "inspect", option, value]).arg(&file).end();
        inspect(low).exits(65).says(option);
        inspect(high).exits(0).prints("greedy");
    };
    check(guest("greedy").when_configured(Does::LoopMillions(500)), "--time-limit", ["50ms", "50s"]);
    check(guest("greedy").memory(20), "--max-memory", ["19MiB", "21MiB"]);
    check(guest("greedy").when_configured(Does::RecurseTo(20_000)), "--max-stack", ["128KiB", "2MiB"]);
    check(guest("greedy").description(&"x".repeat(200_000)), "--max-output", ["190kB", "1MB"]);
    check(guest("greedy").state_size(200_000), "--max-output", ["190kB", "1MB"]);
}

/// The largest stack that can be set is available on every thread that makes calls.
fn a_large_stack_is_there(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = guest("deep").when_configured(Does::Recurse).write(folder.path());
    let inspect = |size| loghost(["plugin", "inspect", "--max-stack", size]).arg(&file).end();
    inspect("1GiB").exits(2).says("expected at most");
    for size in ["2MiB", "8MiB"] {
        let inspected = inspect(size);
        if inspected.stderr.contains("expected at most") {
            inspected.exits(2);
            continue;
        }
        let words = format!("used more than {}.0 MiB of stack (--max-stack)", &size[..1]);
        inspected.exits(65).says(&words);
        let deep = guest("deep").on("poison", Then::Do(Does::Recurse));
        let output =
            beside_error(broker, &[deep], &["poison"], &["--max-stack", size, "--format", "json"]).exits(0);
        assert_eq!(last(&output, "error")["counts"], errors(1), "{output}");
        failed_at_poison(broker, &output, "deep", &words);
        broker.outside().take(&format!("{}.dead", broker.queue("deep")));
    }
}

/// Fails unless these `words` were reported of a plugin, and `poison` is its only dead letter, with them as the reason.
#[track_caller]
fn failed_at_poison(broker: &Broker, output: &Output, name: &str, words: &str) {
    let told = "failed at one log (error, without an id), which goes to the dead letters";
    let told = format!("[{name}] {told}: process: {words}");
    assert!(output.stderr.contains(&told), "not `{told}`: {output}");
    let listed = dead_letters::list(broker, name, &[]);
    let [dead_letter] = &listed[..] else { panic!("not one dead letter of {name}: {listed:?}") };
    assert_eq!(
        (&dead_letter["message"], &dead_letter["outcome"]),
        (&json!("poison"), &json!("trap")),
        "{dead_letter}"
    );
    let reason = dead_letter["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with(&format!("process: {words}")), "{dead_letter}");
}

/// Runs plugins beside `error`, a log at a time, with these logs of severity error in their queues, until each
/// has finished all.
#[track_caller]
fn beside_error(broker: &Broker, guests: &[Guest], logs: &[&str], arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let mut plugins: Vec<PathBuf> = guests.iter().map(|guest| guest.write(folder.path())).collect();
    plugins.push(tracked("plugins/error.wasm"));
    declare(broker, &plugins);
    let outside = broker.outside();
    for log in logs {
        outside.publish(&broker.exchange("error"), "", log.as_bytes(), BasicProperties::default());
    }
    let enough = logs.len().to_string();
    broker.loghost(["run", "--max-batch", "1", "--max-logs", &enough]).args(plugins).args(arguments).end()
}

/// The last metric of a consumer.
#[track_caller]
fn last(output: &Output, consumer: &str) -> Value {
    let metric = output.json().into_iter().rfind(|metric| metric["consumer"] == consumer);
    metric.unwrap_or_else(|| panic!("no metric of {consumer}: {output}"))
}

fn errors(n: u32) -> Value {
    json!({"debug": 0, "info": 0, "error": n, "critical": 0})
}

fn format_metric_is_bound(broker: &Broker) {
    let mut greedy: Vec<(Guest, &str)> = (1..)
        .zip(FAULTS)
        .map(|(n, (does, words))| (guest(&format!("greedy-{n}")).when_formatting(does), words))
        .collect();
    greedy.push((guest("greedy-long").metric(long_text()), TOO_LONG));
    let guests: Vec<Guest> = greedy.iter().map(|(guest, _)| guest.clone()).collect();
    let logs = ["one", "two", "three"];
    // The consumer goes on counting, which the host does; the host writes the metric instead of the plugin.
    let output = beside_error(broker, &guests, &logs, &[LIMITS, JSON].concat()).exits(0);
    for (guest, words) in greedy {
        let metric = last(&output, guest.name());
        assert_eq!((&metric["counts"], &metric["text"]), (&errors(3), &Value::Null), "{output}");
        let error = metric["error"].as_str().unwrap_or_default();
        assert!(error.starts_with("format-metric: ") && error.contains(words), "not `{words}`: {output}");
        assert_eq!(broker.outside().depth(&broker.queue(guest.name())), Some(0));
    }
    assert_eq!(last(&output, "error")["text"], "error     3\ntotal     3", "{output}");
}

fn the_host_writes_a_metric_that_fails(broker: &Broker) {
    let greedy = guest("greedy").when_formatting(Does::Panic);
    let output = beside_error(broker, &[greedy], &["one", "two"], &[]).exits(0);
    let by_host = "[greedy] (written by the host: the plugin's format-metric: panicked";
    let (_, last) = output.stdout.rsplit_once(by_host).unwrap_or_else(|| panic!("not marked: {output}"));
    let counted: Vec<&str> = last.lines().skip(1).take(4).collect();
    assert_eq!(counted, ["debug     0", "info      0", "error     2", "critical  0"], "{output}");
    output.prints("[error]\nerror     2\ntotal     2\n");
}

fn process_is_bound(broker: &Broker) {
    let mut greedy: Vec<(Guest, &str)> = (1..)
        .zip(FAULTS)
        .map(|(n, (does, words))| (guest(&format!("greedy-{n}")).on("poison", Then::Do(does)), words))
        .collect();
    greedy.push((guest("greedy-long").on("poison", Then::Reject(long_text())), TOO_LONG));
    let guests: Vec<Guest> = greedy.iter().map(|(guest, _)| guest.clone()).collect();
    let logs = ["one", "two", "three", "poison", "four", "five"];
    let output = beside_error(broker, &guests, &logs, &[LIMITS, JSON].concat()).exits(0);
    let outside = broker.outside();
    for (guest, words) in greedy {
        let name = guest.name();
        failed_at_poison(broker, &output, name, words);
        // Only this log is lost.
        let metric = last(&output, name);
        assert_eq!((&metric["counts"], &metric["rejected"]), (&errors(5), &errors(1)), "{output}");
        assert_eq!(outside.depth(&broker.queue(name)), Some(0));
    }
    assert_eq!(last(&output, "error")["text"], "error     6\ntotal     6", "{output}");
    assert_eq!(outside.depth(&broker.queue("error")), Some(0));
}

fn loops_stall_nobody_else(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    // More of them than there are threads on a small machine, and each call longer than a connection lives
    // without a heartbeat.
    let looping = ["loop-1", "loop-2", "loop-3"];
    let files = looping.map(|name| guest(name).when_formatting(Does::Loop).write(folder.path()));
    let url = format!("{}?heartbeat=1", broker.url());
    let run = loghost(["run", "--format", "json", "--every", "100ms", "--time-limit", "4s"])
        .args(["--broker", &url, "--prefix", broker.prefix()])
        .args(files)
        .arg(tracked("plugins/error.wasm"))
        .start();
    run.says("consuming from");
    let outside = broker.outside();
    let began = Instant::now();
    for n in 1..=6 {
        let published = Instant::now();
        outside.publish(&broker.exchange("error"), "", b"disk full", BasicProperties::default());
        let metric = json!({"consumer": "error", "counts": errors(n)});
        run.has_printed(|so_far| so_far.lines().any(|line| is_metric(line, &metric)));
        assert!(published.elapsed() < Duration::from_secs(3), "it waited {:?}: {run}", published.elapsed());
        // One a second, because what is tested is that time passes.
        thread::sleep(Duration::from_secs(1).saturating_sub(published.elapsed()));
    }
    assert!(began.elapsed() >= Duration::from_secs(6));
    let output = run.end_by(Signal::Terminate).exits(0).does_not_say("lost the connection");
    for name in looping {
        let metric = last(&output, name);
        assert_eq!(metric["text"], Value::Null, "{output}");
        // What came while it was looping for the last time is still there.
        let left = outside.depth(&broker.queue(name)).expect("its queue");
        assert_eq!(metric["counts"], errors(6 - left), "{output}");
    }
}

fn is_metric(line: &str, expected: &Value) -> bool {
    let metric = serde_json::from_str::<Value>(line).unwrap_or_default();
    metric["consumer"] == expected["consumer"] && metric["counts"] == expected["counts"]
}
