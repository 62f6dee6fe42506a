//! What is known of a run: an observer that counts events, once, for all who show them.
//!
//! Knows the events of the core; knows nobody who shows the figures. In reading order: [`Board`] is told what happens,
//! [`Consumer`] and [`Connection`] are what it knows of each, [`State`] what a consumer does, `history` is what a consumer received lately, `dead_letters` what
//! went there last, `depths` what only the broker knows, `measuring` what only plugins know, `exports` what was sent to a
//! collector, and [`metrics`] all of this under the names of metrics.
//!
//! Each event is told for a batch, or less often; it costs a look into a map and a short lock that nobody else holds for
//! long: whoever shows the figures copies them.

mod connection;
mod consumer;
mod dead_letters;
mod depths;
mod exports;
mod histogram;
mod history;
mod measuring;
pub mod metrics;
mod process;
mod state;
mod stream;
mod text;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use loghost_core::application::{ConsumerEvent, Event, Observer};
use loghost_core::domain::ConsumerName;

pub use self::connection::Connection;
pub use self::consumer::Consumer;
pub use self::dead_letters::{DeadLetter, LastDeadLetters};
use self::depths::KnownDepths;
pub use self::depths::{Depths, SourceDepths, TooLate};
pub use self::exports::{Exports, Signal};
pub use self::histogram::Histogram;
pub use self::history::{History, LONGEST, STEP};
pub use self::measuring::Measuring;
pub use self::process::process_begins;
pub use self::state::State;
pub use self::stream::StreamProgress;

/// The figures of a run.
#[derive(Debug, Default)]
pub struct Board {
    consumers: RwLock<BTreeMap<ConsumerName, Arc<Mutex<Consumer>>>>,
    connections: Mutex<BTreeMap<String, Connection>>,
    depths: KnownDepths,
    exports: Arc<Exports>,
}

impl Board {
    /// Expects a consumer, configured with these `settings`: until it consumes, the host is not ready.
    pub fn expect(&self, consumer: &ConsumerName, settings: &[(String, String)]) {
        self.with(consumer, |consumer| settings.clone_into(&mut consumer.settings));
    }

    /// Forgets a consumer that is no longer one of the run.
    pub fn forget(&self, consumer: &ConsumerName) {
        self.consumers.write().unwrap_or_else(PoisonError::into_inner).remove(consumer);
    }

    /// Has `source` asked for the depths of queues, and the ends of streams, from now on.
    pub fn ask_depths(&self, source: Box<dyn SourceDepths>) -> Result<(), TooLate> {
        self.depths.ask(source)
    }

    /// How many messages wait in the queues of consumers, and where their streams end, as far as it is known; asks the broker at
    /// most once a second, and does not wait for it for long.
    pub async fn depths(&self) -> Depths {
        let with_queue = self.map(|name, it| it.state.has_queue().then(|| name.clone()));
        let streams =
            self.map(|_, it| it.offsets.iter().map(|next| Arc::clone(&next.stream)).collect::<Vec<_>>());
        self.depths
            .of(with_queue.into_iter().flatten().collect(), streams.into_iter().flatten().collect())
            .await
    }

    /// What is known of each consumer, in the order of their names.
    pub fn consumers(&self) -> Vec<(ConsumerName, Consumer)> {
        self.map(|name, consumer| (name.clone(), consumer.clone()))
    }

    /// What is known of one consumer.
    pub fn consumer(&self, name: &ConsumerName) -> Option<Consumer> {
        let consumers = self.consumers.read().unwrap_or_else(PoisonError::into_inner);
        consumers.get(name).map(|consumer| locked(consumer).clone())
    }

    /// What `look` finds at each consumer, in the order of their names. What happens to that consumer waits meanwhile.
    pub fn map<T>(&self, mut look: impl FnMut(&ConsumerName, &Consumer) -> T) -> Vec<T> {
        let consumers = self.consumers.read().unwrap_or_else(PoisonError::into_inner);
        consumers.iter().map(|(name, consumer)| look(name, &locked(consumer))).collect()
    }

    /// What is known of each connection, by its purpose.
    pub fn connections(&self) -> Vec<(String, Connection)> {
        let connections = locked(&self.connections);
        connections.iter().map(|(purpose, it)| (purpose.clone(), it.clone())).collect()
    }

    /// What was sent to a collector, for whoever sends it to count.
    pub fn exports(&self) -> &Arc<Exports> {
        &self.exports
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
            // What is told for each log is no figure: it is not worth the lock.
            Event::Consumer(_, ConsumerEvent::Traced(_)) | Event::Run(_) | Event::Adapter(..) => {}
            Event::Consumer(name, event) => self.with(name, |consumer| consumer.note(event)),
            Event::Connection(purpose, event) => self.with_connection(purpose, |it| it.note(event)),
            Event::Publisher(purpose, event) => self.with_connection(purpose, |it| it.note_published(event)),
        }
    }
}

/// The value, also where a thread has panicked that held it: each figure is whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
