//! The bindings of a consumer's queue: they follow the filter of the host that consumes it.
//!
//! AMQP cannot list bindings. Those that can be named are removed: on the exchanges of all severities, with the
//! patterns of this filter and of the one before.

use futures_util::future::try_join_all;
use lapin::Channel;
use lapin::options::QueueBindOptions;
use lapin::types::FieldTable;
use loghost_core::domain::{Filter, Pattern, Severity};

use super::connection::Connection;
use super::names::Names;
use super::refusals::Right;
use super::topology::{self, TopologyError, failed, open_channel};

/// Binds the queue to what `filter` wants, and not any more to what only `former` wanted. Wanted bindings are
/// added before others are removed, so that no log falls between them.
pub(super) async fn replace(
    connection: &Connection,
    channel: &Channel,
    names: &Names,
    queue: &str,
    (filter, former): (&Filter, Option<&Filter>),
) -> Result<(), TopologyError> {
    add(channel, names, queue, filter).await?;
    for severity in Severity::ALL {
        remove_others(connection, names, queue, severity, (filter, former)).await?;
    }
    Ok(())
}

/// Binds the queue to what `filter` wants. What is bound already stays as it is.
pub(super) async fn add(
    channel: &Channel,
    names: &Names,
    queue: &str,
    filter: &Filter,
) -> Result<(), TopologyError> {
    try_join_all(wanted(names, filter).map(|(exchange, key)| bind(channel, queue, exchange, key))).await?;
    Ok(())
}

/// What `filter` wants a queue to be bound to: exchanges, each with a routing key.
pub(super) fn wanted<'a>(names: &'a Names, filter: &'a Filter) -> impl Iterator<Item = (&'a str, &'a str)> {
    filter.severities().iter().flat_map(move |severity| {
        let exchange = names.exchange(severity);
        filter.sources().iter().map(move |pattern| (exchange, pattern.as_str()))
    })
}

/// Removes the bindings to the exchange of a severity that can be named and are not wanted. Where there is no such
/// exchange, or the user may not read it, there is nothing to remove, or nothing to be done about it.
async fn remove_others(
    connection: &Connection,
    names: &Names,
    queue: &str,
    severity: Severity,
    (filter, former): (&Filter, Option<&Filter>),
) -> Result<(), TopologyError> {
    let everything = Pattern::everything();
    let former = former.map_or(&[][..], Filter::sources);
    let wanted = filter.severities().contains(severity);
    let patterns = filter.sources().iter().chain(former).chain([&everything]);
    let others: Vec<&Pattern> =
        patterns.filter(|pattern| !wanted || !filter.sources().contains(pattern)).collect();
    let exchange = names.exchange(severity);
    if others.is_empty() || connection.refusals.has(Right::Bind, exchange) {
        return Ok(());
    }
    let channel = open_channel(connection).await?;
    let removing = others.into_iter().map(|pattern| unbind(&channel, queue, exchange, pattern.as_str()));
    match try_join_all(removing).await {
        Ok(_) => topology::close(&channel).await,
        Err(error) if error.is_access_refused() => {
            connection.refusals.add(Right::Bind, exchange);
        }
        Err(error) if !wanted && error.is_missing() => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Binds `queue` to `exchange`.
pub(super) async fn bind(
    channel: &Channel,
    queue: &str,
    exchange: &str,
    key: &str,
) -> Result<(), TopologyError> {
    let (options, none) = (QueueBindOptions::default(), FieldTable::default());
    channel
        .queue_bind(queue.into(), exchange.into(), key.into(), options, none)
        .await
        .map_err(|e| failed(format!("bind the queue `{queue}` to the exchange `{exchange}`"), &e))
}

/// Removes a binding; there need be none.
async fn unbind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> Result<(), TopologyError> {
    channel
        .queue_unbind(queue.into(), exchange.into(), key.into(), FieldTable::default())
        .await
        .map_err(|e| failed(format!("unbind the queue `{queue}` from the exchange `{exchange}`"), &e))
}
