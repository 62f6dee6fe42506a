//! Checking at intervals that a consumer's logs still reach its queue: AMQP does not report that an exchange was deleted, a
//! binding removed or a policy changed.
//!
//! Passive declarations come first, so that what was missing can be told. What AMQP does not tell the management API is
//! asked for; without an answer, bindings are made again without a message, and policies are not known.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ConstantBuilder};
use futures_util::future::try_join_all;
use loghost_core::domain::{ConsumerName, Filter};
use tokio::time::sleep;

use crate::connection::denied_rights::Right;
use crate::connection::open::Connection;
use crate::message::names::Names;
use crate::stream::options::Retention;
use crate::topology::bindings::{self, Bindings};
use crate::topology::channel::{close, open_channel};
use crate::topology::declare;
use crate::topology::error::TopologyError;
use crate::topology::event::{QueueBindings, TopologyEvent};
use crate::topology::inspection::{Binding, Inspect, Rules};
use crate::topology::known_queues::Noted;
use crate::topology::look::{exchange_exists, length};
use crate::topology::queues::{Lifetime, QueueOptions};
use crate::topology::streams::{self, declare_streams};

/// How often, and who is asked.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// The longest time between two checks.
    pub every: Duration,
    /// Answers what AMQP does not tell.
    pub inspect: Arc<dyn Inspect>,
}

/// What a consumer's logs, and its dead letters, go through.
pub(crate) struct TopologyCheck {
    pub(crate) connection: Arc<Connection>,
    /// Those of the queue.
    pub(crate) bindings: Bindings,
    pub(crate) names: Names,
    pub(crate) consumer: ConsumerName,
    pub(crate) queue: String,
    pub(crate) filter: Filter,
    /// How queues are declared.
    pub(crate) queues: QueueOptions,
    /// What streams are declared with, where the logs come from those.
    pub(crate) retention: Option<Retention>,
    pub(crate) dead_letter_queue: DeclaredDeadLetters,
    pub(crate) options: CheckOptions,
    /// What could not be repaired, and was told.
    pub(crate) told: Option<TopologyEvent>,
}

/// Whether a consumer has a queue of dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeclaredDeadLetters {
    Declared,
    None,
}

impl TopologyCheck {
    /// Notes the policies of the queues, and goes on to the first check.
    pub(crate) async fn begin(self) -> Self {
        self.inspect().await;
        self.next().await
    }

    /// Waits, repairs what is missing, and tells what that was; returns itself for the next time.
    pub(crate) async fn next(mut self) -> Self {
        // Jitter adds up to as much again.
        let mut delays = ConstantBuilder::new().with_delay(self.options.every / 2).with_jitter().build();
        sleep(delays.next().unwrap_or(self.options.every)).await;
        let connection = Arc::clone(&self.connection);
        let missing = self.inspect().await;
        let (refused, missing): (Vec<_>, Vec<_>) = missing
            .into_iter()
            .filter(|missing| !missing.bindings.is_empty())
            .partition(|missing| connection.denied.has(Right::Bind, &missing.queue));
        match connection.answer(self.repair(missing)).await {
            Ok(repaired) => {
                for event in &repaired {
                    self.tell(event);
                }
                if refused.is_empty() {
                    self.told = None;
                } else {
                    self.tell_once(TopologyEvent::BindingsMissing(refused));
                }
            }
            Err(error) if error.is_refusal() => {
                self.tell_once(TopologyEvent::CheckRefused { cause: error.to_string() });
            }
            // The source notices this itself.
            Err(TopologyError::ConnectionEnded(_)) => {}
            Err(error) => self.tell_once(TopologyEvent::CheckFailed { cause: error.to_string() }),
        }
        self
    }

    /// Tells an event, unless it is the one that was told last.
    fn tell_once(&mut self, event: TopologyEvent) {
        if self.told.as_ref() != Some(&event) {
            self.tell(&event);
            self.told = Some(event);
        }
    }

    fn tell(&self, event: &TopologyEvent) {
        self.connection.tell(Some(&self.consumer), event);
    }

    /// Tells what applies to the queues that did not before; returns which of their bindings are missing.
    async fn inspect(&self) -> Vec<QueueBindings> {
        let mut missing = Vec::new();
        for QueueBindings { queue, mut bindings } in self.wanted() {
            if let Some(inspection) = self.options.inspect.inspect(&self.connection, &queue).await {
                // That a stream removes what is old is as it should be.
                let is_stream = self.retention.is_some() && self.names.is_stream(&queue);
                if let Some(rules) = inspection.rules.filter(|_| !is_stream) {
                    self.tell_changes(&queue, rules);
                }
                if queue == self.queue {
                    self.tell_unnamed(&inspection.bindings);
                }
                bindings.retain(|binding| !inspection.bindings.contains(binding));
                missing.push(QueueBindings { queue, bindings });
            }
        }
        missing
    }

    /// The queues, each with all bindings that it should have.
    fn wanted(&self) -> Vec<QueueBindings> {
        let mut wanted = match self.retention {
            Some(_) => streams::wanted(&self.names, self.filter.severities()),
            None => Vec::new(),
        };
        let bindings = match self.retention {
            Some(_) => Vec::new(),
            None => bindings::wanted(&self.names, &self.filter),
        };
        wanted.push(QueueBindings { queue: self.queue.clone(), bindings });
        for (queue, binding) in self.bindings.bound(&self.filter) {
            match wanted.iter_mut().find(|wanted| wanted.queue == queue) {
                Some(wanted) => wanted.bindings.push(binding),
                None => wanted.push(QueueBindings { queue, bindings: vec![binding] }),
            }
        }
        if self.dead_letter_queue == DeclaredDeadLetters::Declared {
            let binding = Binding { exchange: self.names.dead_exchange(), key: self.consumer.to_string() };
            let bindings = vec![binding];
            wanted.push(QueueBindings { queue: self.names.dead_queue(&self.consumer), bindings });
        }
        wanted
    }

    /// Tells of bindings to exchanges of others that no rule names.
    fn tell_unnamed(&self, bindings: &[Binding]) {
        let is_own = |exchange: &str| exchange.is_empty() || self.names.severity(exchange).is_some();
        let named = self.bindings.named(&self.filter);
        let unnamed =
            bindings.iter().filter(|binding| !is_own(&binding.exchange) && !named.contains(binding));
        let unnamed: Vec<Binding> = unnamed.cloned().collect();
        if self.queues.lifetime == Lifetime::Named && self.queues.known.note_unnamed(&self.queue, &unnamed) {
            let unnamed = QueueBindings { queue: self.queue.clone(), bindings: unnamed };
            self.tell(&TopologyEvent::BindingsUnnamed(unnamed));
        }
    }

    fn tell_changes(&self, queue: &str, Rules { policy, limit }: Rules) {
        let noted = self.queues.known.note_policy(queue, &policy);
        if noted == Noted::Changed {
            self.tell(&TopologyEvent::PolicyChanged { queue: queue.to_owned(), policy: policy.clone() });
        }
        if noted != Noted::Same && !policy.takes_out.is_empty() {
            self.tell(&TopologyEvent::PolicyTakesOut { queue: queue.to_owned(), policy });
        }
        self.queues.tell_limit(&self.connection, queue, &limit);
    }

    /// Declares and binds what is missing; returns what that was. All bindings are made again, which has no effect on those
    /// that exist: AMQP cannot list them.
    async fn repair(&self, missing: Vec<QueueBindings>) -> Result<Vec<TopologyEvent>, TopologyError> {
        let exchanges = self.missing_exchanges().await?;
        let missing = missing.into_iter().filter_map(|missing| missing.but_for(&exchanges));
        let bound: Vec<TopologyEvent> = missing.map(TopologyEvent::BindingsRestored).collect();
        let declared = exchanges.into_iter().map(|exchange| TopologyEvent::ExchangeRestored { exchange });
        let mut repaired: Vec<TopologyEvent> = declared.chain(bound).collect();
        let mut channel = open_channel(&self.connection).await?;
        let (names, severities) = (&self.names, self.filter.severities());
        declare::declare_exchanges(&self.connection, names, severities.iter()).await?;
        if let Some(retention) = &self.retention {
            declare_streams(&self.connection, names, severities.iter(), retention).await?;
            self.bindings.provide_bound_streams(&self.filter, retention).await?;
        } else if !self.bindings.are_refused() {
            self.bindings.add(&self.filter).await?;
        }
        if self.dead_letter_queue == DeclaredDeadLetters::Declared {
            let queue = names.dead_queue(&self.consumer);
            let look = open_channel(&self.connection).await?;
            match length(&look, &queue).await? {
                Some(_) => close(&look).await,
                None => repaired.push(TopologyEvent::QueueRestored { queue }),
            }
            declare::dead_letters(&self.connection, &mut channel, names, &self.consumer, &self.queues)
                .await?;
        }
        close(&channel).await;
        Ok(repaired)
    }

    /// The exchanges that are in use and not there.
    async fn missing_exchanges(&self) -> Result<Vec<String>, TopologyError> {
        let severities = self.filter.severities();
        let mut exchanges: Vec<String> =
            severities.iter().map(|severity| self.names.exchange(severity).to_owned()).collect();
        if self.dead_letter_queue == DeclaredDeadLetters::Declared {
            exchanges.push(self.names.dead_exchange());
        }
        // All at once: as a rule they exist.
        let look = open_channel(&self.connection).await?;
        let looks = try_join_all(exchanges.iter().map(|name| exchange_exists(&look, name)));
        if looks.await.is_ok_and(|there| there.iter().all(|there| *there)) {
            close(&look).await;
            return Ok(Vec::new());
        }
        let mut missing = Vec::new();
        for name in exchanges {
            let look = open_channel(&self.connection).await?;
            if exchange_exists(&look, &name).await? {
                close(&look).await;
            } else {
                missing.push(name);
            }
        }
        Ok(missing)
    }
}

impl QueueBindings {
    /// Those whose exchange is none of these, if there are any.
    fn but_for(mut self, exchanges: &[String]) -> Option<Self> {
        self.bindings.retain(|binding| !exchanges.contains(&binding.exchange));
        (!self.bindings.is_empty()).then_some(self)
    }
}
