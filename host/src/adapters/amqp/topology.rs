//! Declaring exchanges, queues and bindings.

use lapin::options::{ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};
use loghost_core::domain::{ConsumerName, Filter, Pattern, Severity};

use super::connection::{Connection, reason};
use super::names::Names;

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
    refused: bool,
}

impl TopologyError {
    /// Whether the broker answered, and said no; otherwise the connection is gone.
    pub(crate) fn is_refusal(&self) -> bool {
        self.refused
    }
}

/// What to do about it, where the broker's answer tells.
fn hint(reason: &str) -> &'static str {
    if reason.contains("PRECONDITION_FAILED") || reason.contains("inequivalent") {
        "; it is there already, made otherwise: delete it, or use another --prefix"
    } else if reason.contains("ACCESS_REFUSED") {
        "; give the user permission: rabbitmqctl set_permissions -p VHOST USER '.*' '.*' '.*'"
    } else if reason.contains("RESOURCE_LOCKED") {
        "; it belongs to another connection"
    } else {
        ""
    }
}

/// Declares the exchanges of all severities, for good.
pub(crate) async fn declare_exchanges(connection: &Connection, names: &Names) -> Result<(), TopologyError> {
    let channel = open_channel(connection).await?;
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    for severity in Severity::ALL {
        exchange(&channel, names.exchange(severity), ExchangeKind::Topic, durable).await?;
    }
    Ok(())
}

/// Declares the exchanges of all severities for as long as the connection lasts, however it ends: they
/// go with their last binding, and each has one here, to a queue of the connection's own.
pub(crate) async fn lend_exchanges(connection: &Connection, names: &Names) -> Result<(), TopologyError> {
    let channel = open_channel(connection).await?;
    let exclusive = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    let queue = declare_queue(&channel, "", exclusive, FieldTable::default()).await?;
    let transient = ExchangeDeclareOptions { auto_delete: true, ..ExchangeDeclareOptions::default() };
    for severity in Severity::ALL {
        let name = names.exchange(severity);
        // Sent together, so that no exchange is left without a binding. The key is no source of any log.
        let (declared, bound) = tokio::join!(
            exchange(&channel, name, ExchangeKind::Topic, transient),
            bind(&channel, &queue, name, &queue)
        );
        declared.and(bound)?;
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
    let mut arguments = FieldTable::default();
    let (name, options) = match kind {
        QueueKind::Named => {
            arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
            (names.queue(consumer), QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() })
        }
        QueueKind::Exclusive => {
            let options =
                QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
            (String::new(), options)
        }
    };
    let queue = declare_queue(channel, &name, options, arguments).await?;
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
    name: &str,
    options: QueueDeclareOptions,
    arguments: FieldTable,
) -> Result<String, TopologyError> {
    let declared = channel
        .queue_declare(name.into(), options, arguments)
        .await
        .map_err(|e| failed(format!("declare the queue `{name}`"), &e))?;
    Ok(declared.name().to_string())
}

async fn exchange(
    channel: &Channel,
    name: &str,
    kind: ExchangeKind,
    options: ExchangeDeclareOptions,
) -> Result<(), TopologyError> {
    channel
        .exchange_declare(name.into(), kind, options, FieldTable::default())
        .await
        .map_err(|e| failed(format!("declare the exchange `{name}`"), &e))
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
    let (dead, queue) = (names.dead_exchange(), names.dead_queue(consumer));
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    exchange(channel, &dead, ExchangeKind::Direct, durable).await?;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    declare_queue(channel, &queue, durable, FieldTable::default()).await?;
    bind(channel, &queue, &dead, consumer.as_str()).await
}

/// Opens a channel.
pub(super) async fn open_channel(connection: &Connection) -> Result<Channel, TopologyError> {
    connection.channel().await.map_err(|e| failed("open a channel".to_owned(), &e))
}

/// Opens a channel whose messages the broker confirms.
pub(super) async fn open_confirming_channel(connection: &Connection) -> Result<Channel, TopologyError> {
    let channel = open_channel(connection).await?;
    let options = ConfirmSelectOptions::default();
    channel.confirm_select(options).await.map_err(|e| failed("ask for publisher confirms".to_owned(), &e))?;
    Ok(channel)
}

pub(super) fn failed(action: String, error: &lapin::Error) -> TopologyError {
    TopologyError { action, reason: reason(error), refused: error.is_amqp_error() }
}
