//! The methods of a channel that declare, bind and delete.

use amq_protocol::protocol::{AMQPClass, exchange, queue};

use super::{
    Channel,
    arguments::{exchange_spec, queue_spec},
    unexpected_method,
};
use crate::{
    client::Client,
    error::AmqpError,
    state::topology::{Target, Unless},
};

impl Channel {
    pub(super) fn exchange(
        &mut self,
        method: exchange::AMQPMethod,
        client: &Client,
    ) -> Result<(), AmqpError> {
        let mut state = client.shared.state();
        let (ok, nowait) = match method {
            exchange::AMQPMethod::Declare(declare) => {
                let name = declare.exchange.as_str();
                if declare.passive {
                    state.check_exchange(name)?;
                } else {
                    state.declare_exchange(name, exchange_spec(&declare)?)?;
                }
                let ok = exchange::AMQPMethod::DeclareOk(exchange::DeclareOk {});
                (ok, declare.nowait)
            }
            exchange::AMQPMethod::Delete(delete) => {
                let unless = Unless { used: delete.if_unused, filled: false };
                state.delete_exchange(delete.exchange.as_str(), unless)?;
                let ok = exchange::AMQPMethod::DeleteOk(exchange::DeleteOk {});
                (ok, delete.nowait)
            }
            exchange::AMQPMethod::Bind(bind) => {
                let (source, target) = (&bind.source, Target::Exchange(bind.destination.as_str()));
                state.bind(self.key, source.as_str(), target, bind.routing_key.as_str())?;
                let ok = exchange::AMQPMethod::BindOk(exchange::BindOk {});
                (ok, bind.nowait)
            }
            exchange::AMQPMethod::Unbind(unbind) => {
                let target = Target::Exchange(unbind.destination.as_str());
                let (source, key) = (unbind.source.as_str(), unbind.routing_key.as_str());
                state.unbind(self.key, source, target, key)?;
                let ok = exchange::AMQPMethod::UnbindOk(exchange::UnbindOk {});
                (ok, unbind.nowait)
            }
            _ => return Err(unexpected_method()),
        };
        if !nowait {
            self.reply(client, AMQPClass::Exchange(ok));
        }
        Ok(())
    }

    pub(super) fn queue(&mut self, method: queue::AMQPMethod, client: &Client) -> Result<(), AmqpError> {
        let mut state = client.shared.state();
        let (ok, nowait) = match method {
            queue::AMQPMethod::Declare(declare) => {
                let name = declare.queue.as_str();
                let status = if declare.passive {
                    state.check_queue(self.key, name)?
                } else {
                    state.declare_queue(self.key, name, queue_spec(&declare)?)?
                };
                let ok = queue::DeclareOk {
                    queue: (&*status.name).into(),
                    message_count: count(status.messages),
                    consumer_count: count(status.consumers),
                };
                (queue::AMQPMethod::DeclareOk(ok), declare.nowait)
            }
            queue::AMQPMethod::Bind(bind) => {
                let (source, target) = (&bind.exchange, Target::Queue(bind.queue.as_str()));
                state.bind(self.key, source.as_str(), target, bind.routing_key.as_str())?;
                (queue::AMQPMethod::BindOk(queue::BindOk {}), bind.nowait)
            }
            queue::AMQPMethod::Unbind(unbind) => {
                let target = Target::Queue(unbind.queue.as_str());
                let (source, key) = (unbind.exchange.as_str(), unbind.routing_key.as_str());
                state.unbind(self.key, source, target, key)?;
                (queue::AMQPMethod::UnbindOk(queue::UnbindOk {}), false)
            }
            queue::AMQPMethod::Purge(purge) => {
                let purged = state.purge_queue(self.key, purge.queue.as_str())?;
                let ok = queue::PurgeOk { message_count: count(purged) };
                (queue::AMQPMethod::PurgeOk(ok), purge.nowait)
            }
            queue::AMQPMethod::Delete(delete) => {
                let unless = Unless { used: delete.if_unused, filled: delete.if_empty };
                let deleted = state.delete_queue(self.key, delete.queue.as_str(), unless)?;
                let ok = queue::DeleteOk { message_count: count(deleted) };
                (queue::AMQPMethod::DeleteOk(ok), delete.nowait)
            }
            _ => return Err(unexpected_method()),
        };
        if !nowait {
            self.reply(client, AMQPClass::Queue(ok));
        }
        Ok(())
    }
}

fn count(messages: usize) -> u32 {
    u32::try_from(messages).unwrap_or(u32::MAX)
}
