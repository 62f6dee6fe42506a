//! `loghost replay` through AMQP 0-9-1 where the broker ends the connection with an internal error in the middle.

use libtest_mimic::Trial;

use super::{declare, metric, plugin, publish};
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::loghost;
use crate::support::metrics::errors;
use crate::support::relay::{Fault, Relay};

pub(super) fn trials() -> Vec<Trial> {
    on([Kind::RabbitMq], "replay::goes_on_at_full_speed_behind_an_internal_error", goes_on_at_full_speed)
}

/// How many messages `replay` asks for ahead.
const PREFETCH: u16 = 2048;

/// At the delivery behind so many, the connection ends.
const BEFORE: u32 = 500;

/// Enough for what was on its way when the connection ended, and more.
const LOGS: usize = 3000;

/// One by one up to what was on its way, as any of that may be the cause, and then as many as before.
fn goes_on_at_full_speed(broker: &Broker) {
    declare(broker, &plugin());
    let outside = broker.outside();
    publish(&outside, broker, &vec!["a log"; LOGS]);
    // The last chunk is looked at before.
    publish(&outside, broker, &["the last"]);
    let relay = Relay::before(broker.url(), Fault::DeliveringOnce(BEFORE));
    let connection = ["--broker", &relay.url(broker.url()), "--prefix", broker.prefix()];
    let past = loghost(["replay", "--format", "json", "--from", "first"]).args(connection).arg(plugin());
    let output = past.end().exits(0).says("is read again");
    assert_eq!(errors(&metric(&output)), [LOGS as u64 + 1, 0], "{output}");
    let prefetches = relay.prefetches();
    let reading = prefetches.iter().skip_while(|prefetch| **prefetch != PREFETCH);
    assert!(reading.eq(&[PREFETCH, 1, PREFETCH]), "{prefetches:?}: {output}");
}
