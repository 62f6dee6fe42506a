//! Output that is not read delays neither the counting nor the end of a run.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::broker::{Broker, Kind, on, on_each, start_embedded};
use crate::support::cli::{Signal, loghost};
use crate::support::dead_letters::{dead_letters, with_dead_letters};
use crate::support::guest::{declare, guest};
use crate::support::metrics::last_of;
use crate::support::{self, TIMEOUT, test};

pub(crate) fn trials() -> Vec<Trial> {
    [
        on(Kind::QUEUES, "unread::output_is_no_hindrance", |broker| unread(broker, [true, false])),
        on(Kind::QUEUES, "unread::errors_are_no_hindrance", |broker| unread(broker, [false, true])),
        on(Kind::QUEUES, "unread::neither_is_a_hindrance", |broker| unread(broker, [true, true])),
        on(Kind::MOST, "unread::what_is_read_late_is_the_latest", what_is_read_late_is_the_latest),
        on(Kind::MOST, "unread::a_pipe_that_does_not_wait", a_pipe_that_does_not_wait),
        on_each("unread::a_list_can_be_interrupted", a_list_can_be_interrupted),
    ]
    .into_iter()
    .flatten()
    .chain([test("unread::a_failure_ends_the_process", a_failure_ends_the_process)])
    .chain([Kind::RabbitMq, Kind::Quorum].map(|kind| {
        support::long(&format!("{}::unread::for_a_minute", kind.name()), move || {
            for_a_minute(&Broker::new(kind)?);
            Ok(())
        })
    }))
    .collect()
}

const LOGS: usize = 4000;

/// A consumer that writes a line for each of its logs, and a metric as often as it can.
fn start(broker: &Broker, folder: &Path, [output, errors]: [bool; 2]) -> Child {
    // A pipe has room for a few of these metrics.
    let plugin =
        guest("noisy").severities(&["error"]).transcribes().metric("m".repeat(16 * 1024)).write(folder);
    declare(broker, std::slice::from_ref(&plugin));
    let pipe = |is_unread: bool| if is_unread { Stdio::piped() } else { Stdio::null() };
    let run = broker.loghost(["run", "--every", "1ms", "--format", "json", "--grace", "3s", "--state"]);
    let run = run.arg(folder.join("state")).arg(plugin);
    run.start_with(pipe(output), pipe(errors))
}

#[track_caller]
fn publish(broker: &Broker) {
    let lines = format!("{}\n", "x".repeat(300)).repeat(LOGS);
    broker.loghost(["publish", "--stdin", "--severity", "error"]).stdin(lines).end().exits(0);
}

/// A non-blocking pipe, as some parent processes pass it: a write that does not fit fails, and has to be tried again.
fn a_pipe_that_does_not_wait(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("noisy").severities(&["error"]).metric("m".repeat(16 * 1024)).write(folder.path());
    declare(broker, std::slice::from_ref(&plugin));
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    rustix::io::ioctl_fionbio(&writer, true).expect("a pipe of ours");
    let run = broker.loghost(["run", "--every", "1ms", "--format", "json", "--max-logs"]);
    let run = run.arg(LOGS.to_string()).arg(plugin).start_with(writer, Stdio::null());
    publish(broker);
    broker.outside().wait_for_depth(&broker.queue("noisy"), 0);
    let read = thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).map(|_| text)
    });
    assert_eq!(ended(run), 0);
    let text = read.join().expect("a thread of ours").expect("text");
    assert!(text.len() > 64 * 1024, "{} bytes fit into the pipe", text.len());
    assert_eq!(last_of(&text, "noisy")["counts"]["error"], LOGS);
}

/// Asks it to end; how it ended.
#[track_caller]
fn end(child: Child) -> i32 {
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a process of ours");
    ended(child)
}

/// How it ends by itself.
#[track_caller]
fn ended(mut child: Child) -> i32 {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        if let Some(status) = child.try_wait().expect("a process of ours") {
            return status.code().expect("it ends by itself");
        }
        if Instant::now() > deadline {
            child.kill().expect("a process of ours");
            panic!("it does not end");
        }
        // Waiting for a child has no timeout.
        thread::sleep(Duration::from_millis(20));
    }
}

/// How many logs are counted, for good.
#[track_caller]
fn counted(folder: &Path) -> Value {
    let report = loghost(["report", "--format", "json", "--state"]).arg(folder.join("state")).end().exits(0);
    report.json()[0]["counts"]["error"].clone()
}

fn unread(broker: &Broker, streams: [bool; 2]) {
    let folder = tempfile::tempdir().expect("a folder");
    let run = start(broker, folder.path(), streams);
    publish(broker);
    broker.outside().wait_for_depth(&broker.queue("noisy"), 0);
    assert_eq!(end(run), 0);
    let rest = broker.loghost(["run", "--until-idle", "1s", "--state"]).arg(folder.path().join("state"));
    rest.arg(folder.path().join("noisy.wasm")).end().exits(0);
    assert_eq!(counted(folder.path()), LOGS);
}

/// A host and publishers under load: everything is counted, and a signal ends the host within its grace period.
fn for_a_minute(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let logs = folder.path().join("logs.txt");
    fs::write(&logs, format!("error x{LOGS}: {}\n", "x".repeat(300))).expect("a file in a folder of ours");
    let run = start(broker, folder.path(), [true, true]);
    let (until, mut sent) = (Instant::now() + Duration::from_mins(1), 0);
    while Instant::now() < until {
        let publish = broker.loghost(["publish", "--format", "json", "--file"]).arg(&logs);
        let mut publish = publish.start_with(Stdio::piped(), Stdio::piped());
        assert!(publish.wait().expect("a process of ours").success());
        sent += LOGS;
    }
    broker.outside().wait_for_depth(&broker.queue("noisy"), 0);
    assert_eq!(end(run), 0);
    let rest = broker.loghost(["run", "--until-idle", "1s", "--state"]).arg(folder.path().join("state"));
    rest.arg(folder.path().join("noisy.wasm")).end().exits(0);
    assert_eq!(counted(folder.path()), sent);
}

/// A run that fails ends at once, so that a supervisor can restart it.
fn a_failure_ends_the_process() {
    let (embedded, url) = start_embedded();
    let broker = Broker::at(url);
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("noisy").severities(&["error"]).metric("m".repeat(256 * 1024)).write(folder.path());
    declare(&broker, std::slice::from_ref(&plugin));
    let run = broker.loghost(["run", "--every", "1ms", "--retry-for", "1s", "--grace", "1s"]).arg(plugin);
    let run = run.start_with(Stdio::piped(), Stdio::piped());
    publish(&broker);
    broker.outside().wait_for_depth(&broker.queue("noisy"), 0);
    drop(embedded.end_by(Signal::Kill));
    assert_eq!(ended(run), 69);
}

/// What was left out is said.
fn what_is_read_late_is_the_latest(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut run = start(broker, folder.path(), [true, true]);
    for _ in 0..3 {
        publish(broker);
    }
    broker.outside().wait_for_depth(&broker.queue("noisy"), 0);
    let (mut output, mut errors) = (run.stdout.take().expect("a pipe"), run.stderr.take().expect("a pipe"));
    let output = thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).map(|_| text)
    });
    let errors = thread::spawn(move || {
        let mut text = String::new();
        errors.read_to_string(&mut text).map(|_| text)
    });
    assert_eq!(end(run), 0);
    let [output, errors] = [output, errors].map(|reading| reading.join().expect("no panic").expect("text"));
    let last = last_of(&output, "noisy");
    assert_eq!((&last["counts"]["error"], &last["last"]), (&counted(folder.path()), &true.into()));
    assert!(errors.contains("left out"), "{errors}");
}

fn a_list_can_be_interrupted(broker: &Broker) {
    let picky = with_dead_letters(broker, "picky", 600);
    let list = dead_letters(broker, "list", ["picky", "--format", "json"]);
    let child = list.start_with(Stdio::piped(), Stdio::null());
    let outside = broker.outside();
    outside.wait_for_depth(&picky.dead_queue(), 88);
    assert_eq!(end(child), 69);
    outside.wait_for_depth(&picky.dead_queue(), 600);
}
