//! A closed pipe, as `head` leaves it, is no failure: the exit status stays that of the work.

use libtest_mimic::Trial;

use crate::commands::bench::long_bench;
use crate::commands::verify::changed;
use crate::support::broker::{Broker, Kind, on, on_each};
use crate::support::cli::{Loghost, Output, Signal, loghost};
use crate::support::dead_letters::{dead_letters, with_dead_letters};
use crate::support::rabbitmq::free_port;
use crate::support::{test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        test("closed::a_demo_is_right_all_the_same", a_demo_is_right_all_the_same),
        test("closed::a_difference_is_one_all_the_same", a_difference_is_one_all_the_same),
        test("closed::a_bench_ends", a_bench_ends),
        test("closed::a_broker_goes_on", a_broker_goes_on),
    ];
    trials.extend(on(Kind::QUEUES, "closed::what_is_confirmed_is_published", what_is_confirmed_is_published));
    trials.extend(on_each("closed::what_is_purged_is_gone", what_is_purged_is_gone));
    trials
        .extend(on_each("closed::a_run_ends_with_what_it_has_counted", a_run_ends_with_what_it_has_counted));
    trials
}

/// Runs it to its end, while nobody reads what it prints: nothing is said of that.
#[track_caller]
fn ends(command: Loghost, code: i32) -> Output {
    let output = command.unread().end().exits(code);
    let said = output.stderr.to_lowercase();
    for word in ["error", "pipe", "panicked", "cannot"] {
        assert!(!said.contains(word), "`{word}` is said: {output}");
    }
    output
}

fn a_demo_is_right_all_the_same() {
    ends(loghost(["demo"]), 0);
    ends(loghost(["plugin", "inspect"]).arg(tracked("plugins/all.wasm")), 0);
}

fn a_difference_is_one_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = changed(folder.path());
    ends(loghost(["demo", &file]), 1);
    ends(loghost(["verify", &file]), 1);
    ends(loghost(["verify", "--bless", &file]), 0);
    ends(loghost(["verify", "--format", "json", &file]), 0);
}

/// A bench that would take far longer than the test waits.
fn a_bench_ends() {
    ends(long_bench(&[]), 0);
}

fn a_broker_goes_on() {
    let address = format!("127.0.0.1:{}", free_port());
    let broker = loghost(["broker", "--listen", &address]).unread().start();
    let url = format!("amqp://{address}");
    loghost(["publish", "info", "text", "--retry-for", "30s", "--broker", &url]).end().exits(0);
    broker.end_by(Signal::Terminate).exits(0).does_not_say("error");
}

fn what_is_confirmed_is_published(broker: &Broker) {
    let declare = broker.loghost(["run", "--declare-only"]).arg(tracked("plugins/error.wasm"));
    declare.end().exits(0);
    ends(broker.loghost(["publish", "error", "text", "--require-route"]), 0);
    ends(broker.loghost(["publish", "error", "text", "--format", "json"]), 0);
    assert_eq!(broker.outside().depth(&broker.queue("error")), Some(2));
    // That one was not routed is the work's own failure.
    broker.loghost(["publish", "info", "text", "--require-route"]).unread().end().exits(1).says("no queue");
}

fn what_is_purged_is_gone(broker: &Broker) {
    let picky = with_dead_letters(broker, "picky", 3);
    ends(dead_letters(broker, "list", ["picky"]), 0);
    ends(dead_letters(broker, "show", ["picky", "2"]), 0);
    ends(dead_letters(broker, "purge", ["picky", "--all"]), 0);
    assert_eq!(broker.outside().depth(&picky.dead_queue()), Some(0));
}

fn a_run_ends_with_what_it_has_counted(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let run = || {
        let run = broker.loghost(["run", "--every", "1ms", "--state"]).arg(folder.path());
        run.arg(tracked("plugins/error.wasm"))
    };
    let running = run().unread().start();
    running.says("consuming from");
    broker.loghost(["publish", "error", "text"]).end().exits(0);
    let output = running.end().exits(0).does_not_say("panicked").does_not_say("standard output");
    let depth = u64::from(broker.outside().depth(&broker.queue("error")).expect("it was declared"));
    let report = loghost(["report", "--format", "json", "--state"]).arg(folder.path());
    let counted = report.end().exits(0).json()[0]["counts"]["error"].as_u64().expect("a number");
    assert_eq!(counted + depth, 1, "{output}");
    ends(loghost(["report", "--state"]).arg(folder.path()), 0);
}
