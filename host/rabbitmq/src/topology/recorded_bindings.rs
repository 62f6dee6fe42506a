//! What the queues of consumers were bound to among the exchanges of others: AMQP cannot list that, so it is kept, to be unbound
//! when no rule asks for it any more.
//!
//! Does not know where it is kept beyond a run.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use loghost_core::application::BoxError;

use crate::topology::inspection::Binding;

/// Keeps what queues are bound to.
pub trait RecordBindings: fmt::Debug + Send + Sync {
    /// What is kept of a queue. An error says what the system or the state says.
    fn load<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<BTreeSet<Binding>, BoxError>>;

    /// Keeps these instead. When the future is ready they are safe, and not before.
    fn record<'a>(
        &'a self,
        queue: &'a str,
        bindings: BTreeSet<Binding>,
    ) -> BoxFuture<'a, Result<(), BoxError>>;
}

/// Keeps them as long as a run lasts, whose rules may change.
#[derive(Debug, Default)]
pub struct BindingsOfRun(Mutex<HashMap<String, BTreeSet<Binding>>>);

impl RecordBindings for BindingsOfRun {
    fn load<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<BTreeSet<Binding>, BoxError>> {
        let recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ready(Ok(recorded.get(queue).cloned().unwrap_or_default())).boxed()
    }

    fn record<'a>(
        &'a self,
        queue: &'a str,
        bindings: BTreeSet<Binding>,
    ) -> BoxFuture<'a, Result<(), BoxError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(queue.to_owned(), bindings);
        ready(Ok(())).boxed()
    }
}
