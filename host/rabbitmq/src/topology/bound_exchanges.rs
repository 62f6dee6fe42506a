//! Binding a consumer's queue, or streams, to exchanges of others: they are looked at passively, and declared only where a rule says how.
//! One that is not there is waited for; whatever changes is told once.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use lapin::ExchangeKind;
use loghost_core::application::BoxError;
use loghost_core::domain::Filter;

use crate::stream::options::Retention;
use crate::topology::bindings::{Bindings, bind, unbind};
use crate::topology::channel::{close, open_channel};
use crate::topology::declare;
use crate::topology::error::TopologyError;
use crate::topology::event::TopologyEvent;
use crate::topology::inspection::Binding;
use crate::topology::look::exchange_exists;
use crate::topology::streams::declare_bound_streams;

/// What is known of the exchanges of others.
pub(crate) type KnownExchanges = BTreeMap<String, ExchangeState>;

/// What is bound to the exchanges of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BoundExchanges {
    /// The consumer's queue.
    Queue,
    /// A stream of each, which all consumers read. It has what any host wants: it is bound, and never unbound.
    Streams,
}

/// Whether a queue is bound to an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExchangeState {
    Bound,
    /// It is not there.
    Missing,
    /// The broker does not allow it.
    Refused {
        cause: String,
    },
}

impl Bindings {
    /// Binds the queue, or the streams, to the exchanges of others that have what `filter` wants, where they are there.
    pub(crate) async fn add_bound(&self, filter: &Filter) -> Result<(), TopologyError> {
        let bindings = self.rules.bindings(filter);
        if self.bound == BoundExchanges::Queue {
            self.keep_also(&bindings).await?;
        }
        for exchange in self.rules.exchanges(filter) {
            let keys = bindings.iter().filter(|binding| binding.exchange == exchange);
            let state = match self.bind_keys(exchange, keys).await {
                Ok(state) => state,
                Err(error) if error.is_missing() => ExchangeState::Missing,
                Err(error) if error.is_refusal() => ExchangeState::Refused { cause: error.to_string() },
                Err(error) => return Err(error),
            };
            self.note(exchange, state);
        }
        Ok(())
    }

    /// Declares the streams of the exchanges of others that have what `filter` wants, and binds them.
    pub(crate) async fn provide_bound_streams(
        &self,
        filter: &Filter,
        retention: &Retention,
    ) -> Result<(), TopologyError> {
        let streams = (&self.rules, filter);
        declare_bound_streams(&self.connection, &self.names, streams, retention).await?;
        self.add_bound(filter).await
    }

    /// Removes the bindings of rules, these and former ones, that are not `wanted`. Where one cannot be removed there is none, or
    /// the user may not: then it is tried again the next time.
    pub(super) async fn remove_bound(&self, wanted: &[Binding]) -> Result<(), TopologyError> {
        let recorded = self.recorded().await?;
        let mut others: BTreeSet<Binding> = self.rules.all_bindings().collect();
        others.extend(recorded.iter().cloned());
        let mut still_bound: BTreeSet<Binding> = wanted.iter().cloned().collect();
        for binding in others.difference(&still_bound.clone()) {
            let Binding { exchange, key } = binding;
            let channel = open_channel(&self.connection).await?;
            match unbind(&channel, &self.queue, exchange, key).await {
                Ok(()) => close(&channel).await,
                Err(error) if error.is_missing() => {}
                Err(error) if error.is_refusal() => still_bound.extend(recorded.get(binding).cloned()),
                Err(error) => return Err(error),
            }
        }
        if still_bound == recorded { Ok(()) } else { self.record(still_bound).await }
    }

    /// Keeps that the queue is bound to these as well, before it is: should this be the end of the run, the next one can unbind
    /// it.
    async fn keep_also(&self, bindings: &[Binding]) -> Result<(), TopologyError> {
        if bindings.is_empty() {
            return Ok(());
        }
        let mut recorded = self.recorded().await?;
        let before = recorded.len();
        recorded.extend(bindings.iter().cloned());
        if recorded.len() == before { Ok(()) } else { self.record(recorded).await }
    }

    /// What the queue was bound to, as far as it was kept.
    async fn recorded(&self) -> Result<BTreeSet<Binding>, TopologyError> {
        match &self.recorded {
            Some(recorded) => recorded.load(&self.queue).await.map_err(|source| self.not_recorded(source)),
            None => Ok(BTreeSet::new()),
        }
    }

    async fn record(&self, bindings: BTreeSet<Binding>) -> Result<(), TopologyError> {
        match &self.recorded {
            Some(recorded) => {
                recorded.record(&self.queue, bindings).await.map_err(|source| self.not_recorded(source))
            }
            None => Ok(()),
        }
    }

    fn not_recorded(&self, source: BoxError) -> TopologyError {
        TopologyError::NotRecorded { queue: self.queue.clone(), source }
    }

    /// The bindings of the queue to exchanges of others that rules name, wherever these are.
    pub(super) fn named(&self, filter: &Filter) -> Vec<Binding> {
        match self.bound {
            BoundExchanges::Queue => self.rules.bindings(filter),
            BoundExchanges::Streams => Vec::new(),
        }
    }

    /// The name of what is bound to an exchange of others.
    fn bound_to(&self, exchange: &str) -> Cow<'_, str> {
        match self.bound {
            BoundExchanges::Queue => Cow::Borrowed(&self.queue),
            BoundExchanges::Streams => Cow::Owned(self.names.bound_stream(exchange)),
        }
    }

    /// The bindings to exchanges of others that are there, each with what is bound.
    pub(super) fn bound(&self, filter: &Filter) -> Vec<(String, Binding)> {
        let known = self.known();
        let is_bound = |binding: &Binding| known.get(&binding.exchange) == Some(&ExchangeState::Bound);
        let bound = self.rules.bindings(filter).into_iter().filter(is_bound);
        bound.map(|binding| (self.bound_to(&binding.exchange).into_owned(), binding)).collect()
    }

    async fn bind_keys(
        &self,
        exchange: &str,
        bindings: impl Iterator<Item = &Binding>,
    ) -> Result<ExchangeState, TopologyError> {
        let mut channel = self.begin_binding().await?;
        let is_there = match exchange_exists(&channel, exchange).await {
            Ok(is_there) => is_there,
            // RabbitMQ 4, to a user without any permission for it: binding needs one, and says which.
            Err(error) if error.is_access_refused() => {
                channel = self.begin_binding().await?;
                true
            }
            Err(error) => return Err(error),
        };
        if !is_there {
            let Some(kind) = self.rules.declaration(exchange) else { return Ok(ExchangeState::Missing) };
            channel = self.begin_binding().await?;
            declare::exchange_of_rule(&channel, exchange, ExchangeKind::from(kind)).await?;
        }
        let queue = self.bound_to(exchange);
        for binding in bindings {
            bind(&channel, &queue, exchange, &binding.key).await?;
        }
        self.end_binding().await;
        Ok(ExchangeState::Bound)
    }

    /// Notes whether the queue is bound to an exchange, and tells it if that is news.
    fn note(&self, exchange: &str, state: ExchangeState) {
        let before = self.known().insert(exchange.to_owned(), state.clone());
        if before.as_ref() == Some(&state) {
            return;
        }
        let exchange = exchange.to_owned();
        let event = match state {
            ExchangeState::Bound if before.is_none() => return,
            ExchangeState::Bound => TopologyEvent::ExchangeFound { exchange },
            ExchangeState::Missing => TopologyEvent::ExchangeMissing { exchange },
            ExchangeState::Refused { cause } => TopologyEvent::ExchangeRefused { exchange, cause },
        };
        self.connection.tell(Some(&self.consumer), &event);
    }
}
