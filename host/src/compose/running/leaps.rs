//! Tells when the system's clock leaps.

use std::convert::Infallible;
use std::time::Duration;

use loghost_core::application::{Event, Observer, RunEvent};
use tokio::time::sleep;

use crate::platform::clock::LeapWatch;

/// How often the clock is looked at.
const EVERY: Duration = Duration::from_secs(5);

/// Tells of each leap of the system's clock, for as long as it is polled.
pub(crate) async fn tell_leaps(observer: &dyn Observer) -> Infallible {
    let mut watch = LeapWatch::new();
    loop {
        sleep(EVERY).await;
        if let Some(leap) = watch.look() {
            observer.observe(&Event::Run(RunEvent::ClockLeapt(leap)));
        }
    }
}
