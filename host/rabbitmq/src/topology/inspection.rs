//! What AMQP does not tell of a queue: what it is bound to, and which policies it has.
//!
//! Does not know where that comes from.

use std::fmt;

use futures_util::future::BoxFuture;

use crate::connection::open::Connection;
use crate::topology::delivery_limit::DeliveryLimit;

/// Asks the broker what AMQP does not tell.
pub trait Inspect: fmt::Debug + Send + Sync {
    /// What the broker of a connection tells of a queue; none if it tells nothing, which is known after some
    /// seconds at most.
    fn inspect<'a>(&'a self, connection: &'a Connection, queue: &'a str)
    -> BoxFuture<'a, Option<Inspection>>;
}

/// What a broker tells of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// All its bindings.
    pub bindings: Vec<Binding>,
    /// What applies to it; none if the broker does not know that yet.
    pub rules: Option<Rules>,
}

/// A binding of a queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Binding {
    /// The exchange that it is bound to.
    pub exchange: String,
    /// The routing key, or the pattern of it.
    pub key: String,
}

/// What applies to a queue beside its declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Which policy.
    pub policy: Policy,
    /// How often a message may be returned to it, by all of them.
    pub limit: DeliveryLimit,
}

/// The policy of a queue, and that of the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The name of the policy, if there is one.
    pub name: Option<String>,
    /// The name of the operator's policy, if there is one.
    pub operator: Option<String>,
    /// What results from both, as JSON.
    pub definition: String,
    /// The keys by which the queue drops messages that nobody has read.
    pub takes_out: Vec<&'static str>,
}
