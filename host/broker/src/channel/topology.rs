//! The methods of a channel that declare, bind and delete.

use amq_protocol::{
    protocol::{AMQPClass, exchange, queue},
    types::AMQPValue,
};

use super::{Channel, out_of_place, refuse_arguments};
use crate::{
    client::Client,
    error::{AmqpError, VIRTUAL_HOST},
    state::{
        exchange::ExchangeSpec,
        queue::{Consumption, QueueKind, QueueSpec},
        topology::{Target, Unless},
    },
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
                refuse_arguments(&bind.arguments)?;
                let (source, target) = (&bind.source, Target::Exchange(bind.destination.as_str()));
                state.bind(self.key, source.as_str(), target, bind.routing_key.as_str())?;
                let ok = exchange::AMQPMethod::BindOk(exchange::BindOk {});
                (ok, bind.nowait)
            }
            exchange::AMQPMethod::Unbind(unbind) => {
                refuse_arguments(&unbind.arguments)?;
                let target = Target::Exchange(unbind.destination.as_str());
                let (source, key) = (unbind.source.as_str(), unbind.routing_key.as_str());
                state.unbind(self.key, source, target, key)?;
                let ok = exchange::AMQPMethod::UnbindOk(exchange::UnbindOk {});
                (ok, unbind.nowait)
            }
            _ => return Err(out_of_place()),
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
                refuse_arguments(&bind.arguments)?;
                let (source, target) = (&bind.exchange, Target::Queue(bind.queue.as_str()));
                state.bind(self.key, source.as_str(), target, bind.routing_key.as_str())?;
                (queue::AMQPMethod::BindOk(queue::BindOk {}), bind.nowait)
            }
            queue::AMQPMethod::Unbind(unbind) => {
                refuse_arguments(&unbind.arguments)?;
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
            _ => return Err(out_of_place()),
        };
        if !nowait {
            self.reply(client, AMQPClass::Queue(ok));
        }
        Ok(())
    }
}

fn exchange_spec(declare: &exchange::Declare) -> Result<ExchangeSpec, AmqpError> {
    let kind = declare.kind.as_str().parse()?;
    refuse_arguments(&declare.arguments)?;
    Ok(ExchangeSpec {
        kind,
        durable: declare.durable,
        auto_delete: declare.auto_delete,
        internal: declare.internal,
    })
}

fn queue_spec(declare: &queue::Declare) -> Result<QueueSpec, AmqpError> {
    let mut spec = QueueSpec {
        durable: declare.durable,
        exclusive: declare.exclusive,
        auto_delete: declare.auto_delete,
        consumption: Consumption::Shared,
        kind: QueueKind::Classic,
        delivery_limit: None,
    };
    for (name, value) in &declare.arguments {
        argument(&mut spec, name.as_str(), value)?;
    }
    let name = declare.queue.as_str();
    if spec.kind == QueueKind::Classic && spec.delivery_limit.is_some() {
        return Err(AmqpError::precondition(format!(
            "invalid arg 'x-delivery-limit' for queue '{name}' in vhost '{VIRTUAL_HOST}' of queue type classic"
        )));
    }
    let unfit =
        [(!spec.durable, "non-durable"), (spec.exclusive, "exclusive"), (spec.auto_delete, "auto-delete")];
    match unfit.into_iter().find(|(unfit, _)| *unfit && spec.kind == QueueKind::Quorum) {
        Some((_, property)) => Err(AmqpError::precondition(format!(
            "invalid property '{property}' for queue '{name}' in vhost '{VIRTUAL_HOST}'"
        ))),
        None => Ok(spec),
    }
}

/// Takes an argument of a queue: one that matters here, or one that says what is so anyway. A quorum queue is in
/// memory as any other, and gives back what is requeued however often.
fn argument(spec: &mut QueueSpec, name: &str, value: &AMQPValue) -> Result<(), AmqpError> {
    let invalid =
        |expected| AmqpError::precondition(format!("invalid arg '{name}' for a queue: expected {expected}"));
    match (name, value) {
        ("x-single-active-consumer", AMQPValue::Boolean(single)) => {
            spec.consumption = if *single { Consumption::SingleActive } else { Consumption::Shared };
        }
        ("x-single-active-consumer", _) => return Err(invalid("a boolean")),
        ("x-queue-type", AMQPValue::LongString(kind)) => match kind.as_bytes() {
            b"classic" => spec.kind = QueueKind::Classic,
            b"quorum" => spec.kind = QueueKind::Quorum,
            _ => return Err(AmqpError::not_implemented(format!("queue type '{kind}'"))),
        },
        ("x-queue-type", _) => return Err(invalid("a string")),
        ("x-delivery-limit", value) => {
            spec.delivery_limit = Some(integer(value).ok_or_else(|| invalid("a number"))?);
        }
        _ => return Err(AmqpError::not_implemented(format!("argument '{name}'"))),
    }
    Ok(())
}

fn integer(value: &AMQPValue) -> Option<i64> {
    match *value {
        AMQPValue::ShortShortInt(n) => Some(n.into()),
        AMQPValue::ShortShortUInt(n) => Some(n.into()),
        AMQPValue::ShortInt(n) => Some(n.into()),
        AMQPValue::ShortUInt(n) => Some(n.into()),
        AMQPValue::LongInt(n) => Some(n.into()),
        AMQPValue::LongUInt(n) => Some(n.into()),
        AMQPValue::LongLongInt(n) => Some(n),
        _ => None,
    }
}

fn count(messages: usize) -> u32 {
    u32::try_from(messages).unwrap_or(u32::MAX)
}
