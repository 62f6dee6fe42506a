//! Repeating a request that the broker cannot answer at the moment.

use backon::BackoffBuilder;
use futures_util::future::BoxFuture;
use loghost_core::application::{Event, Observer};
use tokio::time::{Instant, sleep};

use crate::connection::reconnect::{DELAYS, Retry};
use crate::topology::error::TopologyError;
use crate::topology::event::TopologyEvent;

impl Retry {
    /// The answer to `ask`, which is repeated while the broker cannot answer yet, until the timeout; once where there is
    /// none. The `observer` is told what is waited for.
    pub async fn until_ready<'a, T>(
        self,
        observer: &dyn Observer,
        ask: impl Fn() -> BoxFuture<'a, Result<T, TopologyError>>,
    ) -> Result<T, TopologyError> {
        let (began, mut delays, mut told) = (Instant::now(), DELAYS.build(), None);
        loop {
            let error = match ask().await {
                Err(error) if error.is_momentary() => error,
                answer => return answer,
            };
            let left = self.timeout().unwrap_or_default().saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(error);
            }
            let event = TopologyEvent::NotReady { cause: error.to_string() };
            if told.as_ref() != Some(&event) {
                observer.observe(&Event::Adapter(None, &event));
                told = Some(event);
            }
            // There is always a next one.
            sleep(delays.next().unwrap_or_default().min(left)).await;
        }
    }
}
