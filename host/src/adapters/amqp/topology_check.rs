//! Making sure, now and then, that a consumer's logs still reach its queue: an exchange may have been deleted and
//! made again, or a binding removed, and nobody tells.
//!
//! Looks passively first: what is there is not touched, and what had to be mended can be said.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ConstantBuilder};
use futures_util::future::try_join_all;
use lapin::Channel;
use loghost_core::domain::{ConsumerName, Filter};
use tokio::time::sleep;

use super::bindings;
use super::connection::Connection;
use super::names::Names;
use super::queues::QueueOptions;
use super::topology::{self, TopologyError, open_channel};

/// How often, and who is told what had to be mended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckOptions {
    /// The longest time between two checks.
    pub(crate) every: Duration,
    /// Is told.
    pub(crate) tell: fn(&str),
}

/// What a consumer's logs, and its dead letters, go through.
pub(super) struct TopologyCheck {
    pub(super) connection: Arc<Connection>,
    /// The one that the queue is consumed on: bindings are changed there, in one order.
    pub(super) channel: Channel,
    pub(super) names: Names,
    pub(super) consumer: ConsumerName,
    pub(super) queue: String,
    pub(super) filter: Filter,
    /// How queues are declared.
    pub(super) queues: QueueOptions,
    pub(super) letters: Letters,
    pub(super) options: CheckOptions,
    /// What could not be mended, and has been said.
    pub(super) said: Option<String>,
}

/// Whether a consumer has dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letters {
    Some,
    None,
}

impl TopologyCheck {
    /// Waits, mends what is amiss, says what that was, and is ready for the next time.
    pub(super) async fn next(mut self) -> Self {
        // Jitter adds up to as much again.
        let mut delays = ConstantBuilder::new().with_delay(self.options.every / 2).with_jitter().build();
        sleep(delays.next().unwrap_or(self.options.every)).await;
        let connection = Arc::clone(&self.connection);
        match connection.answer(self.mend()).await {
            Ok(mended) => {
                self.said = None;
                for what in mended {
                    self.say(&format!("{what} was missing: declared and bound again"));
                }
            }
            Err(error) if error.is_refusal() => {
                let error = error.to_string();
                if self.said.as_ref() != Some(&error) {
                    self.say(&format!("logs may not arrive: {error}"));
                    self.said = Some(error);
                }
            }
            // Whoever consumes notices as well.
            Err(_) => {}
        }
        self
    }

    fn say(&self, text: &str) {
        (self.options.tell)(&format!("{}: {text}", self.consumer));
    }

    /// Declares and binds what is not there; returns what that was. A binding cannot be looked at: all are made
    /// again, which changes nothing where they are there.
    async fn mend(&self) -> Result<Vec<String>, TopologyError> {
        let (names, severities) = (&self.names, self.filter.severities());
        let mut missing = Vec::new();
        for exchange in self.missing_exchanges().await? {
            missing.push(format!("the exchange `{exchange}`"));
        }
        let mut channel = open_channel(&self.connection).await?;
        topology::declare_exchanges_of(&channel, names, severities.iter()).await?;
        bindings::add(&self.channel, names, &self.queue, &self.filter).await?;
        if self.letters == Letters::Some {
            let queue = names.dead_queue(&self.consumer);
            let look = open_channel(&self.connection).await?;
            match topology::length(&look, &queue).await? {
                Some(_) => topology::close(&look).await,
                None => missing.push(format!("the queue `{queue}`")),
            }
            topology::dead_letters(&self.connection, &mut channel, names, &self.consumer, &self.queues)
                .await?;
        }
        topology::close(&channel).await;
        Ok(missing)
    }

    /// The exchanges that are in use and not there.
    async fn missing_exchanges(&self) -> Result<Vec<String>, TopologyError> {
        let severities = self.filter.severities();
        let mut exchanges: Vec<String> =
            severities.iter().map(|severity| self.names.exchange(severity).to_owned()).collect();
        if self.letters == Letters::Some {
            exchanges.push(self.names.dead_exchange());
        }
        // All at once: as a rule they are there.
        let look = open_channel(&self.connection).await?;
        let looks = try_join_all(exchanges.iter().map(|name| topology::exchange_is_there(&look, name)));
        if looks.await.is_ok_and(|there| there.iter().all(|there| *there)) {
            topology::close(&look).await;
            return Ok(Vec::new());
        }
        let mut missing = Vec::new();
        for name in exchanges {
            let look = open_channel(&self.connection).await?;
            if topology::exchange_is_there(&look, &name).await? {
                topology::close(&look).await;
            } else {
                missing.push(name);
            }
        }
        Ok(missing)
    }
}
