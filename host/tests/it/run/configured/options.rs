//! Each option that a consumer of a configuration file may have of its own: one consumer has it, another one of the same plugin
//! has not, and each does as it is told.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use super::Configuration;
use crate::support::broker::Broker;
use crate::support::cli::{Output, Signal, loghost};
use crate::support::dead_letters::list;
use crate::support::guest::{Does, Guest, Then, guest, seen};
use crate::support::metrics::{counts, errors, last_of};
use crate::support::publish::publish_numbers;

/// An option, and how it is seen whether a consumer has it.
struct Case {
    /// As it is in the table of the one that has it.
    own: &'static str,
    /// What the file says for both.
    both: &'static str,
    guest: fn(Guest) -> Guest,
    /// What is published to both: the same text so many times.
    logs: (&'static str, usize),
    has: fn(&Broker, &Output, &str) -> bool,
}

const CASES: [Case; 13] = [
    Case {
        own: "every = \"1h\"",
        both: "max-batch = 1",
        guest: |guest| guest.on("", Then::Do(Does::LoopMillions(10))),
        logs: ("slow", 60),
        has: |_, ran, name| metrics(ran, name) <= 2,
    },
    Case {
        own: "max-logs = 2",
        both: "max-batch = 1",
        guest: Guest::processes,
        logs: ("log", 5),
        has: |_, ran, name| one_of(accepted(ran, name), 2, 5),
    },
    Case {
        own: "prefetch = 2",
        both: "",
        guest: Guest::transcribes,
        logs: ("log", 200),
        has: |_, ran, name| largest_batch(ran, name) <= 2,
    },
    Case {
        own: "max-batch = 1",
        both: "",
        guest: Guest::transcribes,
        logs: ("log", 200),
        has: |_, ran, name| largest_batch(ran, name) == 1,
    },
    Case {
        own: "max-retries = 0",
        both: "max-retries = 1",
        guest: |guest| guest.on("", Then::Retry("later".to_owned())),
        logs: ("again", 1),
        has: |broker, _, name| {
            let attempts: u64 = list(broker, name, &[]).iter().filter_map(|it| it["attempts"].as_u64()).sum();
            one_of(attempts, 1, 2)
        },
    },
    Case {
        own: "stop-at = \"1/1\"",
        both: "probe-after = \"1h\"",
        guest: |guest| guest.on("", Then::Do(Does::Panic)),
        logs: ("bad", 3),
        has: |broker, ran, name| {
            let is_stopped = ran.stderr.contains(&format!("[{name}] stopped, because it keeps failing"));
            assert_eq!(list(broker, name, &[]).len(), if is_stopped { 1 } else { 3 }, "{ran}");
            is_stopped
        },
    },
    Case {
        own: "probe-after = \"20ms\"",
        both: "stop-at = \"1/1\"\nprobe-after = \"1h\"",
        guest: |guest| guest.on("", Then::Do(Does::Panic)),
        logs: ("bad", 3),
        has: |broker, _, name| {
            let dead = list(broker, name, &[]).len();
            assert!(dead > 0, "{name} has failed at none");
            dead > 1
        },
    },
    Case {
        own: "grant = [\"publish\"]",
        both: "",
        guest: |guest| guest.severities(&["error"]).publishes("info"),
        logs: ("log", 1),
        has: |_, ran, name| is_not_told(ran, name, "--grant publish"),
    },
    Case {
        own: "max-memory = \"41MiB\"",
        both: "max-memory = \"32MiB\"",
        guest: |guest| guest.memory(40),
        logs: ("log", 1),
        has: |_, ran, name| is_not_told(ran, name, "used more than 32.0 MiB of memory"),
    },
    Case {
        own: "time-limit = \"50s\"",
        both: "time-limit = \"50ms\"",
        guest: |guest| guest.on("", Then::Do(Does::LoopMillions(500))),
        logs: ("slow", 1),
        has: |_, ran, name| one_of(accepted(ran, name), 1, 0),
    },
    Case {
        own: "max-stack = \"2MiB\"",
        both: "max-stack = \"128KiB\"",
        guest: |guest| guest.on("", Then::Do(Does::RecurseTo(20_000))),
        logs: ("deep", 1),
        has: |_, ran, name| one_of(accepted(ran, name), 1, 0),
    },
    Case {
        own: "max-output = \"1MB\"",
        both: "max-output = \"190kB\"",
        guest: |guest| guest.metric("x".repeat(200_000)),
        logs: ("log", 1),
        has: |_, ran, name| last_of(&ran.stdout, name)["text"].as_str().is_some_and(|it| it.len() == 200_000),
    },
    Case {
        own: "settings = { limit = 5 }",
        both: "",
        guest: |guest| guest.takes(&["limit"]),
        logs: ("log", 1),
        has: |_, ran, name| ran.stderr.contains(&format!("/{name}.wasm] plugin: set limit=5")),
    },
];

fn metrics(ran: &Output, name: &str) -> usize {
    let all = ran.json();
    all.iter().filter(|metric| metric["consumer"] == name).count()
}

fn accepted(ran: &Output, name: &str) -> u64 {
    errors(&last_of(&ran.stdout, name))[0]
}

fn largest_batch(ran: &Output, name: &str) -> usize {
    let batches = seen(&ran.stderr, name).into_iter().map(|seen| seen.batch);
    batches.max().unwrap_or_else(|| panic!("{name} has seen nothing: {ran}"))
}

/// Whether it is the first and not the second; fails where it is neither.
#[track_caller]
fn one_of(number: u64, with: u64, without: u64) -> bool {
    assert!([with, without].contains(&number), "{number} is neither {with} nor {without}");
    number == with
}

/// Whether no line about the plugin has these words.
fn is_not_told(ran: &Output, name: &str, words: &str) -> bool {
    let file = format!("{name}.wasm");
    !ran.stderr.lines().any(|line| line.contains(&file) && line.contains(words))
}

pub(super) fn each_is_that_of_one_consumer(broker: &Broker) {
    for (n, case) in CASES.iter().enumerate() {
        let Case { own, both, logs: (text, times), .. } = case;
        // Other queues for each.
        let [with, without] = ["with", "without"].map(|word| format!("{word}-{n}"));
        let configuration = Configuration::new(broker);
        for name in [&with, &without] {
            (case.guest)(guest(name)).write(configuration.path());
        }
        configuration.write(&format!(
            "{both}\n[consumers.{with}]\nplugin = \"{with}.wasm\"\n{own}\n\
             [consumers.{without}]\nplugin = \"{without}.wasm\"\n"
        ));
        configuration.run().arg("--declare-only").end();
        let publish = broker.loghost(["publish", "--stdin", "--severity", "error"]);
        publish.stdin(format!("{text}\n").repeat(*times)).end().exits(0);
        let ran = configuration.run().args(["--format", "json", "--until-idle", "500ms"]).end();
        assert!((case.has)(broker, &ran, &with), "{own}: who has it is as if not\n{ran}");
        assert!(!(case.has)(broker, &ran, &without), "{own}: who has it not is as if\n{ran}");
    }
}

/// It is time itself that is waited for.
pub(super) fn each_forgets_after_its_own_time(broker: &Broker) {
    let configuration = Configuration::new(broker);
    for name in ["soon", "late"] {
        guest(name).severities(&["error"]).write(configuration.path());
    }
    configuration.write(
        "[consumers.soon]\nplugin = \"soon.wasm\"\nforget-after = \"500ms\"\n[consumers.late]\nplugin = \"late.wasm\"\n",
    );
    let run = configuration.run().args(["--format", "json"]).start();
    run.has_consuming(&["soon", "late"]);
    publish_numbers(broker, "error", "web", &[1, 2, 3]);
    counts(&run, "soon", [3, 0]);
    // It is the time of `forget-after` itself that has to pass.
    thread::sleep(Duration::from_millis(1500));
    publish_numbers(broker, "error", "db", &[1]);
    counts(&run, "soon", [4, 0]);
    publish_numbers(broker, "error", "web", &[1, 2, 3]);
    publish_numbers(broker, "error", "db", &[2]);
    counts(&run, "soon", [8, 0]);
    counts(&run, "late", [5, 0]);
    run.end_by(Signal::Terminate).exits(0);
}

/// Those that `run` has for each plugin are tested here, all of them.
pub(super) fn all_of_them_are_tested() {
    let help = loghost(["run", "--help"]).end().exits(0).stdout;
    let mut heading = "";
    let mut options = BTreeSet::new();
    for line in help.lines() {
        if !line.starts_with(' ') && line.ends_with(':') {
            heading = line;
        } else if let Some((_, option)) = line.split_once("--")
            && line.trim_start().starts_with('-')
            && heading.to_lowercase().contains("each plugin")
        {
            options.insert(option.split([' ', '=']).next().unwrap_or_default().to_owned());
        }
    }
    let tested = CASES.iter().filter_map(|case| case.own.split(' ').next());
    let mut tested: BTreeSet<String> = tested.map(str::to_owned).collect();
    tested.remove("settings");
    tested.insert("forget-after".to_owned());
    assert_eq!(options, tested);
}
