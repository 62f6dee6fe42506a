//! Why a message cannot be received or published through AMQP 1.0.

use std::io;

use loghost_stream::MessageError;

use crate::connection::transport::TransportError;

/// Why a message cannot be received or published through AMQP 1.0.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Amqp10Error {
    /// There is no connection in the network.
    #[error(transparent)]
    NoTransport(#[from] TransportError),
    /// The connection has ended.
    #[error("the connection has ended: {0}")]
    Ended(#[from] io::Error),
    /// The broker does not speak AMQP 1.0.
    #[error(
        "the broker does not speak it; RabbitMQ before version 4 does with its plugin: `rabbitmq-plugins enable rabbitmq_amqp1_0`"
    )]
    NotSpoken,
    /// The URL names a way to log in that is not known here.
    #[error("auth_mechanism={0} cannot be used for AMQP 1.0, only plain and external")]
    Mechanism(String),
    /// The broker does not accept the user.
    #[error("the broker refuses the login")]
    Login,
    /// The broker refuses what it was asked for, in its words.
    #[error("the broker refuses: {0}")]
    Refused(String),
    /// Something arrived that is no frame.
    #[error("a frame of {0} bytes")]
    Frame(usize),
    /// A frame holds something that cannot be read.
    #[error("a frame that cannot be read: {0}")]
    Damaged(#[from] MessageError),
    /// A message is larger than any that is kept.
    #[error("the message has more than {0} bytes")]
    TooLarge(usize),
    /// The broker does not answer in time.
    #[error("no answer in time")]
    Silent,
}
