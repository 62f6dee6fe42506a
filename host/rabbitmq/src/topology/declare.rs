//! Declaring exchanges and queues. What does not build on each other is asked together, and takes
//! the time of one answer. What a user may not declare need only be there.

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

use crate::connection::advice::advice;
use crate::connection::open::{ConnectError, Connection, Ended, Fault, GOODBYE, fault, reason};
use crate::connection::refusals::Right;
use crate::message::names::Names;
use crate::topology::bindings::bind;
use crate::topology::queues::{self, Declared, Lifetime, Plan, QueueOptions};

/// Whose the exchanges are that logs are published to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchanges {
    /// This host's: they are declared, for good, on every connection.
    Own,
    /// Somebody else's, who looks after them.
    Lent,
}

/// Something that cannot be declared.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// The broker does not do what it is asked.
    #[error("cannot {action}: {reason}{}", hint(.action, .reason, *.fault))]
    Failed {
        /// What it was asked.
        action: String,
        /// What it said.
        reason: String,
        /// Where the fault is.
        fault: Fault,
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
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Failed { fault, .. } => matches!(fault, Fault::Ours | Fault::Permission),
            Self::NoConnection(error) => error.is_refusal(),
            Self::Ended(_) => false,
        }
    }

    /// Whether the user may not do it.
    pub(crate) fn is_access_refused(&self) -> bool {
        matches!(self, Self::Failed { fault: Fault::Permission, .. })
    }

    /// Whether there is nothing of the name that was used.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Failed { fault: Fault::Missing, .. })
    }

    /// Whether the broker answered, and may say something else soon.
    pub fn is_momentary(&self) -> bool {
        matches!(self, Self::Failed { fault: Fault::Elsewhere | Fault::Missing, .. })
    }
}

impl From<TopologyError> for SourceError {
    fn from(error: TopologyError) -> Self {
        match error {
            error if error.is_refusal() => Self::Refused(error.into()),
            TopologyError::Failed { .. } => Self::NotReady(error.into()),
            TopologyError::Ended(_) => Self::Lost(error.into()),
            TopologyError::NoConnection(error) => Self::Unavailable(error.into()),
        }
    }
}

/// What to do about it, where the broker's answer tells.
fn hint(action: &str, reason: &str, fault: Fault) -> String {
    if fault != Fault::Permission || advice(reason).is_some() {
        return crate::connection::advice::hint(reason);
    }
    let by_another = ", or somebody who has that runs `loghost run PLUGIN --declare-only`";
    // The first word of what was to be done says which permission that takes.
    let (needed, otherwise) = match action.split(' ').next() {
        Some("declare" | "delete") => ("the permission to configure it", by_another),
        Some("bind" | "unbind") => {
            ("the permissions to write to the queue and to read the exchange", by_another)
        }
        Some("consume") => ("the permission to read it", ""),
        Some("write") => ("the permission to write to it", ""),
        _ => ("more permissions", ""),
    };
    format!("; the user needs {needed} (`rabbitmqctl set_permissions`){otherwise}")
}

/// Makes sure of the exchanges of some severities.
pub(crate) async fn declare_exchanges(
    connection: &Connection,
    names: &Names,
    severities: impl IntoIterator<Item = Severity>,
) -> Result<(), TopologyError> {
    let mut channel = open_channel(connection).await?;
    let exchanges: Vec<&str> = severities.into_iter().map(|severity| names.exchange(severity)).collect();
    if exchanges.iter().all(|name| !connection.refusals.has(Right::Configure, name)) {
        let declaring = exchanges.iter().map(|name| exchange(&channel, name, ExchangeKind::Topic, DURABLE));
        match try_join_all(declaring).await {
            Err(error) if error.is_access_refused() => channel = open_channel(connection).await?,
            declared => {
                declared?;
                close(&channel).await;
                return Ok(());
            }
        }
    }
    // One of them was refused, and has ended the channel for all.
    for name in exchanges {
        lasting_exchange(connection, &mut channel, name, ExchangeKind::Topic).await?;
    }
    close(&channel).await;
    Ok(())
}

/// Declares an exchange for good, or finds it there if the user may not declare it. `channel` may be another one
/// afterwards.
async fn lasting_exchange(
    connection: &Connection,
    channel: &mut Channel,
    name: &str,
    kind: ExchangeKind,
) -> Result<(), TopologyError> {
    if !connection.refusals.has(Right::Configure, name) {
        match exchange(channel, name, kind, DURABLE).await {
            Err(error) if error.is_access_refused() => {}
            declared => return declared,
        }
        connection.refusals.add(Right::Configure, name);
        *channel = open_channel(connection).await?;
    }
    match exchange_is_there(channel, name).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            *channel = open_channel(connection).await?;
            Err(not_there(connection, "exchange", name))
        }
        // RabbitMQ 4 lets nobody look who may do nothing with it: whoever needs to is told so.
        Err(error) if error.is_access_refused() => {
            *channel = open_channel(connection).await?;
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// The error where something is missing that the user may not declare, as the broker said before; the next time it is
/// asked again.
pub(crate) fn not_there(connection: &Connection, what: &str, name: &str) -> TopologyError {
    connection.refusals.forget(Right::Configure, name);
    let action = format!("declare the {what} `{name}`");
    let reason = "ACCESS_REFUSED: it is not there, and the user may not declare it".to_owned();
    TopologyError::Failed { action, reason, fault: Fault::Permission }
}

const DURABLE: ExchangeDeclareOptions = ExchangeDeclareOptions {
    passive: false,
    durable: true,
    auto_delete: false,
    internal: false,
    nowait: false,
};

/// Declares the exchanges of all severities for as long as the connection lasts, however it ends: they
/// go with their last binding, and each has one here, to a queue of the connection's own.
pub async fn lend_exchanges(connection: &Connection, names: &Names) -> Result<(), TopologyError> {
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
pub(crate) async fn queue(
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
pub(crate) struct Look {
    /// How many of its messages are ready.
    pub(crate) messages: u32,
    pub(crate) consumers: u32,
}

/// How many messages of a queue are ready; none if there is no such queue, which ends the channel.
pub(crate) async fn length(channel: &Channel, queue: &str) -> Result<Option<u32>, TopologyError> {
    Ok(look(channel, queue).await?.map(|look| look.messages))
}

/// How a queue is; none if there is no such queue, which ends the channel.
pub(crate) async fn look(channel: &Channel, queue: &str) -> Result<Option<Look>, TopologyError> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match channel.queue_declare(queue.into(), options, FieldTable::default()).await {
        Ok(queue) => Ok(Some(Look { messages: queue.message_count(), consumers: queue.consumer_count() })),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(failed(format!("look at the queue `{queue}`"), &error)),
    }
}

/// Whether there is an exchange of this name; if not, the channel ends.
pub(crate) async fn exchange_is_there(channel: &Channel, name: &str) -> Result<bool, TopologyError> {
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
pub(crate) async fn dead_letters(
    connection: &Connection,
    channel: &mut Channel,
    names: &Names,
    consumer: &ConsumerName,
    options: &QueueOptions,
) -> Result<(), TopologyError> {
    let dead = names.dead_exchange();
    lasting_exchange(connection, channel, &dead, ExchangeKind::Direct).await?;
    let plan = Plan::of_dead_letters(names, consumer, options.queue_type);
    let queue = queues::declare(connection, channel, &plan, options).await?.name;
    if connection.refusals.has(Right::Bind, &queue) {
        return Ok(());
    }
    match bind(channel, &queue, &dead, consumer.as_str()).await {
        // It may be bound already: if not, a dead letter comes back, and says so.
        Err(error) if error.is_access_refused() => {
            connection.refusals.add(Right::Bind, &queue);
            *channel = open_channel(connection).await?;
            Ok(())
        }
        bound => bound,
    }
}

/// Deletes the queues of these consumers, those of their dead letters too, with all that is in them. What
/// is not there need not be deleted.
pub async fn delete_queues(
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
pub async fn delete_exchanges(connection: &Connection, names: &Names) -> Result<(), TopologyError> {
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
pub(crate) async fn close(channel: &Channel) {
    // What a broker does not hear it finds out.
    let _ = timeout(GOODBYE, channel.close(200, ShortString::from("done"))).await;
}

/// Opens a channel.
pub(crate) async fn open_channel(connection: &Connection) -> Result<Channel, TopologyError> {
    connection.channel().await.map_err(|e| failed("open a channel".to_owned(), &e))
}

/// Opens a channel whose messages the broker confirms.
pub(crate) async fn open_confirming_channel(connection: &Connection) -> Result<Channel, TopologyError> {
    let channel = open_channel(connection).await?;
    confirm(&channel).await?;
    Ok(channel)
}

/// Has the broker confirm the messages of a channel.
pub(crate) async fn confirm(channel: &Channel) -> Result<(), TopologyError> {
    let options = ConfirmSelectOptions::default();
    channel.confirm_select(options).await.map_err(|e| failed("ask for publisher confirms".to_owned(), &e))
}

pub(crate) fn failed(action: String, error: &lapin::Error) -> TopologyError {
    TopologyError::Failed { action, reason: reason(error), fault: fault(error) }
}
