//! The main job: the logs of a scenario through a broker to the four bundled consumers.

use libtest_mimic::Trial;

use crate::support::broker::{Broker, on_all};
use crate::support::cli::{Output, Running, Signal};
use crate::support::metrics::{CONSUMERS, Metrics, expected, last_of_json, last_of_text};
use crate::support::tracked;

pub(crate) fn trials() -> Vec<Trial> {
    [
        on_all("job::run_then_publish_scenario_1", |broker| {
            let files = CONSUMERS.map(|name| tracked(&format!("plugins/{name}.wasm")));
            let run = broker.loghost(["run", "--every", "50ms"]).args(files).start();
            let output = live(broker, run, "scenarios/1.txt", last_of_text, Signal::Terminate);
            assert_eq!(last_of_text(&output.stdout), expected("scenarios/1.txt"), "{output}");
        }),
        on_all("job::run_then_publish_scenario_2", |broker| {
            let run = broker.loghost(["run", "--every", "50ms", "--format", "json"]).arg(tracked("plugins"));
            let output = live(broker, run.start(), "scenarios/2.txt", last_of_lines, Signal::Interrupt);
            assert_eq!(last_of_json(&output), expected("scenarios/2.txt"), "{output}");
        }),
        on_all("job::publish_then_run_scenario_3", |broker| queued(broker, "scenarios/3.txt")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Publishes while the consumers run, and ends them when they have said what the scenario expects.
#[track_caller]
fn live(broker: &Broker, run: Running, scenario: &str, last: fn(&str) -> Metrics, signal: Signal) -> Output {
    let ready = run.says("consuming from");
    for consumer in CONSUMERS {
        let source =
            if broker.is_stream() { "the stream".to_owned() } else { format!("{})", broker.queue(consumer)) };
        assert!(ready.contains(&format!("{consumer} ({source}")), "{ready}");
    }
    publish(broker, scenario);
    let expected = expected(scenario);
    run.has_printed(|so_far| last(so_far) == expected);
    let output = run.end_by(signal).exits(0);
    assert_queues_are_empty(broker);
    output
}

/// Publishes into queues that nobody consumes from yet, and runs the consumers until all is quiet.
#[track_caller]
fn queued(broker: &Broker, scenario: &str) {
    let declared = broker.loghost(["run", "--declare-only"]).arg(tracked("plugins")).end().exits(0);
    assert_eq!(declared.stdout, "", "{declared}");
    publish(broker, scenario);
    let run = broker.loghost(["run", "--until-idle", "1s"]).arg(tracked("plugins")).end().exits(0);
    assert_eq!(last_of_text(&run.stdout), expected(scenario), "{run}");
    assert_queues_are_empty(broker);
}

/// Publishes a scenario; every log must reach a queue.
#[track_caller]
fn publish(broker: &Broker, scenario: &str) {
    let total = expected(scenario)["all"].lines().last().map(|line| line.replace("     ", " ")).unwrap();
    let published = broker.loghost(["publish", "--require-route", "--file"]).arg(tracked(scenario));
    published.end().exits(0).prints(&total);
}

/// Nothing is left: `run` has ended, so what it had not acknowledged would be ready again.
#[track_caller]
fn assert_queues_are_empty(broker: &Broker) {
    let outside = broker.outside();
    for consumer in CONSUMERS {
        assert_eq!(outside.depth(&broker.queue(consumer)), Some(0), "the queue of {consumer}");
    }
}

fn last_of_lines(stdout: &str) -> Metrics {
    let metrics = stdout.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    metrics
        .filter_map(|metric| {
            Some((metric["consumer"].as_str()?.to_owned(), metric["text"].as_str()?.to_owned()))
        })
        .collect()
}
