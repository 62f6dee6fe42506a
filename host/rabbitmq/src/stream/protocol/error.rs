//! What can go wrong on a connection that is open: what was asked is refused, or the connection is lost.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use loghost_core::domain::printable_line;

use crate::stream::protocol::code::ResponseCode;
use crate::stream::protocol::wire::TextTooLong;

/// Why something that was asked of the broker is not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StreamError {
    /// The connection has ended.
    #[error("lost the connection to {endpoint}: {loss}")]
    Lost {
        /// The broker.
        endpoint: Arc<str>,
        /// Why it has ended.
        loss: Loss,
    },
    /// The broker refuses it.
    #[error("{endpoint} refuses {what}: {code}{}", code.hint())]
    Refused {
        /// The broker.
        endpoint: Arc<str>,
        /// What was asked, with the name of the stream.
        what: String,
        /// The broker's answer.
        code: ResponseCode,
    },
    /// A subscription has ended, because the stream or its member on this node is gone: the stream was deleted, its leader
    /// has moved, or another node has its copy now.
    #[error(
        "{endpoint} no longer has the stream {}: {code}; it was deleted, or it is on another node now: ask where it is",
        printable_line(stream)
    )]
    Gone {
        /// The broker.
        endpoint: Arc<str>,
        /// The stream.
        stream: String,
        /// What the broker says of it.
        code: ResponseCode,
    },
    /// The broker does not answer.
    #[error("{endpoint} has not answered {what} within {}", humantime::format_duration(*waited))]
    Unanswered {
        /// The broker.
        endpoint: Arc<str>,
        /// What was asked, with the name of the stream.
        what: String,
        /// How long the answer was waited for.
        waited: Duration,
    },
    /// It cannot be sent.
    #[error("cannot ask {endpoint} for {what}: {reason}")]
    Unsendable {
        /// The broker.
        endpoint: Arc<str>,
        /// What was to be asked.
        what: String,
        /// What prevents it.
        reason: Unsendable,
    },
}

/// Why a command cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// A name is longer than texts in the protocol can be.
    #[error("{0}")]
    Text(String),
    /// The frame is longer than what was agreed on.
    #[error(
        "it takes {length} bytes, and {max} is the longest frame that was agreed on: raise stream.frame_max of the broker"
    )]
    Frame {
        /// Its length in bytes.
        length: usize,
        /// What was agreed on, in bytes.
        max: u32,
    },
    /// A connection has a number for each of its subscriptions, from 0 to 255.
    #[error("a connection has 256 subscriptions at most: open another one")]
    Subscriptions,
}

impl From<TextTooLong> for Unsendable {
    fn from(error: TextTooLong) -> Self {
        Self::Text(error.to_string())
    }
}

/// Why a connection has ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// This side has closed it.
    #[error("it is closed")]
    Closed,
    /// The broker has closed it, and said why.
    #[error("the broker has closed it: {} ({code}){}", printable_line(reason), code.hint())]
    ClosedByBroker {
        /// The broker's code.
        code: ResponseCode,
        /// The broker's words.
        reason: String,
    },
    /// The broker has ended it without a word.
    #[error("the broker has ended it")]
    Ended,
    /// A frame has begun whose rest does not come.
    #[error("the rest of a frame has not come within {}: its length may have been damaged on the way", humantime::format_duration(*.0))]
    Stalled(Duration),
    /// Nothing came for two intervals of heartbeats.
    #[error("nothing came for {}, not even a heartbeat", humantime::format_duration(*.0))]
    Silence(Duration),
    /// The network has failed.
    #[error("{0}")]
    Network(String),
    /// What came does not keep to the protocol.
    #[error("what came does not keep to the stream protocol: {0}")]
    Protocol(#[from] ProtocolError),
}

impl Loss {
    /// What it means that reading or writing has failed.
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Ended,
            _ => Self::Network(error.to_string()),
        }
    }
}

/// What is wrong with a frame of the broker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A frame or a value in it ends too early.
    #[error("a frame is shorter than what it says is in it")]
    Truncated,
    /// A frame is longer than what was agreed on, or a delivery than any chunk.
    #[error("a frame of {length} bytes, where {max} was agreed on")]
    TooLong {
        /// What the frame says, in bytes.
        length: u32,
        /// What was agreed on, in bytes.
        max: u32,
    },
    /// A command that nothing here has asked for.
    #[error("an unexpected command 0x{0:04x}")]
    Unexpected(u16),
    /// A version of a command that this side has not offered.
    #[error("version {version} of the command 0x{key:04x}, which was not offered")]
    Version {
        /// Its key.
        key: u16,
        /// Its version.
        version: u16,
    },
    /// An answer that belongs to another request.
    #[error("an answer 0x{answer:04x} to the request 0x{request:04x}")]
    Mismatch {
        /// The key of the answer.
        answer: u16,
        /// The key of the request.
        request: u16,
    },
    /// A chunk of no subscription that there is.
    #[error("a chunk for subscription {0}, which there is not: the number may have been damaged on the way")]
    Subscription(u8),
    /// More chunks than there was credit for.
    #[error("more chunks than the subscription has credit for")]
    Credit,
    /// A port that is none.
    #[error("a port that is no number from 0 to 65535")]
    Port,
}
