//! The bindings of a consumer's queue: they follow the filter of the host that consumes it.
//!
//! AMQP cannot list bindings. Those that can be named are removed: on the exchanges of all severities, with the
//! patterns of this filter and of the one before, and, on exchanges of others, those of rules that it does not want and those
//! that were kept of former rules.

use std::collections::BTreeSet;
use std::sync::{self, Arc, MutexGuard, PoisonError};

use futures_util::future::join_all;
use lapin::Channel;
use lapin::options::QueueBindOptions;
use lapin::types::FieldTable;
use loghost_core::domain::{ConsumerName, Filter, Pattern, Severities, Severity};
use tokio::sync::Mutex;

use crate::connection::denied_rights::Right;
use crate::connection::open::Connection;
use crate::consume::source_options::SourceOptions;
use crate::message::bind_rules::BindRules;
use crate::message::names::Names;
use crate::topology::bound_exchanges::{BoundExchanges, KnownExchanges};
use crate::topology::channel::{close, open_channel};
use crate::topology::error::{TopologyError, failed};
use crate::topology::inspection::Binding;
use crate::topology::queues::Lifetime;
use crate::topology::recorded_bindings::RecordBindings;

/// The bindings of a queue, which are changed on a channel of their own: a refusal closes no other.
#[derive(Clone)]
pub(crate) struct Bindings {
    pub(super) connection: Arc<Connection>,
    pub(super) names: Names,
    pub(super) consumer: ConsumerName,
    pub(super) queue: String,
    /// Which exchanges of others it is bound to as well.
    pub(super) rules: BindRules,
    /// What is bound to these.
    pub(super) bound: BoundExchanges,
    known: Arc<sync::Mutex<KnownExchanges>>,
    /// What the queue was bound to among those, if that outlasts the connection.
    pub(super) recorded: Option<Arc<dyn RecordBindings>>,
    /// The channel of the bindings that are being made. If that is dropped before its end, the next change comes after it.
    binding: Arc<Mutex<Option<Channel>>>,
}

impl Bindings {
    pub(crate) fn of(
        connection: &Arc<Connection>,
        names: &Names,
        (consumer, queue): (&ConsumerName, &str),
        options: &SourceOptions,
    ) -> Self {
        let recorded =
            (options.queue.lifetime == Lifetime::Named).then(|| Arc::clone(&options.recorded_bindings));
        Self {
            connection: Arc::clone(connection),
            names: names.clone(),
            consumer: consumer.clone(),
            queue: queue.to_owned(),
            rules: options.rules.clone(),
            bound: if options.streams.is_some() { BoundExchanges::Streams } else { BoundExchanges::Queue },
            known: Arc::default(),
            recorded,
            binding: Arc::default(),
        }
    }

    /// What is known of the exchanges of others.
    pub(super) fn known(&self) -> MutexGuard<'_, KnownExchanges> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the user may not change them, as the broker has said.
    pub(crate) fn are_refused(&self) -> bool {
        self.connection.denied.has(Right::Bind, &self.queue)
    }

    /// Binds the queue to what `filter` wants, and not any more to what only `former` wanted. Wanted bindings are
    /// added before others are removed, so that no log is lost meanwhile.
    pub(crate) async fn replace(
        &self,
        filter: &Filter,
        former: Option<&Filter>,
    ) -> Result<(), TopologyError> {
        self.add(filter).await?;
        for severity in Severity::ALL {
            remove_others(&self.connection, &self.names, &self.queue, severity, (filter, former)).await?;
        }
        self.remove_bound(&self.rules.bindings(filter)).await
    }

    /// Removes the bindings to what these filters want, and to exchanges of others; whether the user may do so.
    pub(crate) async fn remove(
        &self,
        filter: &Filter,
        former: Option<&Filter>,
    ) -> Result<bool, TopologyError> {
        self.end_binding().await;
        let nothing = Filter::new(Severities::default(), filter.sources().to_vec());
        for severity in Severity::ALL {
            remove_others(&self.connection, &self.names, &self.queue, severity, (&nothing, former)).await?;
        }
        self.remove_bound(&[]).await?;
        let is_denied = |severity| self.connection.denied.has(Right::Bind, self.names.exchange(severity));
        Ok(!Severity::ALL.into_iter().any(is_denied))
    }

    /// Binds the queue to what `filter` wants. What is bound already stays as it is.
    pub(crate) async fn add(&self, filter: &Filter) -> Result<(), TopologyError> {
        let channel = self.begin_binding().await?;
        let wanted = wanted(&self.names, filter);
        let binding =
            wanted.iter().map(|Binding { exchange, key }| bind(&channel, &self.queue, exchange, key));
        let bound = all(binding).await;
        self.end_binding().await;
        if bound.as_ref().is_err_and(TopologyError::is_access_refused) {
            self.connection.denied.add(Right::Bind, &self.queue);
        }
        bound?;
        self.add_bound(filter).await
    }

    /// Opens a channel to make bindings on, after those that were dropped before their end.
    pub(super) async fn begin_binding(&self) -> Result<Channel, TopologyError> {
        self.end_binding().await;
        let channel = open_channel(&self.connection).await?;
        Ok(self.binding.lock().await.insert(channel).clone())
    }

    /// Closes the channel on which bindings are made: the broker answers when it has made them.
    pub(super) async fn end_binding(&self) {
        let mut binding = self.binding.lock().await;
        if let Some(channel) = &*binding {
            close(channel).await;
        }
        *binding = None;
    }
}

/// What `filter` wants a queue to be bound to.
pub(crate) fn wanted(names: &Names, filter: &Filter) -> Vec<Binding> {
    let of_severity = |severity| {
        let exchange = names.exchange(severity);
        let sources = filter.sources().iter();
        sources.map(move |pattern| Binding { exchange: exchange.to_owned(), key: pattern.to_string() })
    };
    filter.severities().iter().flat_map(of_severity).collect()
}

/// Removes the bindings to the exchange of a severity that can be named and are not wanted. Where there is no such
/// exchange there is nothing to remove, and where the user may not read it nothing is removed.
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
    let others: BTreeSet<&str> = patterns
        .filter(|pattern| !wanted || !filter.sources().contains(pattern))
        .map(Pattern::as_str)
        .collect();
    let exchange = names.exchange(severity);
    if others.is_empty() || connection.denied.has(Right::Bind, exchange) {
        return Ok(());
    }
    let channel = open_channel(connection).await?;
    let removing = others.into_iter().map(|pattern| unbind(&channel, queue, exchange, pattern));
    match all(removing).await {
        Ok(()) => close(&channel).await,
        Err(error) if error.is_access_refused() => {
            connection.denied.add(Right::Bind, exchange);
        }
        Err(error) if !wanted && error.is_missing() => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Does all of these on one channel. If the broker says no to one, that closes the channel to the others, and is the error.
async fn all(
    changes: impl Iterator<Item = impl Future<Output = Result<(), TopologyError>>>,
) -> Result<(), TopologyError> {
    let errors = join_all(changes).await.into_iter().filter_map(Result::err);
    let is_answer = |error: &TopologyError| error.is_access_refused() || error.is_missing();
    errors.min_by_key(|error| !is_answer(error)).map_or(Ok(()), Err)
}

/// Binds `queue` to `exchange`.
pub(crate) async fn bind(
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

/// Removes a binding, if it exists.
pub(super) async fn unbind(
    channel: &Channel,
    queue: &str,
    exchange: &str,
    key: &str,
) -> Result<(), TopologyError> {
    channel
        .queue_unbind(queue.into(), exchange.into(), key.into(), FieldTable::default())
        .await
        .map_err(|e| failed(format!("unbind the queue `{queue}` from the exchange `{exchange}`"), &e))
}
