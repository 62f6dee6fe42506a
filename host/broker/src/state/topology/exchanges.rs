//! Exchanges and their bindings.

use std::sync::Arc;

use super::{Target, Unless};
use crate::{
    error::{AmqpError, Code, VIRTUAL_HOST},
    memory::Charge,
    state::{
        BrokerState,
        arena::Key,
        channel::ChannelState,
        exchange::{Destination, Exchange, ExchangeSpec},
        names::{check_not_default, check_not_reserved, one_line},
    },
};

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

    pub(in crate::state) fn exchange(&self, name: &str) -> Result<&Exchange, AmqpError> {
        self.exchanges.get(name).ok_or_else(|| AmqpError::no_exchange(name))
    }

    fn drop_exchange(&mut self, name: &str) {
        if let Some(exchange) = self.exchanges.remove(name) {
            self.forget_destination(&Destination::Exchange(exchange.name));
        }
    }

    pub(super) fn forget_destination(&mut self, destination: &Destination) {
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
}
