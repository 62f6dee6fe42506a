//! What observers are told.

use std::sync::{Arc, Mutex};

use loghost_core::application::{ConsumerEvent, Event, Observer};
use loghost_core::domain::{Severity, Tally};

use crate::case::{Case, log};

/// What the events of a run come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    received: usize,
    logs: Tally,
    processed: usize,
    retrying: usize,
    dead_lettered: usize,
    committed: usize,
    acknowledged: usize,
    opened: usize,
    ended: usize,
}

#[derive(Default)]
struct Adder(Mutex<Sums>);

impl Observer for Adder {
    fn observe(&self, event: &Event<'_>) {
        let Event::Consumer(_, event) = event else { return };
        let mut sums = self.0.lock().unwrap();
        match event {
            ConsumerEvent::Received { deliveries, logs } => {
                sums.received += deliveries;
                sums.logs += *logs;
            }
            ConsumerEvent::Processed { logs, .. } => sums.processed += logs,
            ConsumerEvent::Retrying(n) => sums.retrying += n,
            ConsumerEvent::DeadLettered(_) => sums.dead_lettered += 1,
            ConsumerEvent::Committed { deliveries, .. } => sums.committed += deliveries,
            ConsumerEvent::Acknowledged { deliveries, .. } => sums.acknowledged += deliveries,
            ConsumerEvent::Opening { .. } => sums.opened += 1,
            ConsumerEvent::Ended(None) => sums.ended += 1,
            _ => {}
        }
    }
}

/// Whoever counts by the events comes to the same figures.
#[tokio::test(start_paused = true)]
async fn events_add_up() {
    let burst = vec![log(1, "a"), log(2, "skip"), log(3, "reject"), log(4, "once"), log(5, "retry")];
    let adder = Arc::new(Adder::default());
    let observer: Arc<dyn Observer> = adder.clone();
    Case { observer, ..Case::new(vec![(0, burst)]) }.run().await;
    let mut logs = Tally::default();
    logs[Severity::Error] = 5;
    let expected = Sums {
        received: 5,
        logs,
        // Three attempts at one of them, two at another.
        processed: 5 + 2 + 1,
        retrying: 2 + 1,
        dead_lettered: 2,
        committed: 5,
        acknowledged: 5,
        opened: 1,
        ended: 1,
    };
    assert_eq!(*adder.0.lock().unwrap(), expected);
}
