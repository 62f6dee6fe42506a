//! A configuration that changes while its consumers run: at SIGHUP, or with `--watch`.

use std::fs;

use libtest_mimic::Trial;

use super::configured::Configuration;
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Running, Signal};
use crate::support::guest::guest;
use crate::support::http::{Answer, Http};
use crate::support::link;

pub(crate) fn trials() -> Vec<Trial> {
    [
        on(Kind::MOST, "reconfigured::consumers_come_go_and_change", consumers_come_go_and_change),
        on([Kind::Embedded], "reconfigured::a_bad_file_changes_nothing", a_bad_file_changes_nothing),
        on([Kind::Embedded], "reconfigured::a_file_that_is_watched", a_file_that_is_watched),
        on([Kind::Embedded], "reconfigured::a_config_map", a_config_map),
        on(Kind::MOST, "reconfigured::one_that_could_not_begin_is_tried_again", could_not_begin),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The tables of these consumers, each with these lines of its own.
fn consumers(all: &[(&str, &str)]) -> String {
    let table =
        |(name, lines): &(&str, &str)| format!("[consumers.{name}]\nplugin = \"{name}.wasm\"\n{lines}\n");
    all.iter().map(table).collect()
}

/// Publishes a log, and waits until these consumers have counted so many.
#[track_caller]
fn counts(broker: &Broker, run: &Running, expected: &[(&str, u64)]) {
    broker.loghost(["publish", "error", "one", "--require-route"]).end().exits(0);
    for (consumer, total) in expected {
        let name = format!("\"consumer\":\"{consumer}\"");
        let count = format!("\"error\":{total},");
        run.has_printed(|text| text.lines().any(|line| line.contains(&name) && line.contains(&count)));
    }
}

fn consumers_come_go_and_change(broker: &Broker) {
    let configuration = Configuration::new(broker);
    for name in ["stays", "goes", "comes", "set", "anew"] {
        guest(name).takes(&["word"]).write(configuration.path());
    }
    let state =
        format!("state = {:?}\nlisten = \"127.0.0.1:0\"\n", configuration.path().join("state").display());
    let word = "settings = { word = \"a\" }";
    let tables = consumers(&[("stays", word), ("goes", ""), ("set", word), ("anew", "max-batch = 5")]);
    configuration.write(&format!("{state}{tables}"));
    let run = configuration.run().args(["--format", "json"]).start();
    run.says("consuming from");
    counts(broker, &run, &[("stays", 1), ("goes", 1), ("set", 1), ("anew", 1)]);

    let other = "settings = { word = \"b\" }";
    let tables = consumers(&[("anew", "max-batch = 6"), ("comes", ""), ("set", other), ("stays", word)]);
    configuration.write(&format!("# Another line.\n{state}{tables}"));
    run.signal(Signal::Hangup);
    run.says("[goes] is not in the configuration any more");
    run.says("[set] reloaded");
    run.says("[comes] is new in the configuration");
    run.says("[anew] is run anew, as the configuration has changed");
    run.says("[comes] begins to consume");
    run.says("[anew] begins to consume");
    broker.outside().wait_until_unconsumed(&broker.queue("goes"));
    counts(broker, &run, &[("stays", 2), ("set", 2), ("anew", 2), ("comes", 1)]);
    assert_eq!(broker.outside().depth(&broker.queue("goes")), Some(1));
    let is_gone = |answer: &Answer| !answer.json().to_string().contains("\"goes\"");
    let shown = Http::of(&run).get_until("/api/consumers", is_gone).json().to_string();
    for name in ["stays", "comes", "anew"] {
        assert!(shown.contains(&format!("\"{name}\"")), "{name}: {shown}");
    }
    // Nothing has happened to the one that was left alone.
    let said = run.stderr_so_far();
    assert!(!said.contains("[stays]"), "{said}");
    // What was taken out comes back, and goes on where it was.
    configuration.write(&format!("{state}{}", consumers(&[("stays", word), ("goes", "")])));
    run.signal(Signal::Hangup);
    run.says("[goes] begins to consume");
    counts(broker, &run, &[("stays", 3), ("goes", 3)]);
    run.end_by(Signal::Terminate).exits(0);
}

fn a_bad_file_changes_nothing(broker: &Broker) {
    let configuration = Configuration::new(broker);
    guest("good").takes(&["word"]).write(configuration.path());
    configuration.write(&consumers(&[("good", "")]));
    let run = configuration.run().args(["--format", "json", "--listen", "127.0.0.1:0"]).start();
    run.says("consuming from");
    counts(broker, &run, &[("good", 1)]);
    let said = "nothing is reloaded, all goes on as it is: ";
    for (lines, why) in [
        (
            consumers(&[("good", "max-retrys = 3")]),
            ":6:1: unknown key `max-retrys` (is `max-retries` meant?)",
        ),
        (
            consumers(&[("good", "settings = { wrd = 3 }")]),
            "unknown setting `wrd`; this consumer takes `word`",
        ),
        (consumers(&[("good", ""), ("none", "")]), "none.wasm"),
        ("[consumers\n".to_owned(), ":4:"),
        (String::new(), "the configuration names no consumer"),
    ] {
        let before = run.stderr_so_far().matches(said).count();
        configuration.write(&lines);
        run.signal(Signal::Hangup);
        run.has_said(|so_far| so_far.matches(said).count() > before && so_far.contains(why));
    }
    fs::remove_file(configuration.file()).expect("a file of ours");
    run.signal(Signal::Hangup);
    run.says("cannot read the configuration file");
    let refused = "loghost_reloads_refused_total{consumer=\"good\"} 6\n";
    Http::of(&run).get_until("/metrics", |answer| answer.body.contains(refused));
    counts(broker, &run, &[("good", 2)]);
    // What waits for the next start is said.
    configuration.write(&format!("grace = \"3s\"\n{}", consumers(&[("good", "")])));
    run.signal(Signal::Hangup);
    run.says("what else has changed in the configuration waits for the next start");
    counts(broker, &run, &[("good", 3)]);
    run.end_by(Signal::Terminate).exits(0).does_not_say("[good] reloaded");
}

fn a_file_that_is_watched(broker: &Broker) {
    let configuration = Configuration::new(broker);
    guest("first").write(configuration.path());
    let second = guest("second");
    second.write(configuration.path());
    configuration.write(&consumers(&[("first", "")]));
    let run = configuration.run().args(["--format", "json", "--watch"]).start();
    run.says("consuming from");
    configuration.write(&consumers(&[("first", ""), ("second", "")]));
    run.says("[second] is new in the configuration");
    run.says("[second] begins to consume");
    counts(broker, &run, &[("first", 1), ("second", 1)]);
    // The plugin of the new one is watched as well.
    second.version("2").write(configuration.path());
    run.says("[second] reloaded: version 2");
    run.end_by(Signal::Terminate).exits(0);
}

/// As the kubelet replaces the contents of a volume.
fn a_config_map(broker: &Broker) {
    let configuration = Configuration::new(broker);
    for name in ["first", "second"] {
        guest(name).write(configuration.path());
    }
    let data = configuration.path().join("..data");
    let replace = |version: &str, lines: &str| {
        let folder = configuration.path().join(version);
        fs::create_dir(&folder).expect("a folder of ours");
        configuration.write_as(&folder.join("loghost.toml"), lines);
        link(version, &data);
    };
    replace("..2026_1", &consumers(&[("first", "")]));
    link("..data/loghost.toml", &configuration.file());
    let run = configuration.run().args(["--format", "json", "--watch", "--log-format", "json"]).start();
    run.says("consuming from");
    replace("..2026_2", &consumers(&[("first", ""), ("second", "")]));
    fs::remove_dir_all(configuration.path().join("..2026_1")).expect("a folder of ours");
    let tells = |consumer: &str, event: &str| {
        run.says(&format!(r#""consumer":"{consumer}","event":"{event}""#));
    };
    tells("second", "added");
    tells("second", "started");
    counts(broker, &run, &[("first", 1), ("second", 1)]);
    replace("..2026_3", &consumers(&[("second", "")]));
    tells("first", "removed");
    counts(broker, &run, &[("second", 2)]);
    run.end_by(Signal::Terminate).exits(0);
}

/// Its queue was made otherwise; when that is gone, SIGHUP has it begin, and the other one does not notice.
fn could_not_begin(broker: &Broker) {
    let configuration = Configuration::new(broker);
    for name in ["good", "hindered"] {
        guest(name).write(configuration.path());
    }
    configuration.write(&consumers(&[("good", ""), ("hindered", "")]));
    let queue = broker.queue("hindered");
    broker.outside().listen(&queue, &broker.exchange("error"));
    let run = configuration.run().args(["--format", "json"]).start();
    run.says("[hindered] left out: ");
    run.says("consuming from");
    counts(broker, &run, &[("good", 1)]);
    run.signal(Signal::Hangup);
    run.says("[hindered] has ended: is tried again");
    run.says("error [hindered] cannot declare the queue");
    broker.outside().delete(&queue);
    run.signal(Signal::Hangup);
    run.says("[hindered] begins to consume");
    counts(broker, &run, &[("good", 2), ("hindered", 1)]);
    // That it could not begin at first, is told at the end.
    run.end_by(Signal::Terminate).exits(78).does_not_say("[good]");
}
