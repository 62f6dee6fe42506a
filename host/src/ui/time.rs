//! Points in time, for people.

use std::fmt::Display;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use loghost_core::domain::Timestamp;

/// The latest time that is written as a date.
const LAST_DATE: u64 = 253_402_300_799_999;

/// A time as a date in this format; milliseconds since the Unix epoch, where that has none.
pub(crate) fn date<T: Display>(at: Timestamp, format: fn(SystemTime) -> T) -> String {
    match at.as_millis() {
        millis @ ..=LAST_DATE => format(UNIX_EPOCH + Duration::from_millis(millis)).to_string(),
        millis => millis.to_string(),
    }
}
