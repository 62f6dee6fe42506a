//! Declaring, binding and deleting exchanges and queues.

use std::sync::Arc;

use super::{
    BrokerState,
    arena::Key,
    channel::ChannelState,
    clock::Moment,
    exchange::{Destination, Exchange, ExchangeSpec},
    names::{check_not_default, check_not_reserved, generated_name, locked, one_line},
    queue::{Queue, QueueSpec},
};
use crate::{
    error::{AmqpError, Code, VIRTUAL_HOST},
    memory::Charge,
};

/// What `queue.declare-ok` reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueueStatus {
    pub(crate) name: Arc<str>,
    pub(crate) messages: usize,
    pub(crate) consumers: usize,
}

/// When a deletion is to be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unless {
    pub(crate) used: bool,
    pub(crate) filled: bool,
}

/// An end of a binding that is not the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    Queue(&'a str),
    Exchange(&'a str),
}

impl BrokerState {
    pub(crate) fn declare_exchange(&mut self, name: &str, spec: ExchangeSpec) -> Result<(), AmqpError> {
        let name = &*one_line(name);
        check_not_default(name)?;
        if let Some(exchange) = self.exchanges.get(name) {
            return exchange.check_equivalent(&spec);
        }
        check_not_reserved("exchange", name)?;
        let charge = Charge::new(&self.memory, &[name])?;
        let name: Arc<str> = name.into();
        self.exchanges.insert(Arc::clone(&name), Exchange::new(name, spec, Some(charge)));
        Ok(())
    }

    /// A passive declaration.
    pub(crate) fn check_exchange(&self, name: &str) -> Result<(), AmqpError> {
        let name = &*one_line(name);
        check_not_default(name)?;
        self.exchange(name).map(|_| ())
    }

    pub(crate) fn delete_exchange(&mut self, name: &str, unless: Unless) -> Result<(), AmqpError> {
        let name = &*one_line(name);
        check_not_default(name)?;
        if name.starts_with("amq.") {
            return Err(AmqpError::access_refused(format!(
                "deletion of system exchange '{name}' in vhost '{VIRTUAL_HOST}' not allowed"
            )));
        }
        // As in RabbitMQ, what is not there has been deleted.
        let Some(exchange) = self.exchanges.get(name) else {
            return Ok(());
        };
        if unless.used && exchange.is_bound() {
            return Err(AmqpError::precondition(format!(
                "exchange '{name}' in vhost '{VIRTUAL_HOST}' in use"
            )));
        }
        self.drop_exchange(name);
        Ok(())
    }

    pub(crate) fn bind(
        &mut self,
        channel: Key<ChannelState>,
        source: &str,
        target: Target<'_>,
        routing_key: &str,
    ) -> Result<(), AmqpError> {
        check_not_default(source)?;
        self.exchange(source)?;
        let destination = self.destination(channel, target)?;
        let key = self.routing_key(channel, target, routing_key)?;
        match self.exchanges.get_mut(source) {
            Some(exchange) => exchange.bind(&key, destination, &self.memory),
            None => Ok(()),
        }
    }

    /// As in `RabbitMQ`, it does no harm to unbind what is not bound, or not there.
    pub(crate) fn unbind(
        &mut self,
        channel: Key<ChannelState>,
        source: &str,
        target: Target<'_>,
        routing_key: &str,
    ) -> Result<(), AmqpError> {
        check_not_default(source)?;
        let key = self.routing_key(channel, target, routing_key)?;
        let destination = match self.destination(channel, target) {
            Err(error) if error.code == Code::NotFound => return Ok(()),
            found => found?,
        };
        let exchange = self.exchanges.get_mut(source);
        if exchange.is_some_and(|exchange| exchange.unbind(&key, &destination)) {
            self.after_unbinding(source);
        }
        Ok(())
    }

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
    pub(super) fn find_queue(
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

    pub(super) fn exchange(&self, name: &str) -> Result<&Exchange, AmqpError> {
        self.exchanges.get(name).ok_or_else(|| AmqpError::no_exchange(name))
    }

    /// Removes it with its bindings, and tells its consumers. Says how many messages were ready.
    pub(super) fn drop_queue(&mut self, key: Key<Queue>) -> usize {
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

    fn drop_exchange(&mut self, name: &str) {
        if let Some(exchange) = self.exchanges.remove(name) {
            self.forget_destination(&Destination::Exchange(exchange.name));
        }
    }

    fn forget_destination(&mut self, destination: &Destination) {
        let mut unbound = Vec::new();
        for exchange in self.exchanges.values_mut() {
            if exchange.unbind_all(destination) {
                unbound.push(Arc::clone(&exchange.name));
            }
        }
        for source in unbound {
            self.after_unbinding(&source);
        }
    }

    /// An auto-delete exchange goes with its last binding.
    fn after_unbinding(&mut self, source: &str) {
        let exchange = self.exchanges.get(source);
        if exchange.is_some_and(|exchange| exchange.spec.auto_delete && !exchange.is_bound()) {
            self.drop_exchange(source);
        }
    }

    fn destination(
        &mut self,
        channel: Key<ChannelState>,
        target: Target<'_>,
    ) -> Result<Destination, AmqpError> {
        match target {
            Target::Queue(name) => self.find_queue(channel, name).map(Destination::Queue),
            Target::Exchange(name) => {
                check_not_default(name)?;
                let exchange = self.exchange(name)?;
                Ok(Destination::Exchange(Arc::clone(&exchange.name)))
            }
        }
    }

    /// The key of a binding: with neither queue nor key given, the name of the last queue.
    fn routing_key(
        &mut self,
        channel: Key<ChannelState>,
        target: Target<'_>,
        routing_key: &str,
    ) -> Result<Arc<str>, AmqpError> {
        match target {
            Target::Queue("") if routing_key.is_empty() => self.queue_name(channel, ""),
            _ => Ok(routing_key.into()),
        }
    }

    fn queue_name(&mut self, channel: Key<ChannelState>, name: &str) -> Result<Arc<str>, AmqpError> {
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
