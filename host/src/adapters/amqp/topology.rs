//! Declaring exchanges, queues and bindings.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};
use loghost_core::domain::{ConsumerName, Filter, Pattern, Severity};

use super::names::Names;

/// How long exchanges last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// For good.
    Durable,
    /// Until their last binding goes.
    Transient,
}

/// Which queue a consumer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueKind {
    /// `loghost.<name>`: durable, one active consumer at a time.
    Named,
    /// One that the broker names, and that goes with the connection.
    Exclusive,
}

/// Something that cannot be declared.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}: {reason}{}", hint(.reason))]
pub(crate) struct TopologyError {
    action: String,
    reason: String,
}

/// What to do about it, where the broker's answer tells.
fn hint(reason: &str) -> &'static str {
    if reason.contains("PRECONDITION_FAILED") || reason.contains("inequivalent") {
        "; it is there already, made otherwise: delete it, or use another --prefix"
    } else if reason.contains("ACCESS_REFUSED") {
        "; give the user configure, write and read permissions on `logs.*` and `loghost.*`"
    } else if reason.contains("RESOURCE_LOCKED") {
        "; it belongs to another connection"
    } else {
        ""
    }
}

/// Declares the exchanges of all severities.
pub(super) async fn exchanges(
    channel: &Channel,
    names: &Names,
    lifetime: Lifetime,
) -> Result<(), TopologyError> {
    let options = ExchangeDeclareOptions {
        durable: lifetime == Lifetime::Durable,
        auto_delete: lifetime == Lifetime::Transient,
        ..ExchangeDeclareOptions::default()
    };
    for severity in Severity::ALL {
        let exchange = names.exchange(severity);
        channel
            .exchange_declare(exchange.into(), ExchangeKind::Topic, options, FieldTable::default())
            .await
            .map_err(|e| failed(format!("declare the exchange `{exchange}`"), &e))?;
    }
    Ok(())
}

/// Declares the consumer's queue and binds it to what `filter` wants; returns its name. Wanted bindings
/// are added before others are removed, so that no log falls between them.
pub(super) async fn queue(
    channel: &Channel,
    names: &Names,
    consumer: &ConsumerName,
    kind: QueueKind,
    filter: &Filter,
) -> Result<String, TopologyError> {
    let queue = declare_queue(channel, names, consumer, kind).await?;
    for severity in filter.severities().iter() {
        for pattern in filter.sources() {
            bind(channel, &queue, names.exchange(severity), pattern.as_str()).await?;
        }
    }
    if kind == QueueKind::Named {
        unbind_others(channel, names, &queue, filter).await?;
    }
    Ok(queue)
}

async fn declare_queue(
    channel: &Channel,
    names: &Names,
    consumer: &ConsumerName,
    kind: QueueKind,
) -> Result<String, TopologyError> {
    let mut arguments = FieldTable::default();
    let (name, options) = match kind {
        QueueKind::Named => {
            arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
            (names.queue(consumer), QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() })
        }
        QueueKind::Exclusive => (
            String::new(),
            QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() },
        ),
    };
    let declared = channel
        .queue_declare(name.as_str().into(), options, arguments)
        .await
        .map_err(|e| failed(format!("declare the queue `{name}` of consumer {consumer}"), &e))?;
    Ok(declared.name().to_string())
}

/// Binds `queue` to `exchange`.
pub(super) async fn bind(
    channel: &Channel,
    queue: &str,
    exchange: &str,
    key: &str,
) -> Result<(), TopologyError> {
    channel
        .queue_bind(
            queue.into(),
            exchange.into(),
            key.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await
        .map_err(|e| failed(format!("bind the queue `{queue}` to the exchange `{exchange}`"), &e))
}

/// Removes the bindings that can be named and are not wanted. AMQP cannot list bindings; one that stays
/// does no harm, because every log is filtered again when it arrives.
async fn unbind_others(
    channel: &Channel,
    names: &Names,
    queue: &str,
    filter: &Filter,
) -> Result<(), TopologyError> {
    let everything = Pattern::everything();
    for severity in Severity::ALL {
        let wanted = filter.severities().contains(severity);
        for pattern in filter.sources().iter().chain([&everything]) {
            if wanted && filter.sources().contains(pattern) {
                continue;
            }
            let exchange = names.exchange(severity);
            channel
                .queue_unbind(queue.into(), exchange.into(), pattern.as_str().into(), FieldTable::default())
                .await
                .map_err(|e| {
                    failed(format!("unbind the queue `{queue}` from the exchange `{exchange}`"), &e)
                })?;
        }
    }
    Ok(())
}

/// Declares where the consumer's dead letters go.
pub(super) async fn dead_letters(
    channel: &Channel,
    names: &Names,
    consumer: &ConsumerName,
) -> Result<(), TopologyError> {
    let (exchange, queue) = (names.dead_exchange(), names.dead_queue(consumer));
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel
        .exchange_declare(exchange.as_str().into(), ExchangeKind::Direct, durable, FieldTable::default())
        .await
        .map_err(|e| failed(format!("declare the exchange `{exchange}`"), &e))?;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel
        .queue_declare(queue.as_str().into(), durable, FieldTable::default())
        .await
        .map_err(|e| failed(format!("declare the queue `{queue}`"), &e))?;
    bind(channel, &queue, &exchange, consumer.as_str()).await
}

pub(super) fn failed(action: String, error: &lapin::Error) -> TopologyError {
    let reason = match error.kind() {
        lapin::ErrorKind::ProtocolError(error) => error.get_message().to_string(),
        _ => error.to_string(),
    };
    TopologyError { action, reason }
}
