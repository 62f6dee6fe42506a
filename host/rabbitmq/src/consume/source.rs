//! Consuming one queue on a channel of its own: deliveries are taken in bursts, and acknowledged by the application.

mod bind;
mod open;

use std::future::pending;
use std::slice;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use lapin::Channel;
use lapin::message::Delivery as Message;
use lapin::options::BasicAckOptions;
use loghost_core::application::{
    Clock, ConsumerActivity, Delivery, LogSource, Next, Reads, SourceError, Subscription,
};
use loghost_core::domain::{ConsumerName, Filter, Position};

use crate::connection::fault::{ConnectionEnded, lost};
use crate::connection::gather::{Gather, is_burst};
use crate::connection::open::Connection;
use crate::consume::activation::{ConsumerState, release_lock};
use crate::consume::depth::{self, Answering};
use crate::consume::found::FoundBytes;
use crate::consume::read::Read;
use crate::consume::source_options::SourceOptions;
use crate::consume::undeliverable::search::Deliveries;
use crate::message::original::Original;
use crate::topology::bindings::Bindings;
use crate::topology::check::{DeclaredDeadLetters, TopologyCheck};
use crate::topology::declare::{self, Exchanges};
use crate::topology::queues::Lifetime;

/// One consumer's queue.
pub(crate) struct AmqpSource<K> {
    connection: Arc<Connection>,
    channel: Channel,
    state: ConsumerState,
    /// Active as soon as this host consumes the queue, and that is bound to what it wants.
    activity: ConsumerActivity,
    consumer: ConsumerName,
    queue: String,
    bindings: Bindings,
    /// Its filter is what the queue is bound to, or will be when this host consumes it.
    read: Read,
    /// What it was bound to before.
    former: Option<Filter>,
    /// Runs while this host consumes the queue.
    check: Option<BoxFuture<'static, TopologyCheck>>,
    options: SourceOptions,
    clock: K,
    gather: Gather,
    /// Why nothing more arrives, after what was received before that.
    ended: Option<SourceError>,
    dead_letter_queue: DeclaredDeadLetters,
    answering: Answering,
    deliveries: Deliveries,
}

impl<K: Clock> LogSource for AmqpSource<K> {
    type Original = Original;

    async fn receive(&mut self, burst: &mut Vec<Delivery<Original>>, max: usize) -> Result<(), SourceError> {
        if let Some(ended) = self.ended.take() {
            return Err(ended);
        }
        if self.activity == ConsumerActivity::StandingBy {
            return self.activate().await;
        }
        self.gather.wait().await;
        let mut next = self.next().await?;
        let (now, mut taken, mut found) = (self.clock.now(), 0, FoundBytes::default());
        loop {
            let message = match next {
                Some(Ok(message)) => message,
                Some(Err(error)) => return self.stop(taken, Some(error)),
                None => return self.stop(taken, None),
            };
            if message.redelivered {
                let Self { connection, queue, .. } = &*self;
                self.options.queue.note_returns(connection, queue, &message.properties);
            }
            let position = Position::Transient(message.delivery_tag);
            let delivery = self.read.delivery(message, position, now);
            found.count(slice::from_ref(&delivery));
            burst.push(delivery);
            taken += 1;
            if taken == max || found.is_enough() {
                break;
            }
            let ConsumerState::Active(consumer) = &mut self.state else { break };
            match consumer.next().now_or_never() {
                Some(more) => next = more,
                None => break,
            }
        }
        self.gather.note(is_burst(taken, max));
        self.deliveries.note(taken);
        if self.deliveries.are_enough() {
            self.ended = Some(SourceError::Exhausted);
        }
        Ok(())
    }

    fn activity(&self) -> ConsumerActivity {
        self.activity
    }

    async fn acknowledge_through(&mut self, position: Position) -> Result<(), SourceError> {
        self.ack(position, BasicAckOptions { multiple: true }).await
    }

    async fn acknowledge(&mut self, position: Position) -> Result<(), SourceError> {
        self.ack(position, BasicAckOptions { multiple: false }).await
    }

    async fn adjust(&mut self, subscription: Subscription<'_>) -> Result<(), SourceError> {
        let Subscription { descriptor, reads, former, .. } = subscription;
        let filters = [&self.read.filter, &descriptor.filter];
        let [before, now] = filters.map(|filter| self.read.decodes_bodies(filter));
        if self.read.reads == Reads::Counts && (reads == Reads::Logs || now && !before) {
            return Err(SourceError::Unread);
        }
        self.read.adjust(descriptor, reads);
        self.former = former.cloned();
        let connection = Arc::clone(&self.connection);
        // They have to exist before the queue is bound to them.
        if self.options.exchanges == Exchanges::Own {
            let severities = descriptor.filter.severities().iter();
            connection.answer(declare::declare_exchanges(&connection, &self.read.names, severities)).await?;
        }
        match self.activity {
            ConsumerActivity::Active => Ok(connection.answer(self.bind()).await?),
            // The bindings are the other host's.
            ConsumerActivity::StandingBy => Ok(()),
        }
    }

    async fn close(self, next: Next) {
        self.connection.requeue(&self.channel).await;
        // The lock belongs to this connection, which can take it again.
        if self.options.queue.lifetime == Lifetime::Named && next == Next::Any {
            release_lock(&self.connection, &self.read.names.lock(&self.consumer)).await;
        }
    }
}

impl<K: Clock> AmqpSource<K> {
    /// The name of the queue.
    pub(crate) fn queue(&self) -> &str {
        &self.queue
    }

    fn end(&self, error: Option<lapin::Error>) -> SourceError {
        match error {
            Some(error) => lost(&error),
            None if !self.channel.status().connected() => SourceError::Lost("the channel is closed".into()),
            None => {
                let queue = &self.queue;
                let text =
                    format!("the broker cancelled the consumer of queue {queue}: was the queue deleted?");
                SourceError::Cancelled(text.into())
            }
        }
    }

    /// Waits until no other host consumes the queue, and does so itself. Nothing is lost if the future is dropped.
    async fn activate(&mut self) -> Result<(), SourceError> {
        while let ConsumerState::StandingBy(waiting) = &mut self.state {
            let waiting = waiting.map(|consumer| consumer.map_err(|e| lost(&e)));
            let look = || depth::is_empty(Arc::clone(&self.connection), None, self.queue.clone()).boxed();
            tokio::select! {
                biased;
                consumer = self.connection.answer(waiting) => self.state = ConsumerState::Active(consumer?),
                answer = self.answering.next(look) => answer.give(),
            }
        }
        Ok(Arc::clone(&self.connection).answer(self.bind()).await?)
    }

    /// What arrives next; none at the end. The check makes progress meanwhile.
    async fn next(&mut self) -> Result<Option<lapin::Result<Message>>, SourceError> {
        loop {
            let ConsumerState::Active(consumer) = &mut self.state else { return pending().await };
            let (connection, channel) = (&self.connection, &self.channel);
            let look =
                || depth::is_empty(Arc::clone(connection), Some(channel.clone()), self.queue.clone()).boxed();
            tokio::select! {
                biased;
                checked = checked(self.check.as_mut()) => self.check = Some(checked.next().boxed()),
                next = consumer.next() => return Ok(next),
                () = self.connection.end() => return Err(ConnectionEnded.into()),
                answer = self.answering.next(look) => match consumer.next().now_or_never() {
                    // The queue was not empty before: the question is dropped, which means no.
                    Some(next) => return Ok(next),
                    None => answer.give(),
                },
            }
        }
    }

    async fn ack(&mut self, position: Position, options: BasicAckOptions) -> Result<(), SourceError> {
        // The positions in a queue are delivery tags.
        let Position::Transient(tag) = position else { return Ok(()) };
        let acknowledging = self.channel.basic_ack(tag, options).map(|done| done.map_err(|e| lost(&e)));
        self.connection.answer(acknowledging).await
    }

    /// Ends the source: at once, or after what was `taken` before.
    fn stop(&mut self, taken: usize, error: Option<lapin::Error>) -> Result<(), SourceError> {
        let ended = self.end(error);
        self.deliveries.note(taken);
        if taken == 0 {
            return Err(ended);
        }
        self.ended = Some(ended);
        Ok(())
    }
}

/// Is ready when the check has been made; never without one.
async fn checked(check: Option<&mut BoxFuture<'static, TopologyCheck>>) -> TopologyCheck {
    match check {
        Some(check) => check.await,
        None => pending().await,
    }
}
