//! What plugins measure themselves, which is asked for when somebody wants to know: they tell it by events.

use std::time::Duration;

use futures_util::future::BoxFuture;
use loghost_core::domain::ConsumerName;

use crate::Board;

/// How long consumers are waited for: no scrape fails because a plugin is slow.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Asks consumers for what they measure.
pub trait Measuring: Send + Sync {
    /// Has these consumers measure, each unless it has done so a moment ago. Waits until they have, but no longer than
    /// `within`.
    fn measure(&self, consumers: Vec<ConsumerName>, within: Duration) -> BoxFuture<'_, ()>;
}

impl Board {
    /// Has the figures that plugins have of their own brought up to date, as far as that can be soon.
    pub async fn measure(&self, measuring: &dyn Measuring) {
        let able = self.map(|name, consumer| consumer.can_measure().then(|| name.clone()));
        let able: Vec<ConsumerName> = able.into_iter().flatten().collect();
        if !able.is_empty() {
            measuring.measure(able, TIMEOUT).await;
        }
    }
}
