//! Sending one signal, metrics or traces, to its collector, and saying whether that takes it.

use std::sync::Arc;

use loghost_board::{Board, Signal};
use loghost_core::application::{Event, Notice, Observer};
use loghost_core::domain::printable_line;

use crate::collector::{Collector, NotTaken};
use crate::proto::{PartialSuccess, Resource, Scope};

/// The most characters of why something was rejected.
const MOST_REASON: usize = 1000;

/// Who is told, and what is said of this process.
pub(crate) struct Told {
    pub(crate) board: Arc<Board>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) resource: Resource,
    pub(crate) scope: Scope,
    pub(crate) version: &'static str,
}

impl Told {
    pub(crate) fn warn(&self, text: &str) {
        self.observer.observe(&Event::Notice(Notice::warning(text)));
    }
}

/// Sends one signal to a collector: says once that it does not take that, and once that it does again, and once that it
/// rejects parts.
pub(crate) struct SignalSender {
    collector: Collector,
    signal: Signal,
    pub(crate) told: Arc<Told>,
    is_failing: bool,
    has_rejected: bool,
}

impl SignalSender {
    pub(crate) fn new(collector: Collector, signal: Signal, told: &Arc<Told>) -> Self {
        Self { collector, signal, told: Arc::clone(told), is_failing: false, has_rejected: false }
    }

    /// Sends a message; returns how many of its parts were rejected.
    pub(crate) async fn send(&mut self, message: Vec<u8>) -> Result<u64, NotTaken> {
        let sent = self.collector.send(message).await;
        let (signal, consequence) = match self.signal {
            Signal::Metrics => ("metrics", "the next ones are complete again"),
            Signal::Traces => ("traces", "what it does not take is dropped, and counted"),
        };
        let address = self.collector.address();
        match &sent {
            Ok(_) if self.is_failing => {
                let text = format!("OpenTelemetry: {address} takes {signal} again");
                self.told.observer.observe(&Event::Notice(Notice::info(&text)));
            }
            Err(error) if !self.is_failing => self.told.warn(&format!(
                "OpenTelemetry: {address} does not take {signal}: {error}; {consequence}, and logs are consumed as before"
            )),
            _ => {}
        }
        self.is_failing = sent.is_err();
        if sent.is_err() {
            self.told.board.exports().failed(self.signal);
        }
        sent.map(|partial| self.rejected(&partial))
    }

    /// How many parts of a message were rejected; says it the first time.
    fn rejected(&mut self, PartialSuccess { rejected, error_message }: &PartialSuccess) -> u64 {
        let rejected = u64::try_from(*rejected).unwrap_or_default();
        if (rejected > 0 || !error_message.is_empty()) && !self.has_rejected {
            self.has_rejected = true;
            let parts = match self.signal {
                Signal::Metrics => "data points of metrics",
                Signal::Traces => "spans",
            };
            let why: String = error_message.chars().take(MOST_REASON).collect();
            let (address, why) = (self.collector.address(), printable_line(&why));
            self.told.warn(&format!("OpenTelemetry: {address} has rejected {rejected} {parts}: {why}"));
        }
        rejected
    }
}
