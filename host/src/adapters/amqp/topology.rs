//! Declaring exchanges and queues. What does not build on each other is asked together, and takes
//! the time of one answer.

use futures_util::future::try_join_all;
use lapin::options::{
    ConfirmSelectOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, ExchangeKind};
use loghost_core::application::SourceError;
use loghost_core::domain::{ConsumerName, Severity};

use tokio::time::timeout;

use super::bindings::bind;
use super::connection::{ConnectError, Connection, Ended, Fault, GOODBYE, fault, reason};
use super::names::Names;
use super::queues::{self, Declared, Lifetime, Plan, QueueOptions};

/// Whose the exchanges are that logs are published to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exchanges {
    /// This host's: they are declared, for good, on every connection.
    Own,
    /// Somebody else's, who looks after them.
    Lent,
}

/// Something that cannot be declared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopologyError {
    /// The broker does not do what it is asked.
    #[error("cannot {action}: {reason}{}", hint(.reason))]
    Failed {
        /// What it was asked.
        action: String,
        /// What it said.
        reason: String,
        /// Whether it would say so again; otherwise it is gone, or not ready.
        refused: bool,
    },
    /// The connection has ended before the broker said anything.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// There is no connection.
    #[error(transparent)]
    NoConnection(#[from] ConnectError),
}

impl TopologyError {
    /// Whether the broker answered, and would say no again.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Failed { refused: true, .. })
    }

    /// Whether the broker answered, and may say something else soon.
    pub(crate) fn is_momentary(&self) -> bool {
        matches!(self, Self::Failed { refused: false, .. })
    }
}

impl From<TopologyError> for SourceError {
    fn from(error: TopologyError) -> Self {
        match error {
            TopologyError::Failed { refused: false, .. } => Self::NotReady(error.into()),
            TopologyError::Ended(_) => Self::Lost(error.into()),
            TopologyError::Failed { .. } => Self::Refused(error.into()),
            TopologyError::NoConnection(error) => Self::Unavailable(error.into()),
        }
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
    declare_exchanges_of(&channel, names, Severity::ALL).await?;
    close(&channel).await;
    Ok(())
}

/// Declares the exchanges of some severities, for good.
pub(super) async fn declare_exchanges_of(
    channel: &Channel,
    names: &Names,
    severities: impl IntoIterator<Item = Severity>,
) -> Result<(), TopologyError> {
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let declaring = severities
        .into_iter()
        .map(|severity| exchange(channel, names.exchange(severity), ExchangeKind::Topic, durable));
    try_join_all(declaring).await?;
    Ok(())
}

/// Declares the exchanges of all severities for as long as the connection lasts, however it ends: they
/// go with their last binding, and each has one here, to a queue of the connection's own.
pub(crate) async fn lend_exchanges(connection: &Connection, names: &Names) -> Result<(), TopologyError> {
    let channel = open_channel(connection).await?;
    let queue = queues::declare_exclusive(&channel).await?.name;
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

/// Declares the consumer's queue, and changes no binding of one that is there. `channel` may be another one
/// afterwards.
pub(super) async fn queue(
    connection: &Connection,
    channel: &mut Channel,
    names: &Names,
    consumer: &ConsumerName,
    options: &QueueOptions,
) -> Result<Declared, TopologyError> {
    match options.lifetime {
        Lifetime::Named => {
            let plan = Plan::of_logs(names, consumer, options.queue_type);
            queues::declare(connection, channel, &plan, options).await
        }
        Lifetime::Exclusive => queues::declare_exclusive(channel).await,
    }
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

/// How a queue is at the moment.
pub(super) struct Look {
    /// How many of its messages are ready.
    pub(super) messages: u32,
    pub(super) consumers: u32,
}

/// How many messages of a queue are ready; none if there is no such queue, which ends the channel.
pub(super) async fn length(channel: &Channel, queue: &str) -> Result<Option<u32>, TopologyError> {
    Ok(look(channel, queue).await?.map(|look| look.messages))
}

/// How a queue is; none if there is no such queue, which ends the channel.
pub(super) async fn look(channel: &Channel, queue: &str) -> Result<Option<Look>, TopologyError> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match channel.queue_declare(queue.into(), options, FieldTable::default()).await {
        Ok(queue) => Ok(Some(Look { messages: queue.message_count(), consumers: queue.consumer_count() })),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(failed(format!("look at the queue `{queue}`"), &error)),
    }
}

/// Whether there is an exchange of this name; if not, the channel ends.
pub(super) async fn exchange_is_there(channel: &Channel, name: &str) -> Result<bool, TopologyError> {
    let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let none = FieldTable::default();
    match channel.exchange_declare(name.into(), ExchangeKind::Topic, passive, none).await {
        Ok(()) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(failed(format!("look at the exchange `{name}`"), &error)),
    }
}

fn is_missing(error: &lapin::Error) -> bool {
    fault(error) == Fault::Missing
}

/// Declares where the consumer's dead letters go. `channel` may be another one afterwards.
pub(super) async fn dead_letters(
    connection: &Connection,
    channel: &mut Channel,
    names: &Names,
    consumer: &ConsumerName,
    options: &QueueOptions,
) -> Result<(), TopologyError> {
    let dead = names.dead_exchange();
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    exchange(channel, &dead, ExchangeKind::Direct, durable).await?;
    let plan = Plan::of_dead_letters(names, consumer, options.queue_type);
    let queue = queues::declare(connection, channel, &plan, options).await?.name;
    bind(channel, &queue, &dead, consumer.as_str()).await
}

/// Deletes the queues of these consumers, those of their dead letters too, with all that is in them. What
/// is not there need not be deleted.
pub(crate) async fn delete_queues(
    connection: &Connection,
    names: &Names,
    consumers: impl IntoIterator<Item = &ConsumerName>,
) -> Result<(), TopologyError> {
    let channel = open_channel(connection).await?;
    for consumer in consumers {
        for queue in [names.queue(consumer), names.dead_queue(consumer)] {
            let deleted = channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await;
            deleted.map_err(|e| failed(format!("delete the queue `{queue}`"), &e))?;
        }
    }
    close(&channel).await;
    Ok(())
}

/// Deletes the exchanges of all severities, and that of the dead letters.
pub(crate) async fn delete_exchanges(connection: &Connection, names: &Names) -> Result<(), TopologyError> {
    let channel = open_channel(connection).await?;
    let dead = names.dead_exchange();
    let exchanges = Severity::ALL.map(|severity| names.exchange(severity));
    for exchange in exchanges.into_iter().chain([dead.as_str()]) {
        let deleted = channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await;
        deleted.map_err(|e| failed(format!("delete the exchange `{exchange}`"), &e))?;
    }
    close(&channel).await;
    Ok(())
}

/// Gives a channel up: a connection has only so many. After an error it is closed already.
pub(super) async fn close(channel: &Channel) {
    // What a broker does not hear it finds out.
    let _ = timeout(GOODBYE, channel.close(200, ShortString::from("done"))).await;
}

/// Opens a channel.
pub(super) async fn open_channel(connection: &Connection) -> Result<Channel, TopologyError> {
    connection.channel().await.map_err(|e| failed("open a channel".to_owned(), &e))
}

/// Opens a channel whose messages the broker confirms.
pub(super) async fn open_confirming_channel(connection: &Connection) -> Result<Channel, TopologyError> {
    let channel = open_channel(connection).await?;
    confirm(&channel).await?;
    Ok(channel)
}

/// Has the broker confirm the messages of a channel.
pub(super) async fn confirm(channel: &Channel) -> Result<(), TopologyError> {
    let options = ConfirmSelectOptions::default();
    channel.confirm_select(options).await.map_err(|e| failed("ask for publisher confirms".to_owned(), &e))
}

pub(super) fn failed(action: String, error: &lapin::Error) -> TopologyError {
    let refused = fault(error) != Fault::Elsewhere && !is_missing(error);
    TopologyError::Failed { action, reason: reason(error), refused }
}
