//! Whose queues are, when they go, and the memory that goes with them.

use std::sync::Arc;

use super::{ALWAYS, PLAIN, check_refused, client, consume, publish, state};
use crate::{
    error::Code,
    memory::Memory,
    state::{
        BrokerState,
        channel::DeliveryTags,
        delivery::Disposition,
        queue::{Acknowledgement, QueueSpec},
        topology::Target,
    },
};

#[test]
fn exclusive_queues_are_their_connections_own() {
    let state = &mut state();
    let (owner, other) = (client(state), client(state));
    let exclusive = QueueSpec { exclusive: true, durable: true, ..PLAIN };
    state.declare_queue(owner.channel, "q", exclusive.clone()).unwrap();
    state.declare_queue(owner.channel, "q", exclusive).unwrap();
    check_refused(state.declare_queue(owner.channel, "q", PLAIN), Code::ResourceLocked);
    check_refused(state.check_queue(other.channel, "q"), Code::ResourceLocked);
    check_refused(state.purge_queue(other.channel, "q"), Code::ResourceLocked);
    check_refused(state.get(other.channel, "q", Acknowledgement::Automatic), Code::ResourceLocked);
    state.close_connection(owner.connection);
    check_refused(state.check_queue(other.channel, "q"), Code::NotFound);
}

#[test]
fn auto_delete_queues_go_with_their_last_consumer() {
    let state = &mut state();
    let (one, two) = (client(state), client(state));
    state.declare_queue(one.channel, "q", QueueSpec { auto_delete: true, ..PLAIN }).unwrap();
    consume(state, one.channel, "q", "a");
    consume(state, two.channel, "q", "b");
    state.cancel(one.channel, "a").unwrap();
    state.check_queue(one.channel, "q").unwrap();
    state.close_channel(two.channel);
    check_refused(state.check_queue(one.channel, "q"), Code::NotFound);
}

#[test]
fn consumers_hear_that_their_queue_is_gone() {
    let state = &mut state();
    let client = client(state);
    state.declare_queue(client.channel, "q", PLAIN).unwrap();
    consume(state, client.channel, "q", "c");
    publish(state, "", "q", &["1"]);
    state.delete_queue(client.channel, "q", ALWAYS).unwrap();
    assert_eq!(client.heard(), ["c:1", "-c"]);
    // The tag is free again, and resolving the delivery has no effect.
    state.resolve(client.channel, DeliveryTags::One(1), Disposition::Requeued).unwrap();
    state.declare_queue(client.channel, "q", PLAIN).unwrap();
    consume(state, client.channel, "q", "c");
    assert!(client.heard().is_empty());
}

#[test]
fn memory_is_given_back_with_each_copy_and_with_the_last_one() {
    let memory = Arc::new(Memory::new(usize::MAX));
    let state = &mut BrokerState::new(Arc::clone(&memory));
    let client = client(state);
    for queue in ["q", "r"] {
        state.declare_queue(client.channel, queue, PLAIN).unwrap();
        state.bind(client.channel, "amq.fanout", Target::Queue(queue), "").unwrap();
    }
    let empty = memory.used();
    publish(state, "amq.fanout", "", &["1"]);
    let used = memory.used() - empty;
    assert!((1..200).contains(&used), "{used} bytes for one message in two queues");
    state.purge_queue(client.channel, "q").unwrap();
    let one_copy = memory.used() - empty;
    assert!((used / 2..used).contains(&one_copy), "{one_copy} of {used} bytes for one copy");
    state.get(client.channel, "r", Acknowledgement::Explicit).unwrap();
    client.heard();
    assert_eq!(memory.used() - empty, one_copy, "unacknowledged is not gone");
    state.resolve(client.channel, DeliveryTags::One(1), Disposition::Acknowledged).unwrap();
    assert_eq!(memory.used(), empty);
    for queue in ["q", "r"] {
        state.delete_queue(client.channel, queue, ALWAYS).unwrap();
    }
    assert_eq!(memory.used(), 0);
}
