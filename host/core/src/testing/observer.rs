//! An observer.

use super::Calls;
use crate::application::{ConsumerEvent, Event, Observer, Uncounted};

/// Records what goes wrong, and what is not counted.
#[derive(Debug, Default)]
pub struct FakeObserver(pub Calls);

impl Observer for FakeObserver {
    fn observe(&self, event: &Event<'_>) {
        let Event::Consumer(_, event) = event else { return };
        match event {
            ConsumerEvent::Stopped(error, delay) => {
                self.0.record(|| format!("stopped for {delay:?}: {error}"));
            }
            ConsumerEvent::Recovered => self.0.record(|| "recovered"),
            ConsumerEvent::Reopening(error) => self.0.record(|| format!("reopening: {error}")),
            ConsumerEvent::NotCounted(reason, _) => self.0.record(|| format!("not counted: {reason}")),
            ConsumerEvent::LeftUncounted(Uncounted { foreign, undeliverable, unwanted }, _) => {
                self.0.record(|| {
                    format!("left uncounted: {foreign} foreign, {undeliverable} undeliverable, {unwanted} unwanted")
                });
            }
            ConsumerEvent::PassedBy(logs) => self.0.record(|| format!("left uncounted: {logs} passed by")),
            ConsumerEvent::Paused => self.0.record(|| "paused"),
            ConsumerEvent::Resumed => self.0.record(|| "resumed"),
            _ => {}
        }
    }
}
