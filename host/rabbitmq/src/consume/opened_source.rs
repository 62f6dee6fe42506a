//! What a consumer's source is: its queue and streams, or one message that the broker could not deliver.

use loghost_core::application::{
    Clock, ConsumerActivity, Delivery, LogSource, Next, SourceError, Subscription,
};
use loghost_core::domain::Position;

use crate::consume::consumer_source::ConsumerSource;
use crate::consume::undeliverable::message::UndeliverableMessage;
use crate::message::original::Original;

/// Where a consumer's logs come from.
pub enum OpenedSource<K> {
    /// Its queue, and its streams.
    Consumer(Box<ConsumerSource<K>>),
    /// One message of its queue.
    Undeliverable(Box<UndeliverableMessage>),
}

impl<K: Clock + Clone + 'static> OpenedSource<K> {
    /// The name of the queue.
    pub fn queue(&self) -> &str {
        match self {
            Self::Consumer(source) => source.queue(),
            Self::Undeliverable(message) => message.queue(),
        }
    }
}

impl<K: Clock + Clone + 'static> LogSource for OpenedSource<K> {
    type Original = Original;

    async fn receive(&mut self, burst: &mut Vec<Delivery<Original>>, max: usize) -> Result<(), SourceError> {
        match self {
            Self::Consumer(source) => source.receive(burst, max).await,
            Self::Undeliverable(message) => message.receive(burst, max).await,
        }
    }

    fn activity(&self) -> ConsumerActivity {
        match self {
            Self::Consumer(source) => source.activity(),
            Self::Undeliverable(message) => message.activity(),
        }
    }

    fn most_unacknowledged(&self) -> Option<usize> {
        match self {
            Self::Consumer(source) => source.most_unacknowledged(),
            Self::Undeliverable(message) => message.most_unacknowledged(),
        }
    }

    async fn acknowledge_through(&mut self, position: Position) -> Result<(), SourceError> {
        match self {
            Self::Consumer(source) => source.acknowledge_through(position).await,
            Self::Undeliverable(message) => message.acknowledge_through(position).await,
        }
    }

    async fn acknowledge(&mut self, position: Position) -> Result<(), SourceError> {
        match self {
            Self::Consumer(source) => source.acknowledge(position).await,
            Self::Undeliverable(message) => message.acknowledge(position).await,
        }
    }

    async fn adjust(&mut self, subscription: Subscription<'_>) -> Result<(), SourceError> {
        match self {
            Self::Consumer(source) => source.adjust(subscription).await,
            Self::Undeliverable(message) => message.adjust(subscription).await,
        }
    }

    async fn close(self, next: Next) {
        match self {
            Self::Consumer(source) => source.close(next).await,
            Self::Undeliverable(message) => message.close(next).await,
        }
    }
}
