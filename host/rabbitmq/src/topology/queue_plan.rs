//! The arguments that a queue is declared with, and how these are changed to those of a queue that exists already.

use lapin::types::{AMQPValue, FieldTable};
use loghost_core::domain::ConsumerName;

use crate::connection::product::Generation;
use crate::message::names::Names;
use crate::topology::delivery_limit::{DeliveryLimit, Overrun};
use crate::topology::queue_difference::{self, Difference, TYPE, integer};
use crate::topology::queues::QueueType;

const LIMIT: &str = "x-delivery-limit";
const SINGLE_ACTIVE: &str = "x-single-active-consumer";
const DEAD_EXCHANGE: &str = "x-dead-letter-exchange";
const STRATEGY: &str = "x-dead-letter-strategy";
const AT_LEAST_ONCE: &str = "at-least-once";

/// Arguments of an existing queue because of which it drops logs.
const DROPPING: [&str; 4] = ["x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes"];

/// A queue that is declared unless it exists already.
pub(crate) struct Plan {
    pub(crate) name: String,
    queue_type: QueueType,
    /// Where messages beyond a delivery limit are dead-lettered to: exchange and routing key.
    overrun: Option<(String, String)>,
    single_active: bool,
}

impl Plan {
    /// The queue of a consumer. Messages beyond a delivery limit, which a policy may set, go to the consumer's dead letters,
    /// at least once: no log is lost.
    pub(crate) fn of_logs(names: &Names, consumer: &ConsumerName, queue_type: QueueType) -> Self {
        let overrun = Some((names.dead_exchange(), consumer.to_string()));
        Self { name: names.queue(consumer), queue_type, overrun, single_active: true }
    }

    /// The queue of a consumer's dead letters.
    pub(crate) fn of_dead_letters(names: &Names, consumer: &ConsumerName, queue_type: QueueType) -> Self {
        Self { name: names.dead_queue(consumer), queue_type, overrun: None, single_active: false }
    }

    fn arguments(&self, queue_type: QueueType, generation: Generation) -> FieldTable {
        let mut arguments = FieldTable::default();
        let text = |text: &str| AMQPValue::LongString(text.into());
        if self.single_active {
            arguments.insert(SINGLE_ACTIVE.into(), AMQPValue::Boolean(true));
        }
        arguments.insert(TYPE.into(), text(queue_type.as_str()));
        if queue_type == QueueType::Quorum && generation != Generation::Other {
            if generation == Generation::RabbitMq4 {
                // RabbitMQ 3 has no limit by default, and would take this for one of zero.
                arguments.insert(LIMIT.into(), AMQPValue::LongInt(-1));
            }
            if let Some((exchange, key)) = &self.overrun {
                arguments.insert(DEAD_EXCHANGE.into(), text(exchange));
                arguments.insert("x-dead-letter-routing-key".into(), text(key));
                arguments.insert(STRATEGY.into(), text(AT_LEAST_ONCE));
                // The strategy has no effect without it.
                arguments.insert("x-overflow".into(), text("reject-publish"));
            }
        }
        arguments
    }

    /// The type of the queue, as far as it was `found`.
    fn found_type(&self, found: &[Difference]) -> QueueType {
        found.iter().find_map(Difference::queue_type).unwrap_or(self.queue_type)
    }

    /// How the queue differs, if it does: in its type, or from what a queue of its type is declared with.
    pub(crate) fn otherwise(&self, found: &[Difference], generation: Generation) -> Option<Vec<String>> {
        let usual = self.arguments(self.found_type(found), generation);
        let others = found.iter().filter(|difference| {
            difference.argument == TYPE
                || usual.inner().get(difference.argument.as_str()) != difference.current.as_ref()
        });
        let others: Vec<String> = others.map(ToString::to_string).collect();
        Some(others).filter(|others| !others.is_empty())
    }

    /// The arguments, changed to what was `found` of the queue.
    pub(crate) fn amended(&self, found: &[Difference], generation: Generation) -> FieldTable {
        queue_difference::amended(self.arguments(self.found_type(found), generation), found)
    }

    /// Whether no log can be lost because of a difference, and it was not `found` before.
    pub(crate) fn accepts(&self, difference: &Difference, found: &[Difference]) -> bool {
        let argument = difference.argument.as_str();
        if found.iter().any(|known| known.argument == argument) {
            return false;
        }
        match argument {
            TYPE => difference.queue_type().is_some(),
            SINGLE_ACTIVE => !self.single_active,
            argument => argument.starts_with("x-") && !DROPPING.contains(&argument),
        }
    }
}

/// The delivery limit that follows from the arguments of a queue, and what becomes of messages beyond it.
pub(crate) fn delivery_limit_of(arguments: &FieldTable, generation: Generation) -> (DeliveryLimit, Overrun) {
    let text = |key| match arguments.inner().get(key) {
        Some(AMQPValue::LongString(text)) => Some(text.as_bytes()),
        _ => None,
    };
    if text(TYPE) != Some(QueueType::Quorum.as_str().as_bytes()) {
        return (DeliveryLimit::None, Overrun::Dropped);
    }
    let limit = arguments.inner().get(LIMIT).and_then(integer);
    let overrun = match (text(DEAD_EXCHANGE), text(STRATEGY)) {
        (Some(_), Some(strategy)) if strategy == AT_LEAST_ONCE.as_bytes() => Overrun::DeadLettered,
        _ => Overrun::Dropped,
    };
    (DeliveryLimit::declared(limit, generation), overrun)
}
