//! Declaring what consumers and publishers need. Declarations that do not depend on each other are sent together, and take
//! the time of one answer. What the user may not declare need only exist.

use futures_util::future::try_join_all;
use lapin::options::ExchangeDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Channel, ExchangeKind};
use loghost_core::domain::{ConsumerName, Severity};

use crate::connection::denied_rights::Right;
use crate::connection::fault::Fault;
use crate::connection::open::Connection;
use crate::message::exchange_type::ExchangeType;
use crate::message::names::Names;
use crate::topology::bindings::bind;
use crate::topology::channel::{close, open_channel};
use crate::topology::declare_queue::{self, Declared, UNNAMED};
use crate::topology::error::{TopologyError, failed};
use crate::topology::event::TopologyEvent;
use crate::topology::look::exchange_exists;
use crate::topology::queue_plan::Plan;
use crate::topology::queues::{Bound, Lifetime, QueueOptions};

/// Whose the exchanges are that logs are published to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchanges {
    /// This host's: they are declared as durable on every connection.
    Own,
    /// Those that exist: this host only looks, and declares what is missing.
    Found,
    /// Those of a scenario runner, which are there as long as its connection.
    Temporary,
}

/// Declares the exchanges of some severities.
pub(crate) async fn declare_exchanges(
    connection: &Connection,
    names: &Names,
    severities: impl IntoIterator<Item = Severity>,
) -> Result<(), TopologyError> {
    let mut channel = open_channel(connection).await?;
    let exchanges: Vec<&str> = severities.into_iter().map(|severity| names.exchange(severity)).collect();
    if exchanges.iter().all(|name| !connection.denied.has(Right::Configure, name)) {
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
    // One of them was refused, which has closed the channel for all.
    for name in exchanges {
        durable_exchange(connection, &mut channel, name, ExchangeKind::Topic).await?;
    }
    close(&channel).await;
    Ok(())
}

/// Makes sure that the exchanges of some severities exist. Those that do are left as they are; a missing one is declared,
/// and told.
pub(crate) async fn find_exchanges(
    connection: &Connection,
    names: &Names,
    severities: impl IntoIterator<Item = Severity>,
) -> Result<(), TopologyError> {
    let mut channel = open_channel(connection).await?;
    for severity in severities {
        let name = names.exchange(severity);
        match exchange_exists(&channel, name).await {
            Ok(true) => {}
            Ok(false) => {
                channel = open_channel(connection).await?;
                durable_exchange(connection, &mut channel, name, ExchangeKind::Topic).await?;
                connection.tell(None, &TopologyEvent::ExchangeDeclared { exchange: name.to_owned() });
            }
            // RabbitMQ 4, to a user without any permission for it: binding needs a permission, and says which.
            Err(error) if error.is_access_refused() => channel = open_channel(connection).await?,
            Err(error) => return Err(error),
        }
    }
    close(&channel).await;
    Ok(())
}

/// Declares a durable exchange, or checks that it exists if the user may not declare it. `channel` may be another one
/// afterwards.
async fn durable_exchange(
    connection: &Connection,
    channel: &mut Channel,
    name: &str,
    kind: ExchangeKind,
) -> Result<(), TopologyError> {
    if !connection.denied.has(Right::Configure, name) {
        match exchange(channel, name, kind, DURABLE).await {
            Err(error) if error.is_access_refused() => {}
            declared => return declared,
        }
        connection.denied.add(Right::Configure, name);
        *channel = open_channel(connection).await?;
    }
    match exchange_exists(channel, name).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            *channel = open_channel(connection).await?;
            Err(missing(connection, "exchange", name))
        }
        // RabbitMQ 4 refuses this to a user without any permission for it: an operation that needs one fails and says so.
        Err(error) if error.is_access_refused() => {
            *channel = open_channel(connection).await?;
            Ok(())
        }
        Err(error) => Err(error),
    }
}

const DURABLE: ExchangeDeclareOptions = ExchangeDeclareOptions {
    passive: false,
    durable: true,
    auto_delete: false,
    internal: false,
    nowait: false,
};

/// Declares the exchanges of all severities for as long as the connection lasts, however it ends: they are deleted
/// automatically when their last binding, to an exclusive queue of the connection, is removed.
pub async fn declare_temporary_exchanges(
    connection: &Connection,
    names: &Names,
) -> Result<(), TopologyError> {
    let channel = open_channel(connection).await?;
    let queue = declare_queue::declare_exclusive(&channel, UNNAMED, None).await?.name;
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

/// Declares an exchange of this name and type for as long as the connection lasts, as [`declare_temporary_exchanges`] does.
pub async fn declare_temporary_exchange(
    connection: &Connection,
    name: &str,
    kind: ExchangeType,
) -> Result<(), TopologyError> {
    let channel = open_channel(connection).await?;
    // Of a fanout exchange it gets everything, and nobody reads it.
    let queue = declare_queue::declare_exclusive(&channel, UNNAMED, Some(LEAST)).await?.name;
    let transient = ExchangeDeclareOptions { auto_delete: true, ..ExchangeDeclareOptions::default() };
    let (declared, bound) =
        tokio::join!(exchange(&channel, name, kind.into(), transient), bind(&channel, &queue, name, &queue));
    declared.and(bound)
}

/// What a queue holds that only binds.
const LEAST: Bound = Bound { messages: 1, bytes: 1 << 10 };

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
            declare_queue::declare(connection, channel, &plan, options).await
        }
        Lifetime::Exclusive => declare_queue::declare_exclusive(channel, UNNAMED, options.bound).await,
    }
}

/// Declares an exchange of others, as a rule says.
pub(crate) async fn exchange_of_rule(
    channel: &Channel,
    name: &str,
    kind: ExchangeKind,
) -> Result<(), TopologyError> {
    exchange(channel, name, kind, DURABLE).await
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

/// Declares where the consumer's dead letters go. `channel` may be another one afterwards.
pub(crate) async fn dead_letters(
    connection: &Connection,
    channel: &mut Channel,
    names: &Names,
    consumer: &ConsumerName,
    options: &QueueOptions,
) -> Result<(), TopologyError> {
    let dead = names.dead_exchange();
    durable_exchange(connection, channel, &dead, ExchangeKind::Direct).await?;
    let plan = Plan::of_dead_letters(names, consumer, options.queue_type);
    let queue = declare_queue::declare(connection, channel, &plan, options).await?.name;
    if connection.denied.has(Right::Bind, &queue) {
        return Ok(());
    }
    match bind(channel, &queue, &dead, consumer.as_str()).await {
        // It may be bound already: if not, the broker returns each dead letter, and that is reported.
        Err(error) if error.is_access_refused() => {
            connection.denied.add(Right::Bind, &queue);
            *channel = open_channel(connection).await?;
            Ok(())
        }
        bound => bound,
    }
}

/// The error where something is missing that the user may not declare, as the broker said before; the next time, that is
/// tried again.
pub(crate) fn missing(connection: &Connection, what: &str, name: &str) -> TopologyError {
    connection.denied.forget(Right::Configure, name);
    let action = format!("declare the {what} `{name}`");
    let reason = "ACCESS_REFUSED: it is not there, and the user may not declare it".to_owned();
    TopologyError::Failed { action, reason, fault: Fault::Permission }
}
