//! Waiting for the leader of a stream that was just declared.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::topology::error::TopologyError;

/// Within this, the leader is elected.
const ELECTED_WITHIN: Duration = Duration::from_secs(10);

/// The time between two looks whether it is.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The answer to `ask`, which is repeated for a while as long as no member of a stream is there that could be asked.
///
/// # Errors
///
/// If there is none even then, or the broker says no.
pub(crate) async fn when_elected<T, F>(ask: impl Fn() -> F) -> Result<T, TopologyError>
where
    F: Future<Output = Result<T, TopologyError>>,
{
    let elected = Instant::now() + ELECTED_WITHIN;
    loop {
        match ask().await {
            Err(error) if error.is_unavailable() && Instant::now() < elected => sleep(LOOK_EVERY).await,
            answer => return answer,
        }
    }
}
