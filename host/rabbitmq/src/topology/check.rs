//! Checking at intervals that a consumer's logs still reach its queue: AMQP does not report that an exchange was deleted, a
//! binding removed or a policy changed.
//!
//! Passive declarations come first, so that what was missing can be said. What AMQP does not tell the management API is
//! asked for; without an answer, bindings are made again without a message, and policies are not known.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ConstantBuilder};
use futures_util::future::try_join_all;
use loghost_core::application::{Notice, Tell};
use loghost_core::domain::{ConsumerName, Filter};
use tokio::time::sleep;

use crate::connection::denied_rights::Right;
use crate::connection::open::Connection;
use crate::message::names::Names;
use crate::topology::bindings::{self, Bindings};
use crate::topology::channel::{close, open_channel};
use crate::topology::declare;
use crate::topology::error::TopologyError;
use crate::topology::inspection::{Binding, Inspect, Rules, list};
use crate::topology::known_queues::Noted;
use crate::topology::look::{exchange_exists, length};
use crate::topology::queues::QueueOptions;

/// How often, who is asked, and who is told what had to be repaired.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// The longest time between two checks.
    pub every: Duration,
    /// Answers what AMQP does not tell.
    pub inspect: Arc<dyn Inspect>,
    /// Is told of repairs.
    pub tell: Tell,
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
    pub(crate) dead_letter_queue: DeadLetterQueue,
    pub(crate) options: CheckOptions,
    /// What could not be repaired, and was said.
    pub(crate) said: Option<String>,
}

/// Whether a consumer has a queue of dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeadLetterQueue {
    Declared,
    None,
}

/// A queue with bindings: those that it should have, or those of them that are missing.
struct QueueBindings {
    queue: String,
    bindings: Vec<Binding>,
}

impl TopologyCheck {
    /// Notes the policies of the queues, and goes on to the first check.
    pub(crate) async fn begin(self) -> Self {
        self.inspect().await;
        self.next().await
    }

    /// Waits, repairs what is missing, and says what that was; returns itself for the next time.
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
                for what in repaired {
                    self.say(&what);
                }
                let refused: Vec<String> = refused.iter().map(QueueBindings::refused).collect();
                match refused.as_slice() {
                    [] => self.said = None,
                    refused => self.say_once(&format!("logs may not arrive: {}", refused.join("; "))),
                }
            }
            Err(error) if error.is_refusal() => self.say_once(&format!("logs may not arrive: {error}")),
            // The source notices this itself.
            Err(TopologyError::ConnectionEnded(_)) => {}
            Err(error) => self.say_once(&format!("cannot make sure that logs arrive: {error}")),
        }
        self
    }

    /// Says it, unless it was what was said last.
    fn say_once(&mut self, text: &str) {
        if self.said.as_deref() != Some(text) {
            self.say(text);
            self.said = Some(text.to_owned());
        }
    }

    fn say(&self, text: &str) {
        (self.options.tell)(&Notice::warning(text).of(self.consumer.as_str()));
    }

    /// Says what applies to the queues that did not before; returns which of their bindings are missing.
    async fn inspect(&self) -> Vec<QueueBindings> {
        let mut missing = Vec::new();
        for QueueBindings { queue, mut bindings } in self.wanted() {
            if let Some(inspection) = self.options.inspect.inspect(&self.connection, &queue).await {
                if let Some(rules) = inspection.rules {
                    self.say_changes(&queue, &rules);
                }
                bindings.retain(|binding| !inspection.bindings.contains(binding));
                missing.push(QueueBindings { queue, bindings });
            }
        }
        missing
    }

    /// The queues, each with all bindings that it should have.
    fn wanted(&self) -> Vec<QueueBindings> {
        let bindings = bindings::wanted(&self.names, &self.filter);
        let mut wanted = vec![QueueBindings { queue: self.queue.clone(), bindings }];
        if self.dead_letter_queue == DeadLetterQueue::Declared {
            let binding = Binding { exchange: self.names.dead_exchange(), key: self.consumer.to_string() };
            let bindings = vec![binding];
            wanted.push(QueueBindings { queue: self.names.dead_queue(&self.consumer), bindings });
        }
        wanted
    }

    fn say_changes(&self, queue: &str, Rules { policy, limit }: &Rules) {
        let noted = self.queues.known.note_policy(queue, policy);
        if noted == Noted::Changed {
            self.say(&format!("the policy of the queue `{queue}` has changed: it now has {policy}"));
        }
        if noted != Noted::Same && !policy.takes_out.is_empty() {
            let keys = policy.takes_out.join(" and ");
            self.say(&format!(
                "the queue `{queue}` takes out what nobody has read, by {keys} of {policy}: take that out of \
                 the policy, or, for a length, set overflow to reject-publish"
            ));
        }
        self.queues.tell_limit(queue, limit);
    }

    /// Declares and binds what is missing; returns what that was. All bindings are made again, which has no effect on those
    /// that exist: AMQP cannot list them.
    async fn repair(&self, missing: Vec<QueueBindings>) -> Result<Vec<String>, TopologyError> {
        let exchanges = self.missing_exchanges().await?;
        let declared =
            |what: &str, name: &str| format!("the {what} `{name}` was missing: declared and bound again");
        let mut repaired: Vec<String> = exchanges.iter().map(|name| declared("exchange", name)).collect();
        repaired.extend(missing.into_iter().filter_map(|missing| missing.but_for(&exchanges)));
        let mut channel = open_channel(&self.connection).await?;
        let (names, severities) = (&self.names, self.filter.severities());
        declare::declare_exchanges(&self.connection, names, severities.iter()).await?;
        if !self.bindings.are_refused() {
            self.bindings.add(&self.filter).await?;
        }
        if self.dead_letter_queue == DeadLetterQueue::Declared {
            let queue = names.dead_queue(&self.consumer);
            let look = open_channel(&self.connection).await?;
            match length(&look, &queue).await? {
                Some(_) => close(&look).await,
                None => repaired.push(declared("queue", &queue)),
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
        if self.dead_letter_queue == DeadLetterQueue::Declared {
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
    /// Says that these were missing, except for those whose exchange was.
    fn but_for(mut self, exchanges: &[String]) -> Option<String> {
        self.bindings.retain(|binding| !exchanges.contains(&binding.exchange));
        let bindings = list(&self.bindings);
        let text = format!("the queue `{}` was not bound any more to {bindings}: bound again", self.queue);
        (!self.bindings.is_empty()).then_some(text)
    }

    /// Says that these are missing, and that the user may not add them.
    fn refused(&self) -> String {
        let bindings = list(&self.bindings);
        format!("the queue `{}` is not bound to {bindings}, and the user may not bind it", self.queue)
    }
}
