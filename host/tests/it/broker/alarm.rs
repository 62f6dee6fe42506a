//! The memory alarm of a broker: publishers wait until it ends, consumers do not.

use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use crate::support::broker::{Broker, on_nodes};
use crate::support::cli::{Running, Signal};
use crate::support::guest::{Then, declare, guest};
use crate::support::metrics::{last_of_text, total};
use crate::support::rabbitmq::{Node, Setup};
use crate::support::{TIMEOUT, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    on_nodes(
        "alarm::publishers_wait_and_consumers_do_not",
        Setup::default(),
        publishers_wait_and_consumers_do_not,
    )
}

const QUEUED: u64 = 600;
const BAD: u32 = 200;
const LATER: u64 = 300;

fn publishers_wait_and_consumers_do_not(node: &mut Node, broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let picky =
        guest("picky").severities(&["error"]).on("bad", Then::Reject("no".to_owned())).write(folder.path());
    let error = tracked("plugins/error.wasm");
    declare(broker, &[picky.clone(), error.clone()]);
    let publish = ["publish", "--stdin", "--severity", "error", "--require-route"];
    broker.loghost(publish).stdin("good\nbad\ngood\n".repeat(BAD as usize)).end().exits(0);

    node.rabbitmqctl(&["set_vm_memory_high_watermark", "absolute", "1MB"]);
    let mut publisher = broker.loghost(publish).start();
    (0..LATER).for_each(|n| publisher.write_line(&format!("later {n}")));
    publisher.says("holds publishers back");

    // What counts is done with its queue, and what rejects has counted all that it accepts.
    let run = broker.loghost(["run", "--every", "50ms", "--grace", "1m"]).arg(&error).start();
    let rejecting = broker.loghost(["run", "--every", "50ms", "--format", "json"]).arg(&picky).start();
    counts(&run, QUEUED);
    rejecting.says("holds publishers back");
    rejecting.prints(&format!("\"error\":{},", QUEUED - u64::from(BAD)));
    holds(node, &broker.queue("error"), 0);
    holds(node, &broker.queue("picky"), BAD);
    holds(node, &format!("{}.dead", broker.queue("picky")), 0);

    node.rabbitmqctl(&["set_vm_memory_high_watermark", "0.4"]);
    publisher.says("takes logs again");
    publisher.end().exits(0).prints(&format!("total {LATER}"));
    counts(&run, QUEUED + LATER);
    rejecting.prints(&format!("\"error\":{},", QUEUED - u64::from(BAD) + LATER));
    holds(node, &broker.queue("picky"), 0);
    holds(node, &format!("{}.dead", broker.queue("picky")), BAD);
    let run = run.end_by(Signal::Terminate).exits(0).does_not_say("lost the connection");
    assert_eq!(total(&last_of_text(&run.stdout), "error"), Some(QUEUED + LATER), "{run}");
    let rejecting = rejecting.end_by(Signal::Terminate).exits(0).does_not_say("lost the connection");
    let last = rejecting.json().pop().expect("a metric");
    assert_eq!(last["rejected"]["error"], BAD, "{rejecting}");
}

#[track_caller]
fn counts(run: &Running, n: u64) {
    run.has_printed(|so_far| total(&last_of_text(so_far), "error") == Some(n));
}

/// Waits until a queue holds this many messages, those included that a consumer has in hand.
#[track_caller]
fn holds(node: &Node, queue: &str, n: u32) {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let queues = node.rabbitmqctl(&["list_queues", "name", "messages"]);
        let found =
            queues.lines().find_map(|line| line.strip_prefix(queue)?.strip_prefix('\t')?.parse::<u32>().ok());
        if found == Some(n) {
            return;
        }
        assert!(Instant::now() < deadline, "{queue} holds {found:?}, not {n}");
        // The broker does not say when a queue changes.
        thread::sleep(Duration::from_millis(100));
    }
}
