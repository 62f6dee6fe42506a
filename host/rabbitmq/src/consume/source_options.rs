//! How the source of a consumer is configured.

use std::sync::Arc;

use loghost_core::application::Reads;
use loghost_core::domain::TracesRead;

use crate::message::bind_rules::BindRules;
use crate::stream::options::StreamOptions;
use crate::stream::way::StreamWay;
use crate::topology::check::{CheckOptions, DeclaredDeadLetters};
use crate::topology::declare::Exchanges;
use crate::topology::queues::{Lifetime, QueueOptions};
use crate::topology::recorded_bindings::RecordBindings;

/// How the source of a consumer is configured.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// How its queue is declared.
    pub queue: QueueOptions,
    /// How the streams that logs are read from are declared and read; without it, they come from its queue.
    pub streams: Option<StreamOptions>,
    /// How streams can be read, as far as is known.
    pub stream_way: StreamWay,
    /// How many deliveries may wait for their acknowledgement.
    pub prefetch: u16,
    /// Whose exchanges they come from.
    pub exchanges: Exchanges,
    /// Which exchanges of others they come from as well, where they come from a queue.
    pub rules: BindRules,
    /// Keeps what queues are bound to of those.
    pub recorded_bindings: Arc<dyn RecordBindings>,
    /// The token of the marker that ends a scenario.
    pub marker: Option<String>,
    /// The traces that are looked at; all of them where the consumer publishes, as they go on in what it does.
    pub traces: TracesRead,
    /// How it is made sure that logs still arrive.
    pub check: Option<CheckOptions>,
}

impl SourceOptions {
    /// Whether it writes dead letters. An exclusive queue is a copy: what is rejected from it is discarded.
    pub(crate) fn has_dead_letters(&self, reads: Reads) -> bool {
        reads == Reads::Logs && self.queue.lifetime == Lifetime::Named
    }

    /// Whether the consumer has a queue of dead letters.
    pub(crate) fn dead_letter_queue(&self, reads: Reads) -> DeclaredDeadLetters {
        if self.has_dead_letters(reads) || self.queue.needs_dead_letters() {
            DeclaredDeadLetters::Declared
        } else {
            DeclaredDeadLetters::None
        }
    }
}
