//! Whoever reads what streams have waits for the leader of one that was just declared, as `run` does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libtest_mimic::Trial;

use super::{declare, metric, plugin, publish, replay};
use crate::support::broker::{Broker, Kind, on};
use crate::support::frames::FrameProxy;
use crate::support::metrics::errors;

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = on([Kind::Stream], "replay::waits_for_a_leader", waits_for_a_leader);
    trials.extend(on([Kind::Stream], "replay::does_not_wait_for_ever", does_not_wait_for_ever));
    trials
}

/// The answer to a question for the figures of a stream, behind the length of its frame.
const STATISTICS: [u8; 4] = [0x80, 28, 0, 1];

/// Where its code is, behind a correlation id; and the code where the leader is being elected.
const CODE: usize = 4 + STATISTICS.len() + 4;
const NOT_AVAILABLE: [u8; 2] = [0, 6];

/// A proxy in front of the stream protocol that has the broker say so often that there is no leader; and how often it was asked.
fn unelected(broker: &Broker, times: u64) -> (FrameProxy, Arc<AtomicU64>) {
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    let proxy = FrameProxy::new(broker.stream_port().expect("the stream protocol"), move |frame| {
        if frame[4..].starts_with(&STATISTICS) && count.fetch_add(1, Ordering::Relaxed) < times {
            frame[CODE..CODE + 2].copy_from_slice(&NOT_AVAILABLE);
        }
    });
    (proxy, asked)
}

fn waits_for_a_leader(broker: &Broker) {
    declare(broker, &plugin());
    publish(&broker.outside(), broker, &["one", "two", "three"]);
    let from = ["--from", "first"];
    let (proxy, asked) = unelected(broker, 5);
    let output = replay(broker, [&plugin()]).args(from).args(["--stream-address", proxy.address()]);
    assert_eq!(errors(&metric(&output.end().exits(0))), [3, 0]);
    assert!(asked.load(Ordering::Relaxed) > 5);
    for look in [["tail", "--max-logs", "3"], ["record", "--max-logs", "3"]] {
        let (proxy, asked) = unelected(broker, 5);
        let look = broker.loghost(look).args(["--severity", "error"]).args(from);
        look.args(["--stream-address", proxy.address()]).end().exits(0).prints("three");
        assert!(asked.load(Ordering::Relaxed) > 5);
    }
}

fn does_not_wait_for_ever(broker: &Broker) {
    declare(broker, &plugin());
    let (proxy, _) = unelected(broker, u64::MAX);
    let output = replay(broker, [&plugin()]).args(["--from", "first", "--stream-address", proxy.address()]);
    output.end().exits(69).says("stream not available");
}
