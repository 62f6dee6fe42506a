//! What is known of a run: an observer that counts events, once, for all who show them.
//!
//! Each event is told for a batch, or less often; it costs a look into a map and a short lock that nobody else holds for
//! long: whoever shows the figures copies them.

pub(crate) mod connection;
pub(crate) mod consumer;
pub(crate) mod histogram;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use loghost_core::application::{Event, Observer};
use loghost_core::domain::ConsumerName;

use self::connection::Connection;
use self::consumer::Consumer;
use crate::depths::Depths;
use crate::metrics;

/// The figures of a run.
#[derive(Debug, Default)]
pub struct Board {
    consumers: RwLock<BTreeMap<ConsumerName, Arc<Mutex<Consumer>>>>,
    connections: Mutex<BTreeMap<String, Connection>>,
}

impl Board {
    /// Expects a consumer: until it consumes, the host is not ready.
    pub fn expect(&self, consumer: &ConsumerName) {
        self.with(consumer, |_| {});
    }

    /// Forgets a consumer that is no longer one of the run.
    pub fn forget(&self, consumer: &ConsumerName) {
        self.consumers.write().unwrap_or_else(PoisonError::into_inner).remove(consumer);
    }

    /// All figures of consumers and connections, in `OpenMetrics`; none is left out but what only the broker knows.
    pub fn metrics(&self) -> Option<String> {
        metrics::written(self, Depths::new(), "", metrics::Format::OpenMetrics).ok()
    }

    /// What is known of each consumer, in the order of their names.
    pub(crate) fn consumers(&self) -> Vec<(ConsumerName, Consumer)> {
        let consumers = self.consumers.read().unwrap_or_else(PoisonError::into_inner);
        consumers.iter().map(|(name, consumer)| (name.clone(), locked(consumer).clone())).collect()
    }

    /// What is known of each connection, by its purpose.
    pub(crate) fn connections(&self) -> Vec<(String, Connection)> {
        let connections = locked(&self.connections);
        connections.iter().map(|(purpose, it)| (purpose.clone(), it.clone())).collect()
    }

    fn with(&self, name: &ConsumerName, change: impl FnOnce(&mut Consumer)) {
        let known = {
            let consumers = self.consumers.read().unwrap_or_else(PoisonError::into_inner);
            consumers.get(name).cloned()
        };
        let consumer = known.unwrap_or_else(|| {
            let mut consumers = self.consumers.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(consumers.entry(name.clone()).or_default())
        });
        change(&mut locked(&consumer));
    }

    fn with_connection(&self, purpose: &str, change: impl FnOnce(&mut Connection)) {
        let mut connections = locked(&self.connections);
        if let Some(connection) = connections.get_mut(purpose) {
            return change(connection);
        }
        change(connections.entry(purpose.to_owned()).or_default());
    }
}

impl Observer for Board {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Consumer(name, event) => self.with(name, |consumer| consumer.note(event)),
            Event::Connection(purpose, event) => self.with_connection(purpose, |it| it.note(event)),
            Event::Publisher(purpose, event) => self.with_connection(purpose, |it| it.note_published(event)),
            Event::Adapter(..) | Event::Notice(_) => {}
        }
    }
}

/// The value, also where a thread has panicked that held it: each figure is whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
