//! Why something cannot be declared, and what to do about it.

use loghost_core::application::{BoxError, SourceError};

use crate::connection::advice;
use crate::connection::error::ConnectError;
use crate::connection::fault::{ConnectionEnded, Fault, fault, reason};
use crate::stream::protocol::code::ResponseCode;
use crate::stream::protocol::connect_error::StreamConnectError;
use crate::stream::protocol::error::StreamError;

/// Something that cannot be declared.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// The broker does not do what it is asked to.
    #[error("cannot {action}: {reason}{}", hint(.action, .reason, *.fault))]
    Failed {
        /// What it was asked to do.
        action: String,
        /// What it said.
        reason: String,
        /// Whose fault it is.
        fault: Fault,
    },
    /// There is no exchange that is to be published to.
    #[error("there is no exchange `{0}`: it has to be declared first, or its name is another one")]
    NoExchange(String),
    /// A stream has less than a consumer has read of it.
    #[error(
        "the stream `{stream}` ends at offset {last}, and this consumer has read it up to offset {}: it was deleted and made again; its logs are \
         read from its beginning with `--restart --from first` (counts begin at zero), or with another folder of `--state`",
        .offset.saturating_sub(1)
    )]
    StreamIsShorter {
        /// The stream.
        stream: String,
        /// The first offset that was not read.
        offset: u64,
        /// Its last offset.
        last: u64,
    },
    /// A stream has not what a consumer has read of it.
    #[error(
        "the stream `{stream}` is not the one that this consumer has read up to offset {}: it was deleted and made again; its logs are read from \
         its beginning with `--restart --from first` (counts begin at zero), or with another folder of `--state`",
        .offset.saturating_sub(1)
    )]
    StreamIsAnother {
        /// The stream.
        stream: String,
        /// The first offset that was not read.
        offset: u64,
    },
    /// There are no streams to read.
    #[error(
        "there is no stream `{}`: `loghost run PLUGIN --declare-only --queue-type stream` makes the streams of a plugin, which \
         have what is published from then on; RabbitMQ has streams from 3.9 on, the embedded broker has none",
        .0.join("`, `")
    )]
    NoStream(Vec<String>),
    /// There is no connection in the stream protocol.
    #[error("{error}{advice}")]
    NoStreamConnection {
        /// Why.
        error: StreamConnectError,
        /// What to do about it, beside what the error says.
        advice: &'static str,
    },
    /// The broker does not do what it is asked to in the stream protocol.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// It cannot be kept what a queue is bound to, and so it is not bound.
    #[error("cannot keep which exchanges the queue `{queue}` is bound to")]
    NotRecorded {
        /// The queue.
        queue: String,
        /// Why.
        source: BoxError,
    },
    /// The connection has ended before the broker said anything.
    #[error(transparent)]
    ConnectionEnded(#[from] ConnectionEnded),
    /// There is no connection.
    #[error(transparent)]
    NoConnection(#[from] ConnectError),
}

impl TopologyError {
    /// Whether the broker refused it, and would do so again.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Failed { fault, .. } => matches!(fault, Fault::Ours | Fault::Permission),
            Self::NoConnection(error) => error.is_refusal(),
            Self::StreamIsShorter { .. }
            | Self::StreamIsAnother { .. }
            | Self::NoStream(_)
            | Self::NoExchange(_)
            | Self::NotRecorded { .. } => true,
            Self::NoStreamConnection { error, .. } => error.obstacle().is_lasting(),
            Self::Stream(_) => self.is_access_refused(),
            Self::ConnectionEnded(_) => false,
        }
    }

    /// Whether the user may not do it.
    pub(crate) fn is_access_refused(&self) -> bool {
        match self {
            Self::Failed { fault, .. } => *fault == Fault::Permission,
            Self::Stream(StreamError::Refused { code, .. }) => *code == ResponseCode::AccessRefused,
            _ => false,
        }
    }

    /// Whether no member of a stream is there that could be asked: its leader is being elected, or, in `RabbitMQ`'s words through
    /// AMQP 0-9-1, another consumer has just declared it.
    pub(crate) fn is_unavailable(&self) -> bool {
        match self {
            Self::Stream(StreamError::Refused { code, .. }) => *code == ResponseCode::StreamNotAvailable,
            Self::Failed { reason, .. } => reason.contains("does not have a replica on the local node"),
            _ => false,
        }
    }

    /// Whether there is no exchange or queue of the name that was used.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Failed { fault: Fault::Missing, .. })
    }

    /// Whether the broker refused it, and may not do so again soon.
    pub fn is_momentary(&self) -> bool {
        matches!(self, Self::Failed { fault: Fault::Elsewhere | Fault::Missing, .. })
    }
}

impl From<TopologyError> for SourceError {
    fn from(error: TopologyError) -> Self {
        match error {
            error if error.is_refusal() => Self::Refused(error.into()),
            TopologyError::Stream(StreamError::Lost { .. }) | TopologyError::ConnectionEnded(_) => {
                Self::Lost(error.into())
            }
            TopologyError::Failed { .. }
            | TopologyError::StreamIsShorter { .. }
            | TopologyError::StreamIsAnother { .. }
            | TopologyError::NoStream(_)
            | TopologyError::NoExchange(_)
            | TopologyError::NotRecorded { .. }
            | TopologyError::NoStreamConnection { .. }
            | TopologyError::Stream(_) => Self::NotReady(error.into()),
            TopologyError::NoConnection(error) => Self::Unavailable(error.into()),
        }
    }
}

impl From<StreamError> for SourceError {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Gone { .. } => Self::Cancelled(error.into()),
            _ => Self::Lost(error.into()),
        }
    }
}

/// What is done to declare a queue that only its reader uses.
pub(crate) const OWN_QUEUE: &str = "declare a queue of its own";

/// What to do about it, where the broker's answer tells.
fn hint(action: &str, reason: &str, fault: Fault) -> String {
    if fault != Fault::Permission || advice::advice(reason).is_some() {
        return advice::hint(reason);
    }
    let by_another = ", or somebody who has that runs `loghost run PLUGIN --declare-only`";
    let of_stream = ", or somebody who has that runs `loghost run PLUGIN --declare-only --queue-type stream`";
    // A queue of a reader's own, which nobody else can set up; the broker names it.
    let is_own = action == OWN_QUEUE || action.contains(" `amq.gen-");
    let by_another = if is_own { "" } else { by_another };
    // The first word of the action says which permission is needed.
    let (needed, otherwise) = match action.split(' ').next() {
        Some("declare") if action.starts_with("declare the stream") => {
            ("the permission to configure it", of_stream)
        }
        Some("declare") if action.starts_with("declare the exclusive queue") => {
            ("the permission to configure it", "")
        }
        Some("declare" | "delete") => ("the permission to configure it", by_another),
        Some("bind" | "unbind") => {
            ("the permissions to write to the queue and to read the exchange", by_another)
        }
        Some("consume") => ("the permission to read it", ""),
        Some("write") => ("the permission to write to it", ""),
        _ => ("more permissions", ""),
    };
    format!("; the user needs {needed} (`rabbitmqctl set_permissions`){otherwise}")
}

/// The error where the broker does not do `action`.
pub(crate) fn failed(action: String, error: &lapin::Error) -> TopologyError {
    TopologyError::Failed { action, reason: reason(error), fault: fault(error) }
}
