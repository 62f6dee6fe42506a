//! A timer for a loop that waits for a time in each turn, mostly for the same.

use std::future::pending;
use std::pin::Pin;

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is kept from turn to turn, and set only when the time is another one: setting one in each turn would be a
/// large part of what a turn takes.
#[derive(Debug)]
pub(super) struct Timer(Pin<Box<Sleep>>);

impl Timer {
    pub(super) fn new() -> Self {
        Self(Box::pin(sleep_until(Instant::now())))
    }

    /// Is ready at this time; never without one.
    pub(super) async fn at(&mut self, time: Option<Instant>) {
        let Some(time) = time else { return pending().await };
        if self.0.deadline() != time {
            self.0.as_mut().reset(time);
        }
        self.0.as_mut().await;
    }
}
