//! The broker's response codes.

use std::fmt;

/// How the broker has answered, as in "Response Codes" of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseCode {
    /// It did what was asked.
    Ok,
    /// There is no stream of this name.
    StreamDoesNotExist,
    /// The connection has a subscription of this id.
    SubscriptionIdAlreadyExists,
    /// The connection has no subscription of this id.
    SubscriptionIdDoesNotExist,
    /// There is a stream of this name.
    StreamAlreadyExists,
    /// The stream has no member on this node, or its leader is not known.
    StreamNotAvailable,
    /// The broker does not let anybody log in this way.
    SaslMechanismNotSupported,
    /// The user or the password is wrong.
    AuthenticationFailure,
    /// The login was not understood.
    SaslError,
    /// The login goes on.
    SaslChallenge,
    /// The user may log in from the broker's machine only.
    SaslAuthenticationFailureLoopback,
    /// There is no such virtual host, or the user may not use it.
    VirtualHostAccessFailure,
    /// The broker does not know the command.
    UnknownFrame,
    /// The frame is longer than what was agreed on.
    FrameTooLarge,
    /// The broker has failed.
    InternalError,
    /// The user may not do this.
    AccessRefused,
    /// What was asked does not go with how things are.
    PreconditionFailed,
    /// The connection has no publisher of this id.
    PublisherDoesNotExist,
    /// No offset is stored under this name.
    NoOffset,
    /// Another one.
    Other(u16),
}

impl From<u16> for ResponseCode {
    fn from(code: u16) -> Self {
        match code {
            1 => Self::Ok,
            2 => Self::StreamDoesNotExist,
            3 => Self::SubscriptionIdAlreadyExists,
            4 => Self::SubscriptionIdDoesNotExist,
            5 => Self::StreamAlreadyExists,
            6 => Self::StreamNotAvailable,
            7 => Self::SaslMechanismNotSupported,
            8 => Self::AuthenticationFailure,
            9 => Self::SaslError,
            10 => Self::SaslChallenge,
            11 => Self::SaslAuthenticationFailureLoopback,
            12 => Self::VirtualHostAccessFailure,
            13 => Self::UnknownFrame,
            14 => Self::FrameTooLarge,
            15 => Self::InternalError,
            16 => Self::AccessRefused,
            17 => Self::PreconditionFailed,
            18 => Self::PublisherDoesNotExist,
            19 => Self::NoOffset,
            other => Self::Other(other),
        }
    }
}

/// In the words of the protocol.
impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::StreamDoesNotExist => "stream does not exist",
            Self::SubscriptionIdAlreadyExists => "subscription ID already exists",
            Self::SubscriptionIdDoesNotExist => "subscription ID does not exist",
            Self::StreamAlreadyExists => "stream already exists",
            Self::StreamNotAvailable => "stream not available",
            Self::SaslMechanismNotSupported => "SASL mechanism not supported",
            Self::AuthenticationFailure => "authentication failure",
            Self::SaslError => "SASL error",
            Self::SaslChallenge => "SASL challenge",
            Self::SaslAuthenticationFailureLoopback => "SASL authentication failure loopback",
            Self::VirtualHostAccessFailure => "virtual host access failure",
            Self::UnknownFrame => "unknown frame",
            Self::FrameTooLarge => "frame too large",
            Self::InternalError => "internal error",
            Self::AccessRefused => "access refused",
            Self::PreconditionFailed => "precondition failed",
            Self::PublisherDoesNotExist => "publisher does not exist",
            Self::NoOffset => "no offset",
            Self::Other(code) => return write!(f, "response code {code}"),
        })
    }
}

impl ResponseCode {
    /// What to do about it, if it is known, in the form in which it is appended to the text.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::StreamDoesNotExist => {
                "; declare it, or check its name and the virtual host: a queue of another type is no stream"
            }
            Self::StreamNotAvailable => {
                "; this node has no member of it, or its leader is being elected: ask again, or another node of the cluster"
            }
            Self::SaslMechanismNotSupported => {
                "; add it to auth_mechanisms of the broker; EXTERNAL needs its plugin rabbitmq_auth_mechanism_ssl and TLS"
            }
            Self::AuthenticationFailure => "; check the user and the password in the URL",
            Self::SaslAuthenticationFailureLoopback => {
                "; RabbitMQ lets guest in from its own machine only: use another user"
            }
            Self::VirtualHostAccessFailure => {
                "; make the virtual host with `rabbitmqctl add_vhost`, or let the user in there with `rabbitmqctl \
                 set_permissions -p VHOST`; it may also be down or have reached its limit of connections, which the \
                 broker's log says"
            }
            Self::AccessRefused => {
                "; let the user read it with `rabbitmqctl set_permissions`, whose last pattern is what may be read"
            }
            Self::UnknownFrame => "; the stream protocol of RabbitMQ 3.13 or later is needed",
            _ => "",
        }
    }
}
