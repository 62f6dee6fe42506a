//! The plugin, from the use cases' side.

use std::future::{Future, ready};

use crate::domain::{Descriptor, Measures, Metric, Processed, Record, Timestamp, printable_line};

/// A consumer: the plugin, from the use cases' side.
pub trait Consumer: Send {
    /// What it said when it was configured.
    fn descriptor(&self) -> &Descriptor;

    /// Whether it looks at the logs themselves. If not, [`process`](Self::process) is never called.
    fn processes(&self) -> bool;

    /// Whether it keeps something of its own between logs. If not, [`save`](Self::save) is never called, and
    /// [`restore`](Self::restore) only without a state.
    fn keeps_state(&self) -> bool;

    /// SHA-256 of its code, in hexadecimal.
    fn digest(&self) -> &str;

    /// Bytes of memory that it has, as far as that is known of it alone; 0 while it has none, after a failure.
    fn memory(&self) -> u64 {
        0
    }

    /// Shows it the next logs, or none at a tick.
    fn process(
        &mut self,
        now: Timestamp,
        batch: &[Record],
    ) -> impl Future<Output = Result<Processed, ConsumerError>> + Send;

    /// Has it write its metric.
    fn format_metric(
        &mut self,
        metric: &Metric,
    ) -> impl Future<Output = Result<String, ConsumerError>> + Send;

    /// Whether it has figures of its own for monitoring. If not, [`measure`](Self::measure) is never called.
    fn measures(&self) -> bool {
        false
    }

    /// Has it measure.
    fn measure(&mut self) -> impl Future<Output = Result<Measures, ConsumerError>> + Send {
        ready(Ok(Measures::default()))
    }

    /// What it keeps, as bytes. After a failure it goes on from what was saved or restored last.
    fn save(&mut self) -> impl Future<Output = Result<Vec<u8>, ConsumerError>> + Send;

    /// Starts it afresh with this state; without one, as it is when it has just been configured. After an
    /// error it goes on from what was saved or restored last; if it refused the state, the reason is its
    /// own words, and there is no backtrace.
    fn restore(&mut self, state: Option<&[u8]>) -> impl Future<Output = Result<(), ConsumerError>> + Send;
}

/// A call that did not come to its end, or whose answer breaks the contract. The consumer can be called
/// again: it starts afresh, with what was saved or restored last.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {}", printable_line(.reason))]
pub struct ConsumerError {
    /// The function that was called.
    pub call: &'static str,
    /// What happened; may be the consumer's own words.
    pub reason: String,
    /// Where in its code, one frame a line; none if it did not trap.
    pub backtrace: Option<String>,
}
