//! What connections share: exchanges, queues, consumers and deliveries.
//!
//! Without input or output: methods change it, and put what clients are to be sent into their outboxes.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::Arc,
};

use crate::{
    error::{AmqpError, Code},
    memory::Memory,
    outbox::Outbox,
};

pub(crate) mod arena;
pub(crate) mod channel;
pub(crate) mod clock;
mod dead_letter;
pub(crate) mod delivery;
pub(crate) mod exchange;
mod names;
pub(crate) mod policy;
pub(crate) mod queue;
pub(crate) mod routing;
pub(crate) mod topic;
pub(crate) mod topology;

#[cfg(test)]
mod tests;

use self::{
    arena::{Arena, Key},
    channel::{ChannelState, Unacked},
    clock::Clock,
    dead_letter::DeadLetter,
    exchange::{Exchange, ExchangeSpec, Kind},
    queue::Queue,
};

#[derive(Debug)]
pub(crate) struct BrokerState {
    exchanges: HashMap<Arc<str>, Exchange>,
    queue_names: HashMap<Arc<str>, Key<Queue>>,
    queues: Arena<Queue>,
    channels: Arena<ChannelState>,
    connections: Arena<Connection>,
    memory: Arc<Memory>,
    clock: Clock,
    last_consumer: u64,
    // Empty between calls: only their capacity is reused.
    routes: Vec<Key<Queue>>,
    resolved: Vec<Unacked>,
    dead: VecDeque<DeadLetter>,
}

/// A client.
#[derive(Debug)]
pub(crate) struct Connection {
    outbox: Arc<Outbox>,
    cancel_notify: bool,
    channels: Vec<Key<ChannelState>>,
    /// The index of the queue that is served first when there is room for deliveries again.
    turn: usize,
}

impl BrokerState {
    pub(crate) fn new(memory: Arc<Memory>) -> Self {
        let predeclared = [
            ("", Kind::Direct),
            ("amq.direct", Kind::Direct),
            ("amq.fanout", Kind::Fanout),
            ("amq.topic", Kind::Topic),
        ];
        let exchanges = predeclared.map(|(name, kind)| {
            let spec =
                ExchangeSpec { kind, durable: true, auto_delete: false, internal: false, alternate: None };
            let name: Arc<str> = name.into();
            (Arc::clone(&name), Exchange::new(name, spec, None))
        });
        Self {
            exchanges: exchanges.into(),
            queue_names: HashMap::new(),
            queues: Arena::default(),
            channels: Arena::default(),
            connections: Arena::default(),
            memory,
            clock: Clock::default(),
            last_consumer: 0,
            routes: Vec::new(),
            resolved: Vec::new(),
            dead: VecDeque::new(),
        }
    }

    /// `cancel_notify`: the client wants to be told when the broker cancels a consumer.
    pub(crate) fn open_connection(&mut self, outbox: Arc<Outbox>, cancel_notify: bool) -> Key<Connection> {
        self.connections.insert(Connection { outbox, cancel_notify, channels: Vec::new(), turn: 0 })
    }

    /// Requeues what its channels have not acknowledged, and deletes its exclusive queues.
    pub(crate) fn close_connection(&mut self, key: Key<Connection>) {
        let Some(connection) = self.connections.remove(key) else {
            return;
        };
        self.close_channels(&connection.channels);
        let owned: Vec<_> = self
            .queue_names
            .values()
            .copied()
            .filter(|&queue| self.queues.get(queue).is_some_and(|queue| queue.owner == Some(key)))
            .collect();
        for queue in owned {
            self.drop_queue(queue);
        }
    }

    pub(crate) fn open_channel(
        &mut self,
        connection: Key<Connection>,
        number: u16,
    ) -> Result<Key<ChannelState>, AmqpError> {
        let Some(owner) = self.connections.get_mut(connection) else {
            return Err(AmqpError::new(Code::ChannelError, "connection is closed"));
        };
        let outbox = Arc::clone(&owner.outbox);
        let channel = ChannelState::new(connection, number, outbox, owner.cancel_notify);
        let key = self.channels.insert(channel);
        owner.channels.push(key);
        Ok(key)
    }

    pub(crate) fn close_channel(&mut self, key: Key<ChannelState>) {
        let connection = self.channels.get(key).map(|channel| channel.connection);
        if let Some(connection) = connection.and_then(|key| self.connections.get_mut(key)) {
            connection.channels.retain(|channel| *channel != key);
        }
        self.close_channels(&[key]);
    }

    /// Resumes deliveries that had to wait for room in the connection's outbox.
    pub(crate) fn resume(&mut self, connection: Key<Connection>) {
        let Some(connection) = self.connections.get_mut(connection) else {
            return;
        };
        connection.turn = connection.turn.wrapping_add(1);
        let (turn, channels) = (connection.turn, connection.channels.clone());
        for queue in self.subscribed_queues(&channels, turn) {
            self.dispatch(queue);
        }
    }

    /// Removes the consumers of all of them first, so that what one requeues is not delivered to another.
    fn close_channels(&mut self, keys: &[Key<ChannelState>]) {
        let mut closing: Vec<_> = keys.iter().filter_map(|&key| self.channels.remove(key)).collect();
        let mut affected = Vec::new();
        for channel in &mut closing {
            for subscription in mem::take(&mut channel.subscriptions) {
                if let Some(queue) = self.queues.get_mut(subscription.queue) {
                    queue.remove_consumer(subscription.consumer);
                    affected.push((subscription.queue, Left::Consumer));
                }
            }
        }
        let mut resolved = Vec::new();
        for mut channel in closing {
            // Cannot fail for all deliveries.
            let _ = channel.take_unacked(channel::DeliveryTags::All, &mut resolved);
        }
        for unacked in resolved.into_iter().rev() {
            if let Some(queue) = self.queues.get_mut(unacked.queue) {
                queue.requeue(unacked.entry);
                affected.push((unacked.queue, Left::Message));
            }
        }
        affected.sort_unstable();
        affected.dedup();
        for (queue, left) in affected {
            match left {
                Left::Consumer => self.after_consumer_left(queue),
                Left::Message => self.dispatch(queue),
            }
        }
    }

    /// The queues that these channels consume, rotated by `turn` so that each comes first in turn.
    fn subscribed_queues(&self, channels: &[Key<ChannelState>], turn: usize) -> Vec<Key<Queue>> {
        let mut queues: Vec<_> = channels
            .iter()
            .filter_map(|&channel| self.channels.get(channel))
            .flat_map(|channel| &channel.subscriptions)
            .map(|subscription| subscription.queue)
            .collect();
        queues.sort_unstable();
        queues.dedup();
        if !queues.is_empty() {
            let first = turn % queues.len();
            queues.rotate_left(first);
        }
        queues
    }

    fn channel(&mut self, key: Key<ChannelState>) -> Result<&mut ChannelState, AmqpError> {
        self.channels.get_mut(key).ok_or_else(|| AmqpError::new(Code::ChannelError, "channel is closed"))
    }
}

/// Why a queue is affected by a channel that was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Left {
    /// One of its consumers is gone.
    Consumer,
    /// A message was requeued.
    Message,
}
