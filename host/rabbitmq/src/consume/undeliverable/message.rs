//! A source that has one message alone, which the broker could not deliver: it goes to the dead letters, and is taken out of the
//! queue when it is safe there.

use std::sync::Arc;

use loghost_core::application::{
    ConsumerActivity, DeadLettering, Delivery, Item, LogSource, Next, Opened, SourceError, Subscription,
};
use loghost_core::domain::Position;

use super::find::{Finding, Received, find};
use super::search::{Deliveries, Search};
use crate::amqp10::Receiver;
use crate::connection::open::Connection;
use crate::connection::reconnect::ReconnectingConnection;
use crate::consume::activation::{release_lock, take_lock};
use crate::consume::source_options::SourceOptions;
use crate::dead_letters::writer::DeadLetterWriter;
use crate::message::names::Names;
use crate::message::of_stream::StreamOriginal;
use crate::message::original::Original;
use crate::topology::bindings::Bindings;
use crate::topology::error::{TopologyError, failed};
use crate::topology::event::TopologyEvent;

/// Why it is not counted.
const REASON: &str = "RabbitMQ cannot deliver it through AMQP 0-9-1, and ends the connection (541): it was taken out of the queue \
                      through AMQP 1.0";

/// One message that the broker could not deliver.
pub struct UndeliverableMessage {
    /// It has the lock of the queue.
    connection: Arc<Connection>,
    lock: String,
    queue: String,
    receiver: Receiver,
    /// The message, until it is handed on.
    original: Option<Original>,
    deliveries: Deliveries,
}

impl UndeliverableMessage {
    /// A message of the consumer's queue that the broker cannot deliver, if it has one, and this host is the one that consumes the
    /// queue. Says why there may be one that cannot be taken out. What comes of it, the `search` learns.
    pub(crate) async fn find(
        connection: &Arc<Connection>,
        publishing: &ReconnectingConnection,
        names: &Names,
        subscription: Subscription<'_>,
        options: &SourceOptions,
        search: &mut Search,
    ) -> Result<Option<Opened<Self, DeadLetterWriter>>, TopologyError> {
        let deliveries = search.deliveries(options.prefetch);
        let consumer = &subscription.descriptor.name;
        let (queue, lock) = (names.queue(consumer), names.lock(consumer));
        let locked = take_lock(connection, &lock).await;
        if !locked.map_err(|e| failed(format!("look who consumes the queue `{queue}`"), &e))? {
            search.found_nothing();
            return Ok(None);
        }
        let finding = async {
            // Also the exchange through which a copy goes.
            let dead_letters = DeadLetterWriter::open(publishing, names, consumer, &options.queue).await?;
            let Received { receiver, message } = match find(connection, names, consumer).await? {
                Finding::Message(received) => received,
                Finding::Nothing => {
                    search.found_nothing();
                    return Ok(None);
                }
                Finding::Unproven(cause) => {
                    if search.is_blocked(&cause) {
                        let event = TopologyEvent::UndeliverableStays { queue: queue.clone(), cause };
                        connection.tell(Some(consumer), &event);
                    }
                    return Ok(None);
                }
            };
            // As every source that is active.
            let bindings = Bindings::of(connection, names, (consumer, &queue), options);
            match bindings.replace(&subscription.descriptor.filter, subscription.former).await {
                Err(error) if !error.is_access_refused() => return Err(error),
                _ => {}
            }
            // What it does not say itself of where it was published to, nobody knows.
            let original = Some(Original::Stream(StreamOriginal::new(&"".into(), &message)));
            let (connection, lock, queue) = (Arc::clone(connection), lock.clone(), queue.clone());
            let source = Self { connection, lock, queue, receiver, original, deliveries };
            let dead_letters = DeadLettering::Ready(dead_letters);
            Ok(Some(Opened { source, dead_letters, begins: Vec::new() }))
        };
        let found = finding.await;
        if !matches!(found, Ok(Some(_))) {
            release_lock(connection, &lock).await;
        }
        found
    }

    /// The name of the queue.
    pub(crate) fn queue(&self) -> &str {
        &self.queue
    }
}

impl LogSource for UndeliverableMessage {
    type Original = Original;

    async fn receive(&mut self, burst: &mut Vec<Delivery<Original>>, _: usize) -> Result<(), SourceError> {
        let original = Some(self.original.take().ok_or(SourceError::Exhausted)?);
        let item = Item::Undeliverable(REASON.to_owned());
        burst.push(Delivery { position: Position::Transient(1), item, original });
        Ok(())
    }

    fn activity(&self) -> ConsumerActivity {
        ConsumerActivity::Active
    }

    async fn acknowledge_through(&mut self, position: Position) -> Result<(), SourceError> {
        self.acknowledge(position).await
    }

    async fn acknowledge(&mut self, _: Position) -> Result<(), SourceError> {
        self.receiver.accept().await.map_err(|error| SourceError::Lost(error.into()))?;
        self.deliveries.note(1);
        Ok(())
    }

    async fn adjust(&mut self, _: Subscription<'_>) -> Result<(), SourceError> {
        // The next one is as the subscription says.
        Err(SourceError::Exhausted)
    }

    async fn close(self, next: Next) {
        self.receiver.close().await;
        // The lock belongs to this connection, which can take it again.
        if next == Next::Any {
            release_lock(&self.connection, &self.lock).await;
        }
    }
}
