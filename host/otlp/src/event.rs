//! What happens while signals are sent to a collector: data for whoever observes.

use loghost_board::Signal;

/// What happens to what is sent to a collector: the adapter's [event](loghost_core::application::Event::Adapter).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportEvent {
    /// A collector does not take a signal. Told once, until it does again.
    NotTaken {
        /// Where the collector is.
        address: String,
        /// What it does not take.
        signal: Signal,
        /// Why.
        cause: String,
    },
    /// It takes the signal again.
    TakenAgain {
        /// Where the collector is.
        address: String,
        /// What it takes.
        signal: Signal,
    },
    /// A collector has taken a message but for some parts. Told once for each signal.
    PartsRejected {
        /// Where the collector is.
        address: String,
        /// Which signal they are of.
        signal: Signal,
        /// How many data points, or spans.
        parts: u64,
        /// Why, in the collector's words.
        cause: String,
    },
    /// Spans come faster than the collector takes them, and are dropped. Told once.
    SpansDropped,
    /// So many spans were dropped in a run, which ends.
    SpansWereDropped(u64),
}
