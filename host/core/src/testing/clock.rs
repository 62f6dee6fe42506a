//! A clock that stands still.

use crate::application::Clock;
use crate::domain::Timestamp;

/// Always shows the same time: 7 ms.
#[derive(Clone, Copy, Debug)]
pub struct FakeClock;

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(7)
    }
}
