//! How consumers are run.

use std::time::Duration;

use loghost_core::application::{Batching, SavedState, Tolerance};
use loghost_rabbitmq::{BindRules, Exchanges, Lifetime, QueueType, StreamOptions};

use crate::compose::plugins::loader::Derived;

/// How the consumers of a host are run; by default as `loghost run` does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ConsumerOptions {
    /// How long the queues live.
    pub(crate) lifetime: Lifetime,
    /// What named queues are declared as.
    pub(crate) queue_type: QueueType,
    /// How the streams that logs are read from are declared and read; without it, they come from queues.
    pub(crate) streams: Option<StreamOptions>,
    pub(crate) positions: Positions,
    pub(crate) exchanges: Exchanges,
    /// Which exchanges of others they come from as well.
    pub(crate) rules: BindRules,
    /// The token of a message that ends a consumer.
    pub(crate) marker: Option<String>,
    /// The longest time until a consumer's exchanges and bindings are made sure of again, if they are.
    pub(crate) check_topology_every: Option<Duration>,
    /// How many logs of a consumer may be under way; without it, as many as is fair.
    pub(crate) prefetch: Option<u16>,
    /// The least time between two metrics.
    pub(crate) every: Duration,
    pub(crate) max_logs: Option<u64>,
    pub(crate) max_batch: u16,
    pub(crate) batching: Batching,
    pub(crate) max_retries: u32,
    pub(crate) derived: Derived,
    pub(crate) saved_state: SavedState,
    pub(crate) forget_after: Duration,
    pub(crate) tolerance: Tolerance,
    /// How long one that was stopped is left alone; without it, being stopped is its end.
    pub(crate) probe_after: Option<Duration>,
    /// How long consumers may take, at the end, to finish what they have in hand.
    pub(crate) grace: Duration,
}

impl ConsumerOptions {
    /// The same in a run that goes on, whose consumers have in common what they have in `run`; nothing that was begun is begun
    /// anew.
    pub(crate) fn within(self, run: &Self) -> Self {
        let Self { lifetime, queue_type, exchanges, check_topology_every, grace, .. } = *run;
        let streams = run.streams.clone();
        Self { lifetime, queue_type, streams, exchanges, check_topology_every, grace, ..self }
    }
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        Self {
            lifetime: Lifetime::Named,
            queue_type: QueueType::default(),
            streams: None,
            positions: Positions::default(),
            exchanges: Exchanges::Own,
            rules: BindRules::default(),
            marker: None,
            check_topology_every: Some(Duration::from_mins(1)),
            prefetch: None,
            every: Duration::from_secs(1),
            max_logs: None,
            max_batch: 256,
            batching: Batching::Arrived,
            max_retries: 5,
            derived: Derived::Refused,
            saved_state: SavedState::Restored,
            forget_after: Duration::from_hours(7 * 24),
            tolerance: Tolerance::default(),
            probe_after: Some(Duration::from_secs(10)),
            grace: Duration::from_secs(10),
        }
    }
}

/// What is done where a consumer has a position in its streams already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Positions {
    /// It goes on from there.
    #[default]
    GoOn,
    /// It is refused, as it was told to begin elsewhere.
    Refuse,
    /// It begins anew, with counts of zero.
    Discard,
}
