//! Whose fault an error is, by the broker's answer, and whether the same may succeed later.

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use loghost_core::application::SourceError;

/// A connection that has ended before there was an answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection has ended")]
pub struct ConnectionEnded;

impl From<ConnectionEnded> for SourceError {
    fn from(ended: ConnectionEnded) -> Self {
        Self::Lost(ended.into())
    }
}

/// Whose fault it is that a channel or a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The broker's or the network's: the same may succeed the next time.
    Elsewhere,
    /// There is no exchange or queue of the name that was used.
    Missing,
    /// This side's: in something that was sent.
    Ours,
    /// The user may not do this.
    Permission,
}

/// Whose fault an error is.
pub(crate) fn fault(error: &lapin::Error) -> Fault {
    let answer = match error.kind() {
        ErrorKind::ProtocolError(answer) => answer,
        ErrorKind::SerialisationError(_) => return Fault::Ours,
        _ => return Fault::Elsewhere,
    };
    match answer.kind() {
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Fault::Permission,
        _ if is_momentary(answer.kind(), answer.get_message().as_str()) => Fault::Elsewhere,
        AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => Fault::Missing,
        // A broker answers with the latter two to frames that were sent before it was known that the channel is closed.
        AMQPErrorKind::Hard(
            AMQPHardError::CONNECTIONFORCED
            | AMQPHardError::INTERNALERROR
            | AMQPHardError::CHANNELERROR
            | AMQPHardError::UNEXPECTEDFRAME,
        ) => Fault::Elsewhere,
        AMQPErrorKind::Soft(_) | AMQPErrorKind::Hard(_) => Fault::Ours,
    }
}

/// Whether an error may pass without anybody doing something. `RabbitMQ` answers that a queue is not found while its node
/// is down (version 4 does so after a minute, and mentions the timeout) or its process starts, and that something is not
/// allowed while a limit is reached.
fn is_momentary(kind: &AMQPErrorKind, text: &str) -> bool {
    match kind {
        AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => {
            ["is down", "by supervisor", "due to timeout"].iter().any(|words| text.contains(words))
        }
        AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => text.contains("queue limit in vhost"),
        AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => is_at_a_limit(text),
        _ => false,
    }
}

/// Whether an answer says that a limit is reached. It goes by whole phrases: the name of a queue may contain `limit`.
fn is_at_a_limit(text: &str) -> bool {
    [") is reached", "has reached the maximum allowed", "connection limit cannot be queried"]
        .iter()
        .any(|words| text.contains(words))
}

/// Whether the broker has failed at what it was asked for: `INTERNAL_ERROR`, by which it ends the whole connection.
pub(crate) fn is_internal(error: &lapin::Error) -> bool {
    let internal = AMQPErrorKind::Hard(AMQPHardError::INTERNALERROR);
    matches!(error.kind(), ErrorKind::ProtocolError(answer) if *answer.kind() == internal)
}

/// What went wrong, in the broker's words where it had any.
pub(crate) fn reason(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(answer) => answer.get_message().to_string(),
        _ => error.to_string(),
    }
}

/// The error of a source whose channel or connection has ended.
pub(crate) fn lost(error: &lapin::Error) -> SourceError {
    SourceError::Lost(reason(error).into())
}

/// Whether a broker that refuses a connection with this error may accept one soon: `RabbitMQ` listens before its virtual
/// hosts are up, and for a moment while it shuts down.
pub(crate) fn is_passing(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(answer) = error.kind() else { return false };
    let text = answer.get_message().as_str();
    let refused = matches!(answer.kind(), AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED))
        || matches!(answer.kind(), AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED));
    !refused || text.contains("is down") || is_at_a_limit(text)
}
