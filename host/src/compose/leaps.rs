//! Says when the system's clock leaps.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::sleep;

use crate::platform::clock::{Leap, LeapWatch};
use crate::ui::terminal;

/// How often the clock is looked at.
const EVERY: Duration = Duration::from_secs(5);

/// Says each leap of the system's clock, and what it means; for as long as it is polled.
pub(crate) async fn tell_leaps() -> Infallible {
    let mut watch = LeapWatch::new();
    loop {
        sleep(EVERY).await;
        let Some(leap) = watch.look() else { continue };
        let (way, by) = match leap {
            Leap::Forward(by) => ("forward", by),
            Leap::Back(by) => ("back", by),
        };
        // Reading the two clocks takes its time.
        let by = (by + Duration::from_millis(500)).as_secs();
        let by = humantime::format_duration(Duration::from_secs(by));
        terminal::warning(&format!(
            "the system's clock has leapt {way} by {by} (it was set, or the machine slept): nothing is forgotten, \
             tried again or ended for that; the times in logs follow the clock"
        ));
    }
}
