//! Queues.

use std::sync::Arc;

use super::{QueueStatus, Unless};
use crate::{
    error::{AmqpError, Code, VIRTUAL_HOST},
    memory::Charge,
    state::{
        BrokerState,
        arena::Key,
        channel::ChannelState,
        clock::Moment,
        exchange::Destination,
        names::{check_not_reserved, generated_name, locked, one_line},
        queue::{Queue, QueueSpec},
    },
};

impl BrokerState {
    pub(crate) fn declare_queue(
        &mut self,
        channel: Key<ChannelState>,
        name: &str,
        mut spec: QueueSpec,
    ) -> Result<QueueStatus, AmqpError> {
        let name = &*one_line(name);
        let connection = self.channel(channel)?.connection;
        let owner = spec.exclusive.then_some(connection);
        // As in RabbitMQ: an exclusive queue is not durable.
        spec.durable &= !spec.exclusive;
        if let Some(&key) = self.queue_names.get(name) {
            let queue = self.queues.get(key).ok_or(AmqpError::no_queue(name))?;
            if queue.owner != owner {
                return Err(locked(name));
            }
            queue.spec.check_equivalent(&queue.name, &spec)?;
            return self.status(channel, key);
        }
        let name: Arc<str> = if name.is_empty() {
            generated_name("amq.gen")
        } else {
            check_not_reserved("queue", name)?;
            name.into()
        };
        let charge = Charge::new(&self.memory, &[&name])?;
        let key = self.queues.insert(Queue::new(Arc::clone(&name), spec, owner, charge));
        self.queue_names.insert(name, key);
        self.status(channel, key)
    }

    /// A passive declaration.
    pub(crate) fn check_queue(
        &mut self,
        channel: Key<ChannelState>,
        name: &str,
    ) -> Result<QueueStatus, AmqpError> {
        let name = &*one_line(name);
        if name.is_empty() {
            return Err(AmqpError::no_queue(name));
        }
        let key = self.find_queue(channel, name)?;
        self.status(channel, key)
    }

    /// Says how many messages went with it.
    pub(crate) fn delete_queue(
        &mut self,
        channel: Key<ChannelState>,
        name: &str,
        unless: Unless,
    ) -> Result<usize, AmqpError> {
        let name = &*one_line(name);
        let key = match self.find_queue(channel, name) {
            // As in RabbitMQ, what is not there has been deleted.
            Err(error) if error.code == Code::NotFound && !name.is_empty() => return Ok(0),
            found => found?,
        };
        let queue = self.queues.get(key).ok_or(AmqpError::no_queue(name))?;
        let name = &queue.name;
        if unless.used && !queue.consumers().is_empty() {
            return Err(AmqpError::precondition(format!("queue '{name}' in vhost '{VIRTUAL_HOST}' in use")));
        }
        if unless.filled && !queue.is_empty() {
            return Err(AmqpError::precondition(format!(
                "queue '{name}' in vhost '{VIRTUAL_HOST}' not empty"
            )));
        }
        Ok(self.drop_queue(key))
    }

    /// Says how many messages it dropped.
    pub(crate) fn purge_queue(&mut self, channel: Key<ChannelState>, name: &str) -> Result<usize, AmqpError> {
        let key = self.find_queue(channel, name)?;
        Ok(self.queues.get_mut(key).map_or(0, Queue::purge))
    }

    /// The queue of that name, or the channel's last one, if this connection may use it.
    pub(in crate::state) fn find_queue(
        &mut self,
        channel: Key<ChannelState>,
        name: &str,
    ) -> Result<Key<Queue>, AmqpError> {
        let name = self.queue_name(channel, name)?;
        let connection = self.channel(channel)?.connection;
        let key = self.queue_names.get(&name).copied();
        let found = key.and_then(|key| Some((key, self.queues.get(key)?)));
        let (key, queue) = found.ok_or_else(|| AmqpError::no_queue(&name))?;
        if queue.owner.is_some_and(|owner| owner != connection) {
            return Err(locked(&name));
        }
        Ok(key)
    }

    /// Removes it with its bindings, and tells its consumers. Says how many messages were ready.
    pub(in crate::state) fn drop_queue(&mut self, key: Key<Queue>) -> usize {
        let Some(queue) = self.queues.remove(key) else {
            return 0;
        };
        self.queue_names.remove(&queue.name);
        self.clock.reschedule(key, queue.look_at, Moment::NEVER);
        for consumer in queue.consumers() {
            self.cancel_from_here(consumer);
        }
        self.forget_destination(&Destination::Queue(key));
        queue.len()
    }

    pub(super) fn queue_name(
        &mut self,
        channel: Key<ChannelState>,
        name: &str,
    ) -> Result<Arc<str>, AmqpError> {
        if !name.is_empty() {
            return Ok(name.into());
        }
        let last = self.channel(channel)?.last_queue.clone();
        last.ok_or_else(|| AmqpError::new(Code::NotFound, "no previously declared queue"))
    }

    fn status(&mut self, channel: Key<ChannelState>, key: Key<Queue>) -> Result<QueueStatus, AmqpError> {
        let queue = self.queues.get_mut(key).ok_or(AmqpError::no_queue(""))?;
        queue.touch(&self.clock);
        queue.schedule(key, &mut self.clock);
        let status = QueueStatus {
            name: Arc::clone(&queue.name),
            messages: queue.len(),
            consumers: queue.consumers().len(),
        };
        self.channel(channel)?.last_queue = Some(Arc::clone(&status.name));
        Ok(status)
    }
}
