//! The client of a connection, and refusals that are sent to it.

use std::sync::Arc;

use amq_protocol::protocol::{AMQPClass, channel, connection};

use crate::{
    error::AmqpError,
    method::MethodId,
    outbox::Outbox,
    shared::Shared,
    state::{self, arena::Key},
};

/// The client, as its channels use it. Dropping it requeues its unacknowledged deliveries.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) shared: Arc<Shared>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) connection: Key<state::Connection>,
}

/// An error and the method that it is about.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: AmqpError,
    pub(crate) about: MethodId,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shared.state().close_connection(self.connection);
    }
}

impl Refusal {
    pub(crate) fn connection_close(&self) -> AMQPClass {
        AMQPClass::Connection(connection::AMQPMethod::Close(connection::Close {
            reply_code: self.error.code.id(),
            reply_text: self.error.reply_text().into(),
            class_id: self.about.class,
            method_id: self.about.method,
        }))
    }

    pub(crate) fn channel_close(&self) -> AMQPClass {
        AMQPClass::Channel(channel::AMQPMethod::Close(channel::Close {
            reply_code: self.error.code.id(),
            reply_text: self.error.reply_text().into(),
            class_id: self.about.class,
            method_id: self.about.method,
        }))
    }
}
