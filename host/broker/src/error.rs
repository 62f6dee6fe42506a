//! The error of a request that is refused: a reply code of the specification and a text. The code decides whether the
//! channel or the connection is closed.

use std::fmt;

use thiserror::Error;

/// A refusal, as `channel.close` or `connection.close` will carry it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{code} - {text}")]
pub(crate) struct AmqpError {
    pub(crate) code: Code,
    pub(crate) text: String,
}

/// The reply codes in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    AccessRefused = 403,
    NotFound = 404,
    ResourceLocked = 405,
    PreconditionFailed = 406,
    ConnectionForced = 320,
    FrameError = 501,
    SyntaxError = 502,
    CommandInvalid = 503,
    ChannelError = 504,
    UnexpectedFrame = 505,
    ResourceError = 506,
    NotAllowed = 530,
    NotImplemented = 540,
}

/// What a refusal ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Channel,
    Connection,
}

impl AmqpError {
    pub(crate) fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    pub(crate) fn access_refused(text: impl Into<String>) -> Self {
        Self::new(Code::AccessRefused, text)
    }

    /// It does not exist, or would in `RabbitMQ`: direct reply-to.
    pub(crate) fn no_queue(name: &str) -> Self {
        if name.starts_with("amq.rabbitmq.reply-to") {
            return Self::not_implemented(format!("direct reply-to: queue '{name}'"));
        }
        Self::new(Code::NotFound, format!("no queue '{name}' in vhost '{VIRTUAL_HOST}'"))
    }

    /// It does not exist, or would in `RabbitMQ`: the predeclared headers exchanges.
    pub(crate) fn no_exchange(name: &str) -> Self {
        if matches!(name, "amq.headers" | "amq.match") {
            return Self::not_implemented(format!("headers exchanges: exchange '{name}'"));
        }
        Self::new(Code::NotFound, format!("no exchange '{name}' in vhost '{VIRTUAL_HOST}'"))
    }

    pub(crate) fn precondition(text: impl Into<String>) -> Self {
        Self::new(Code::PreconditionFailed, text)
    }

    pub(crate) fn not_implemented(text: impl Into<String>) -> Self {
        Self::new(Code::NotImplemented, text)
    }

    pub(crate) fn unexpected_frame(text: impl Into<String>) -> Self {
        Self::new(Code::UnexpectedFrame, text)
    }

    pub(crate) fn command_invalid(text: impl Into<String>) -> Self {
        Self::new(Code::CommandInvalid, text)
    }

    /// `RabbitMQ`'s words for a declaration that contradicts what exists.
    pub(crate) fn inequivalent(
        argument: &str,
        kind: &str,
        name: &str,
        received: &impl fmt::Display,
        current: &impl fmt::Display,
    ) -> Self {
        Self::precondition(format!(
            "inequivalent arg '{argument}' for {kind} '{name}' in vhost '{VIRTUAL_HOST}': \
             received {received} but current is {current}"
        ))
    }

    /// The reply text, `NOT_FOUND - no queue ...`, cut to what a short string holds.
    pub(crate) fn reply_text(&self) -> String {
        let mut text = self.to_string();
        text.truncate(text.floor_char_boundary(255));
        text
    }
}

/// The one virtual host.
pub(crate) const VIRTUAL_HOST: &str = "/";

impl Code {
    pub(crate) fn id(self) -> u16 {
        self as u16
    }

    pub(crate) fn scope(self) -> Scope {
        match self {
            Self::AccessRefused | Self::NotFound | Self::ResourceLocked | Self::PreconditionFailed => {
                Scope::Channel
            }
            Self::ConnectionForced
            | Self::FrameError
            | Self::SyntaxError
            | Self::CommandInvalid
            | Self::ChannelError
            | Self::UnexpectedFrame
            | Self::ResourceError
            | Self::NotAllowed
            | Self::NotImplemented => Scope::Connection,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessRefused => "ACCESS_REFUSED",
            Self::NotFound => "NOT_FOUND",
            Self::ResourceLocked => "RESOURCE_LOCKED",
            Self::PreconditionFailed => "PRECONDITION_FAILED",
            Self::ConnectionForced => "CONNECTION_FORCED",
            Self::FrameError => "FRAME_ERROR",
            Self::SyntaxError => "SYNTAX_ERROR",
            Self::CommandInvalid => "COMMAND_INVALID",
            Self::ChannelError => "CHANNEL_ERROR",
            Self::UnexpectedFrame => "UNEXPECTED_FRAME",
            Self::ResourceError => "RESOURCE_ERROR",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::NotImplemented => "NOT_IMPLEMENTED",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_text_fits_a_short_string_and_keeps_characters_whole() {
        let error = AmqpError::no_queue(&"ж".repeat(127));
        let text = error.reply_text();
        assert!(text.len() <= 255 && text.len() > 250, "{}", text.len());
        assert!(text.starts_with("NOT_FOUND - no queue 'жж"));
    }
}
