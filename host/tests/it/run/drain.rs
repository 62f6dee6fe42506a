//! A run that is to end while a plugin does not return: it ends, and loses nothing.

use std::slice::from_ref;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Running, Signal};
use crate::support::guest::{Does, Then, declare, guest};
use crate::support::publish::{logs, publish};

pub(crate) fn trials() -> Vec<Trial> {
    [
        on(Kind::QUEUES, "drain::has_an_end", has_an_end),
        on(Kind::QUEUES, "drain::a_second_signal_ends_at_once", a_second_signal_ends_at_once),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A run whose plugin has been given `poison`, the 11th of 20 logs, and does not return.
#[track_caller]
fn in_a_loop(broker: &Broker, arguments: &[&str]) -> Running {
    let folder = tempfile::tempdir().expect("a folder");
    let file = guest("endless").transcribes().on("poison", Then::Do(Does::Loop)).write(folder.path());
    declare(broker, from_ref(&file));
    let mut all = logs(20);
    "poison".clone_into(&mut all[10]);
    publish(broker, &all);
    let run = broker.loghost(["run", "--format", "json", "--every", "20ms", "--max-batch", "1"]);
    let run = run.args(["--time-limit", "10m"]).arg(file).args(arguments).start();
    run.says("|poison|");
    run
}

fn has_an_end(broker: &Broker) {
    let run = in_a_loop(broker, &["--grace", "300ms"]);
    let began = Instant::now();
    let output = run.end_by(Signal::Terminate).exits(69);
    assert!(began.elapsed() < Duration::from_secs(30), "it took {:?}", began.elapsed());
    output
        .says("[endless] could not finish within 300ms (--grace): what it has not acknowledged comes again");
    has_lost_nothing(broker);
}

fn a_second_signal_ends_at_once(broker: &Broker) {
    let run = in_a_loop(broker, &["--grace", "10m"]);
    // Two that are not taken for one; which of them comes first is not certain.
    run.signal(Signal::Interrupt);
    let output = run.end_by(Signal::Terminate);
    let code = output.code();
    assert!([Some(128 + 2), Some(128 + 15)].contains(&code), "it ended with {code:?}: {output}");
    has_lost_nothing(broker);
}

/// Its unfinished logs and those behind them are in the queue again; finished ones may be.
#[track_caller]
fn has_lost_nothing(broker: &Broker) {
    let outside = broker.outside();
    outside.wait_for_at_least(&broker.queue("endless"), 10);
    let left = outside.take_all(&broker.queue("endless"));
    let left: Vec<_> = left.iter().map(|message| String::from_utf8_lossy(&message.data)).collect();
    let position = left.iter().position(|log| log == "poison").expect("it was not lost");
    assert_eq!(left.len() - position, 10, "{left:?}");
    assert_eq!(outside.depth(&broker.dead_queue("endless")), Some(0));
}
