//! What is known of a connection, and of what is published on it.

use loghost_core::application::{ConnectionEvent, PublisherEvent};

/// A connection for one purpose.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// Whether there is one.
    pub is_up: bool,
    /// Where to, if it was made once; without a password.
    pub address: Option<String>,
    /// Why there is none, if it is known.
    pub cause: Option<String>,
    /// Why the broker takes nothing that is published on it, if so.
    pub blocked: Option<String>,
    /// How often it was made again.
    pub reconnects: u64,
    /// How many attempts to make it failed.
    pub failures: u64,
    /// How many logs of consumers were confirmed on it.
    pub confirmed: u64,
    /// How often one was refused for now.
    pub refused: u64,
    /// How many will not be taken.
    pub given_up: u64,
}

impl Connection {
    pub(crate) fn note(&mut self, event: &ConnectionEvent<'_>) {
        match event {
            ConnectionEvent::Connected { address, failed_attempts } => {
                self.failures = self.failures.max(u64::from(*failed_attempts));
                self.up(address);
            }
            ConnectionEvent::Reconnected { address, .. } => {
                self.reconnects += 1;
                self.up(address);
            }
            ConnectionEvent::Lost { cause } => self.down(cause),
            ConnectionEvent::Failed { cause, .. } => {
                self.failures += 1;
                self.down(cause);
            }
            // Another address is used.
            ConnectionEvent::Skipped { .. } => {}
            ConnectionEvent::Blocked { cause } => self.blocked = Some((*cause).to_owned()),
            ConnectionEvent::Unblocked => self.blocked = None,
        }
    }

    pub(crate) fn note_published(&mut self, event: &PublisherEvent<'_>) {
        match event {
            PublisherEvent::Confirmed(_) => self.confirmed += 1,
            PublisherEvent::Refused(..) => self.refused += 1,
            PublisherEvent::GivenUp(..) => self.given_up += 1,
            PublisherEvent::HoldingBack(..) | PublisherEvent::CaughtUp => {}
        }
    }

    fn up(&mut self, address: &str) {
        self.is_up = true;
        self.address = Some(address.to_owned());
        self.cause = None;
    }

    fn down(&mut self, cause: &str) {
        self.is_up = false;
        self.cause = Some(cause.to_owned());
        // Of the next one it is told again.
        self.blocked = None;
    }
}
