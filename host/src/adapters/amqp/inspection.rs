//! What a broker tells of a queue by another way than AMQP: what it is bound to.
//!
//! Knows what is told; not who is asked.

use std::fmt;

use futures_util::future::BoxFuture;

use super::connection::Connection;

/// Asks the broker what AMQP does not tell.
pub(crate) trait Inspect: fmt::Debug + Send + Sync {
    /// What the broker of a connection tells of a queue; none if it tells nothing, which is known after some
    /// seconds at most.
    fn inspect<'a>(&'a self, connection: &'a Connection, queue: &'a str)
    -> BoxFuture<'a, Option<Inspection>>;
}

/// What a broker tells of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inspection {
    /// All its bindings.
    pub(crate) bindings: Vec<Binding>,
}

/// A binding of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The exchange that it is bound to.
    pub(crate) exchange: String,
    /// The routing key, or the pattern of it.
    pub(crate) key: String,
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the exchange `{}` with the key `{}`", self.exchange, self.key)
    }
}
