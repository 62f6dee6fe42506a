//! The streams of a consumer, read in one way or the other.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use loghost_core::application::{Clock, Delivery, SourceError};
use loghost_core::domain::Position;

use crate::connection::open::Connection;
use crate::consume::read::Read;
use crate::message::original::Original;
use crate::stream::amqp::{AmqpStreams, are_read};
use crate::stream::native::NativeStreams;
use crate::topology::event::TopologyEvent;

/// The streams of a consumer.
pub(crate) enum Reading<K> {
    /// Through the stream protocol.
    Native(Box<NativeStreams<K>>),
    /// Through AMQP 0-9-1.
    Amqp(Box<AmqpStreams<K>>),
}

impl<K: Clock> Reading<K> {
    /// Takes what is read for another filter from now on.
    pub(crate) fn read_for(&mut self, read: Read) {
        match self {
            Self::Native(streams) => streams.read_for(read),
            Self::Amqp(streams) => streams.read_for(read),
        }
    }

    /// Whether all of them was read, as far as the broker says what there is, when somebody asks that.
    pub(crate) fn are_read(&self, connection: &Arc<Connection>) -> BoxFuture<'static, bool>
    where
        K: 'static,
    {
        match self {
            Self::Native(streams) => streams.are_read().boxed(),
            Self::Amqp(streams) => are_read(Arc::clone(connection), streams.watched()).boxed(),
        }
    }

    /// How many logs may be delivered and not finished, at the moment; none where that is the prefetch.
    pub(crate) fn most_unacknowledged(&self) -> Option<usize> {
        match self {
            Self::Native(streams) => Some(streams.window()),
            Self::Amqp(_) => None,
        }
    }

    /// As [`LogSource::receive`](loghost_core::application::LogSource::receive), into a `burst` that must not be dropped.
    /// Has `tell` told which stream's offset the broker does not store, and where the broker had stopped sending.
    pub(crate) async fn receive(
        &mut self,
        burst: &mut Vec<Delivery<Original>>,
        max: usize,
        tell: impl Fn(TopologyEvent),
    ) -> Result<(), SourceError> {
        match self {
            Self::Native(streams) => streams.receive(burst, max, tell).await,
            Self::Amqp(streams) => streams.receive(burst, max).await,
        }
    }

    /// Says that all that was delivered in a stream up to this position is finished.
    pub(crate) async fn acknowledge_through(&mut self, position: &Position) -> Result<(), SourceError> {
        match self {
            Self::Native(streams) => streams.acknowledge_through(position),
            Self::Amqp(streams) => streams.acknowledge_through(position).await?,
        }
        Ok(())
    }

    /// Says that one log is finished.
    pub(crate) async fn acknowledge(&mut self, position: &Position) -> Result<(), SourceError> {
        match self {
            Self::Native(streams) => streams.acknowledge(position),
            Self::Amqp(streams) => streams.acknowledge(position).await?,
        }
        Ok(())
    }

    /// Ends reading.
    pub(crate) async fn close(self) {
        match self {
            Self::Native(streams) => streams.close().await,
            Self::Amqp(streams) => streams.close().await,
        }
    }
}
