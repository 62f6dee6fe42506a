//! `loghost bench`: that it measures what it lists, compares, and leaves nothing behind. The figures themselves are
//! not tested.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Loghost, Output, Running, Signal, loghost};
use crate::support::rabbitmq::{Version, free_port, rabbitmqctl};
use crate::support::{Skip, TIMEOUT, needing, test};

pub(crate) fn trials() -> Vec<Trial> {
    let streams = on([Kind::Stream], "bench::measures_streams", measures_streams);
    let others = [
        test("bench::measures_everything_and_compares", measures_everything_and_compares),
        test("bench::says_what_it_costs_to_be_watched", says_what_it_costs_to_be_watched),
        test("bench::refuses_what_is_no_baseline", refuses_what_is_no_baseline),
        test("bench::refuses_values_that_make_no_sense", refuses_values_that_make_no_sense),
        test("bench::says_that_there_is_no_broker", says_that_there_is_no_broker),
        test("bench::takes_its_broker_along", takes_its_broker_along)
            .with_ignored_flag(!cfg!(target_os = "linux")),
        needing("rabbitmq::bench::leaves_nothing_behind", leaves_nothing_behind),
        needing(
            "rabbitmq::bench::leaves_nothing_behind_when_interrupted",
            leaves_nothing_behind_when_interrupted,
        ),
    ];
    streams.into_iter().chain(others).collect()
}

/// `loghost bench`, with little to do.
fn bench(arguments: &[&str]) -> Loghost {
    let little = ["bench", "--runs", "1", "--logs", "40", "--plugins", "2,1", "--sizes", "10B,2KiB"];
    loghost(little).args(arguments)
}

/// `loghost bench`, with far more to do than a test waits for.
pub(crate) fn long_bench(arguments: &[&str]) -> Loghost {
    loghost(["bench", "--runs", "1000", "--logs", "10000000"]).args(arguments)
}

const CONSUME: [&str; 6] = [
    "consume counting 1 plugin 10 B",
    "consume counting 2 plugins 10 B",
    "consume counting 1 plugin 2 KiB",
    "consume reading 1 plugin 10 B",
    "consume reading 2 plugins 10 B",
    "consume reading 1 plugin 2 KiB",
];
const OBSERVED: [&str; 2] = ["observed counting 10 B", "observed reading 10 B"];
const PUBLISH: [&str; 2] = ["publish 10 B", "publish 2 KiB"];
const LATENCY: [&str; 3] = ["latency 1,000 logs/s", "latency 10,000 logs/s", "latency saturation"];
const START: [&str; 2] = ["start 1 plugin", "start 4 plugins"];
const MEMORY: [&str; 4] =
    ["memory counting 2 plugins", "memory reading 2 plugins", "memory broker 10 B", "memory broker 2 KiB"];

/// What each case of a bench has.
fn figures(case: &str) -> &'static [&'static str] {
    match case.split(' ').next() {
        Some("consume" | "publish") => &["logs_per_second", "cpu_us_per_log"],
        Some("observed") => &["logs_per_second", "observed_ratio"],
        Some("latency") => &["p50_ms", "p99_ms", "p99_9_ms", "logs_per_second"],
        Some("start") => &["start_ms"],
        // With so few logs, the memory of a plugin or a log may be lost in noise.
        _ => &[],
    }
}

/// Fails unless these cases were measured, in this order, and all came to something.
#[track_caller]
fn measured(output: &Output, cases: &[&str]) {
    let lines = output.json();
    let (about, measured) = lines.split_first().expect("a line about the machine");
    assert!(about["loghost"].is_string() && about["processors"].is_u64(), "{about}");
    let names: Vec<&str> = measured.iter().filter_map(|case| case["case"].as_str()).collect();
    assert_eq!(names, cases, "{output}");
    for case in measured {
        for key in figures(case["case"].as_str().unwrap_or_default()) {
            assert!(case[key].as_f64().is_some_and(|value| value > 0.0), "{key} of {case}");
        }
    }
}

fn measures_everything_and_compares() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = bench(&["--format", "json"]).end().exits(0);
    let all: Vec<&str> = [&CONSUME[..], &OBSERVED, &PUBLISH, &LATENCY, &START, &MEMORY].concat();
    measured(&output, &all);
    let host = output.json().into_iter().find(|case| case["case"] == MEMORY[0]);
    assert!(host.is_some_and(|case| case["host_resident_bytes"].as_f64() > Some(1e6)), "{output}");

    let baseline = folder.path().join("baseline.json");
    let other = "publish 7 KiB";
    fs::write(&baseline, output.stdout.replace(PUBLISH[1], other)).expect("a file in a folder of ours");
    let compare = |format: &str| {
        let output = bench(&["publish", "--format", format, "--compare"]).arg(&baseline).end().exits(0);
        let output = output.says(&format!("the baseline lacks: {}", PUBLISH[1]));
        output.says(&format!("only the baseline has: {other}")).does_not_say("consume counting")
    };
    let text = compare("text");
    let row = |size: &str| {
        text.stdout
            .lines()
            .find(|line| line.starts_with("publish") && line.contains(size))
            .unwrap_or_default()
    };
    assert_eq!((row("10 B").matches('×').count(), row("2 KiB").matches('×').count()), (2, 0), "{text}");
    assert!(!text.stdout.contains('\u{1b}'), "{text}");
    let json = compare("json");
    let ratios: Vec<Value> =
        json.json()[1..].iter().map(|case| case["logs_per_second_ratio"].clone()).collect();
    assert!(ratios[0].is_number() && ratios[1].is_null(), "{json}");
}

/// At a thousand a second, and whether they are; at other rates nothing is promised.
#[track_caller]
fn says_how_soon_logs_are_to_be_counted(output: &Output) {
    let cases = output.json();
    let [slow, others @ ..] = LATENCY.map(|name| cases.iter().find(|case| case["case"] == name).expect(name));
    let p99 = slow["p99_ms"].as_f64().expect("a number");
    assert_eq!(
        (&slow["p99_ms_bound"], &slow["p99_ms_is_within"]),
        (&json!(10.0), &json!(p99 <= 10.0)),
        "{output}"
    );
    for case in others {
        assert!(case["p99_ms_bound"].is_null(), "{case}");
    }
}

/// In the process of the bench, and in processes of its own.
fn measures_streams(broker: &Broker) {
    let bench = ["bench", "consume", "latency", "start", "--runs", "1", "--logs", "40", "--plugins", "2"];
    let address = format!("127.0.0.1:{}", broker.stream_port().expect("a port"));
    let streams = ["--queue-type", "stream", "--stream-address", &address];
    let bench = broker.loghost(bench).args(streams).args(["--sizes", "10B", "--format", "json"]);
    let output = bench.end().exits(0).does_not_say("AMQP 0-9-1");
    measured(&output, &[&[CONSUME[1], CONSUME[4]][..], &LATENCY, &START].concat());
    says_how_soon_logs_are_to_be_counted(&output);
    is_empty_of(Version::V4, broker.prefix());
}

fn says_what_it_costs_to_be_watched() {
    let text = bench(&["observed"]).end().exits(0);
    let text = text.prints("each log belongs to a trace, of which 1 in 100 is recorded");
    for plugin in ["counting", "reading"] {
        let row = text.stdout.lines().find(|line| line.starts_with("observed") && line.contains(plugin));
        let row = row.unwrap_or_else(|| panic!("no row of {plugin}: {text}"));
        let memory = cfg!(target_os = "linux");
        assert!(row.contains("logs/s") && row.contains("% of that when watched"), "{text}");
        assert!(row.contains("MiB more when watched") == memory, "{text}");
        // What a run of so few logs comes to is chance.
        let verdict =
            |bound: &str| ["met", "missed"].map(|word| row.contains(&format!("bound {bound}: {word}")));
        assert!(verdict("97.0 %") != [false; 2], "{text}");
        assert!(!memory || verdict("20.0 MiB") == [true, false], "{text}");
    }
    let json = bench(&["observed", "--format", "json"]).end().exits(0);
    for case in &json.json()[1..] {
        let ratio = case["observed_ratio"].as_f64().expect("a number");
        assert_eq!(
            (&case["observed_ratio_bound"], &case["one_trace_recorded_of"]),
            (&0.97.into(), &100.into()),
            "{json}"
        );
        assert_eq!(case["observed_ratio_is_within"], ratio >= 0.97, "{json}");
    }
}

fn refuses_what_is_no_baseline() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("baseline.json");
    let refused = |text: &str, words: &str| {
        fs::write(&file, text).expect("a file in a folder of ours");
        bench(&["publish", "--compare"]).arg(&file).end().exits(65).says(words);
    };
    refused("", "baseline.json:1: ");
    refused("{\"case\":\"publish 10 B\"}", "baseline.json:1: ");
    refused("{\"loghost\":\"0.1.0\"}\n\n", "baseline.json:2: ");
    refused("{\"loghost\":\"0.1.0\"}\n{\"bench\":\"publish\"}", "no case is named");
    let missing = folder.path().join("missing.json");
    bench(&["publish", "--compare"]).arg(missing).end().exits(65).says("missing.json");
}

fn refuses_values_that_make_no_sense() {
    let refused = |arguments: &[&str], words: &str| {
        loghost(["bench"]).args(arguments).end().exits(2).says(words);
    };
    refused(&["everything"], "[possible values: consume, observed, publish, latency, start, memory]");
    refused(&["--runs", "0"], "--runs");
    refused(&["--logs", "0"], "--logs");
    refused(&["--plugins", "1,1001"], "--plugins 1001: expected at most 1000");
    refused(&["--sizes", "2MiB"], "expected at most 1.0 MiB");
    refused(&["--prefix", "a.b"], "cannot be a prefix");
    refused(&["--prefix", &"a".repeat(64)], "cannot be a prefix");
    refused(&["--broker", "http://127.0.0.1/"], "--broker");
}

fn says_that_there_is_no_broker() {
    let url = format!("amqp://127.0.0.1:{}", free_port());
    bench(&["consume", "--broker", &url]).end().exits(69).says("no broker at");
}

/// The processes that a process has started, and which still run.
fn children(running: &Running) -> Vec<u32> {
    let pid = running.pid();
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let lists = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|n| n.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// However it ends, the broker that it has started does not outlive it.
fn takes_its_broker_along() {
    for signal in [Signal::Interrupt, Signal::Kill] {
        let running = long_bench(&["publish", "--sizes", "1B"]).start();
        running.says("publish: warming up");
        let children = children(&running);
        assert_eq!(children.len(), 1, "there is not one broker: {children:?}");
        let output = running.end_by(signal);
        assert_eq!(output.code(), if let Signal::Kill = signal { None } else { Some(69) }, "{output}");
        let broker = format!("/proc/{}", children[0]);
        let deadline = Instant::now() + TIMEOUT;
        while Path::new(&broker).exists() {
            assert!(Instant::now() < deadline, "the broker is still there after {signal:?}");
            // It is not a child of this process, so that its end cannot be waited for.
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Fails if there is anything on the shared node whose name has this prefix.
#[track_caller]
fn is_empty_of(version: Version, prefix: &str) {
    let of_us = |list: &str| -> BTreeSet<String> {
        rabbitmqctl(version, &[list, "name"])
            .lines()
            .filter(|line| line.contains(prefix))
            .map(str::to_owned)
            .collect()
    };
    let left = (of_us("list_queues"), of_us("list_exchanges"));
    assert_eq!(left, (BTreeSet::new(), BTreeSet::new()), "was left behind");
}

fn leaves_nothing_behind() -> Result<(), Skip> {
    let broker = Broker::new(Kind::RabbitMq)?;
    let on_it = ["--broker", broker.url(), "--prefix", broker.prefix(), "--format", "json"];
    // A plugin is a plugin on every broker, and memory the same.
    let output = bench(&on_it).args(["start", "latency", "publish", "consume"]).end().exits(0);
    measured(&output, &[&CONSUME[..], &PUBLISH, &LATENCY, &START].concat());
    let shown = output.json()[0]["broker"].as_str().map(str::to_owned).unwrap_or_default();
    assert!(shown.starts_with("amqp://guest@"), "not the broker, or its password: {shown}");
    is_empty_of(Version::V3, broker.prefix());
    Ok(())
}

fn leaves_nothing_behind_when_interrupted() -> Result<(), Skip> {
    let broker = Broker::new(Kind::RabbitMq)?;
    for (name, begun) in [("consume", "consume: warming up"), ("start", "start: run 1 of 1000")] {
        let on_it = ["--broker", broker.url(), "--prefix", broker.prefix()];
        let running = long_bench(&on_it).arg(name).start();
        running.says(begun);
        running.end_by(Signal::Interrupt).exits(69).says("interrupted before everything was measured");
        is_empty_of(Version::V3, broker.prefix());
    }
    Ok(())
}
