//! The arguments of declarations, which extend the protocol.
//!
//! Source: `RabbitMQ`, "Queues", "Optional Arguments". As there, unknown arguments are ignored. Those that `RabbitMQ`
//! has and this broker lacks are refused, because a client relies on what is accepted.

use amq_protocol::{
    protocol::{exchange, queue},
    types::{AMQPValue, FieldTable},
};

use crate::{
    error::{AmqpError, VIRTUAL_HOST},
    state::{
        exchange::ExchangeSpec,
        policy::{Overflow, Policy},
        queue::{Consumption, QueueKind, QueueSpec},
    },
};

pub(super) fn exchange_spec(declare: &exchange::Declare) -> Result<ExchangeSpec, AmqpError> {
    let kind = declare.kind.as_str().parse()?;
    let alternate = match declare.arguments.inner().get("alternate-exchange") {
        None => None,
        Some(AMQPValue::LongString(name)) => Some(name.to_string().into()),
        Some(_) => {
            return Err(AmqpError::precondition(format!(
                "invalid arg 'alternate-exchange' for exchange '{}' in vhost '{VIRTUAL_HOST}': expected a string",
                declare.exchange
            )));
        }
    };
    Ok(ExchangeSpec {
        kind,
        durable: declare.durable,
        auto_delete: declare.auto_delete,
        internal: declare.internal,
        alternate,
    })
}

pub(super) fn queue_spec(declare: &queue::Declare) -> Result<QueueSpec, AmqpError> {
    let mut spec = QueueSpec {
        durable: declare.durable,
        exclusive: declare.exclusive,
        auto_delete: declare.auto_delete,
        consumption: Consumption::Shared,
        kind: QueueKind::Classic,
        policy: Policy::NONE,
    };
    for (name, value) in &declare.arguments {
        argument(&mut spec, name.as_str(), value)?;
    }
    let name = declare.queue.as_str();
    if spec.kind == QueueKind::Classic && spec.policy.delivery_limit.is_some() {
        return Err(AmqpError::precondition(format!(
            "invalid arg 'x-delivery-limit' for queue '{name}' in vhost '{VIRTUAL_HOST}' of queue type classic"
        )));
    }
    if spec.policy.dead_letter_key.is_some() && spec.policy.dead_letter_exchange.is_none() {
        return Err(AmqpError::precondition(format!(
            "invalid arg 'x-dead-letter-routing-key' for queue '{name}' in vhost '{VIRTUAL_HOST}': \
             there is no x-dead-letter-exchange"
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

/// Reads an argument of a queue: one that has an effect here, or one that asks for what is always so. A quorum queue
/// is in memory like any other, and has no delivery limit.
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
            b"stream" => {
                let text = "queue type 'stream': RabbitMQ has streams, from 3.9 on";
                return Err(AmqpError::not_implemented(text));
            }
            _ => return Err(AmqpError::not_implemented(format!("queue type '{kind}'"))),
        },
        ("x-queue-type", _) => return Err(invalid("a string")),
        ("x-delivery-limit", value) => {
            spec.policy.delivery_limit = Some(integer(value).ok_or_else(|| invalid("a number"))?);
        }
        (name, value) => return policy_argument(&mut spec.policy, name, value),
    }
    Ok(())
}

fn policy_argument(policy: &mut Policy, name: &str, value: &AMQPValue) -> Result<(), AmqpError> {
    let invalid =
        |expected| AmqpError::precondition(format!("invalid arg '{name}' for a queue: expected {expected}"));
    let number = || {
        integer(value)
            .and_then(|n| u64::try_from(n).ok())
            .ok_or_else(|| invalid("a number that is not negative"))
    };
    let millis =
        || number().and_then(|n| n.try_into().map_err(|_| invalid("milliseconds, at most 4294967295")));
    let text = || match value {
        AMQPValue::LongString(text) => Ok(text.to_string()),
        _ => Err(invalid("a string")),
    };
    match name {
        "x-message-ttl" => policy.message_ttl = Some(millis()?),
        "x-expires" => match millis()? {
            0 => return Err(invalid("a number greater than 0")),
            millis => policy.expires = Some(millis),
        },
        "x-max-length" => policy.max_length = Some(number()?),
        "x-max-length-bytes" => policy.max_bytes = Some(number()?),
        "x-overflow" => match text()?.as_str() {
            "drop-head" => policy.overflow = Overflow::DropHead,
            "reject-publish" => policy.overflow = Overflow::RejectPublish,
            "reject-publish-dlx" => {
                return Err(AmqpError::not_implemented("x-overflow 'reject-publish-dlx'"));
            }
            _ => return Err(invalid("'drop-head' or 'reject-publish'")),
        },
        "x-dead-letter-exchange" => policy.dead_letter_exchange = Some(text()?.into()),
        "x-dead-letter-routing-key" => {
            let key = text()?;
            if key.len() > 255 {
                return Err(invalid("at most 255 octets"));
            }
            policy.dead_letter_key = Some(key.into());
        }
        "x-max-priority" => return Err(AmqpError::not_implemented("argument 'x-max-priority'")),
        _ => {}
    }
    Ok(())
}

/// Of the arguments of `basic.consume`, one matters in `RabbitMQ`.
pub(super) fn check_consumer(arguments: &FieldTable) -> Result<(), AmqpError> {
    if arguments.contains_key("x-priority") {
        return Err(AmqpError::not_implemented("argument 'x-priority'"));
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
