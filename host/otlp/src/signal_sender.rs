//! Sending one signal, metrics or traces, to its collector, and saying whether that takes it.

use std::sync::Arc;

use loghost_board::{Board, Signal};
use loghost_core::application::{Event, Observer};

use crate::collector::{Collector, NotTaken};
use crate::event::ExportEvent;
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
    pub(crate) fn tell(&self, event: &ExportEvent) {
        self.observer.observe(&Event::Adapter(None, event));
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
        let (address, signal) = (self.collector.address().clone(), self.signal);
        match &sent {
            Ok(_) if self.is_failing => self.told.tell(&ExportEvent::TakenAgain { address, signal }),
            Err(error) if !self.is_failing => {
                self.told.tell(&ExportEvent::NotTaken { address, signal, cause: error.to_string() });
            }
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
            let cause = error_message.chars().take(MOST_REASON).collect();
            let (address, signal) = (self.collector.address().clone(), self.signal);
            self.told.tell(&ExportEvent::PartsRejected { address, signal, parts: rejected, cause });
        }
        rejected
    }
}
