//! Queues with a limit that reject further messages.

use lapin::types::AMQPValue;
use serde_json::json;

use super::drain;
use crate::support::broker::Broker;
use crate::support::outside::{DURABLE, Outside, text};

/// A queue that rejects messages when it is full.
pub(super) struct Limited {
    pub(super) outside: Outside,
    pub(super) queue: String,
    /// The messages that filled it.
    fillers: u32,
    /// How many more it takes, exactly.
    pub(super) room: u32,
}

impl Limited {
    /// A queue whose limit is `most`. A quorum queue accepts an unknown number of messages more than that, so it is
    /// filled first, until it rejects one.
    #[track_caller]
    fn new(outside: Outside, queue: String, most: u32, is_quorum: bool) -> Self {
        let fill = || u32::try_from((0..100).take_while(|_| outside.try_publish(&queue, b"filler")).count());
        let fillers = if is_quorum { fill().expect("a few") } else { 0 };
        assert!(!is_quorum || (most..100).contains(&fillers), "{queue} has taken {fillers}, not {most}");
        Self { outside, queue, fillers, room: if is_quorum { 0 } else { most } }
    }

    /// How many are in it when it is full.
    pub(super) fn full(&self) -> u32 {
        self.fillers + self.room
    }

    /// Takes out what was put into it to fill it.
    #[track_caller]
    pub(super) fn make_room(&self) {
        let fillers = drain(&self.outside, &self.queue, self.fillers);
        assert!(fillers.iter().all(|(_, text)| text == "filler"), "{fillers:?}");
    }
}

/// A queue that refuses what is more than five messages, and gets all logs of a severity; whether it is a quorum queue.
pub(super) fn limited(broker: &Broker, severity: &str) -> (Outside, String, bool) {
    let (outside, queue) = (broker.outside(), format!("{}-{severity}", broker.prefix()));
    outside.listen_to(5, &queue, &broker.exchange(severity));
    (outside, queue, broker.is_quorum() || broker.is_quorum_vhost())
}

/// A queue with room for five, which gets all logs of a severity.
pub(super) fn five(broker: &Broker, severity: &str) -> Limited {
    let (outside, queue, is_quorum) = limited(broker, severity);
    Limited::new(outside, queue, 5, is_quorum)
}

/// Has the queue of the consumer `picky`, or that of its dead letters, refuse what is more than `most` messages.
#[track_caller]
pub(super) fn limit(broker: &Broker, queue: &str, most: u32) -> Limited {
    let outside = broker.outside();
    if broker.is_rabbitmq() {
        let definition = json!({"max-length": most, "overflow": "reject-publish"}).to_string();
        broker.set_policy(queue, &format!("^{}$", queue.replace('.', "\\.")), &definition);
    } else {
        // It has no policies, and a host refuses a queue that was declared so: this one takes the place of another.
        outside.delete(queue);
        let limited = [("x-max-length", AMQPValue::LongUInt(most)), ("x-overflow", text("reject-publish"))];
        outside.declare(queue, DURABLE, &limited);
        if queue == broker.dead_queue("picky") {
            outside.bind_with(queue, &broker.exchange("dead"), "picky");
        }
    }
    Limited::new(outside, queue.to_owned(), most, broker.is_quorum())
}
