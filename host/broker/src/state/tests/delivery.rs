//! Who is given what, when, and what is given again.

use super::{PLAIN, check_refused, client, consume, publish, queue_len, state};
use crate::{
    error::Code,
    state::{
        channel::DeliveryTags,
        delivery::Disposition,
        queue::{Acknowledgement, Consumption, QueueSpec},
    },
};

#[test]
fn prefetch_bounds_what_a_consumer_holds() {
    let state = &mut state();
    let client = client(state);
    state.declare_queue(client.channel, "q", PLAIN).unwrap();
    state.set_prefetch(client.channel, 2, false).unwrap();
    consume(state, client.channel, "q", "c");
    // For consumers to come.
    state.set_prefetch(client.channel, 1, false).unwrap();
    publish(state, "", "q", &["1", "2", "3", "4", "5"]);
    assert_eq!(client.heard(), ["c:1", "c:2"]);
    state.resolve(client.channel, DeliveryTags::One(2), Disposition::Acknowledged).unwrap();
    assert_eq!(client.heard(), ["c:3"]);
    state.resolve(client.channel, DeliveryTags::UpTo(3), Disposition::Acknowledged).unwrap();
    assert_eq!(client.heard(), ["c:4", "c:5"]);
}

#[test]
fn a_shared_prefetch_bounds_the_channel() {
    let state = &mut state();
    let client = client(state);
    for queue in ["q", "r"] {
        state.declare_queue(client.channel, queue, PLAIN).unwrap();
        publish(state, "", queue, &["1", "2"]);
    }
    state.set_prefetch(client.channel, 3, true).unwrap();
    consume(state, client.channel, "q", "c");
    consume(state, client.channel, "r", "d");
    assert_eq!(client.heard(), ["c:1", "c:2", "d:1"]);
    // An acknowledgement of one makes room for the other.
    state.resolve(client.channel, DeliveryTags::One(1), Disposition::Acknowledged).unwrap();
    assert_eq!(client.heard(), ["d:2"]);
    publish(state, "", "q", &["3"]);
    assert!(client.heard().is_empty());
    state.set_prefetch(client.channel, 0, true).unwrap();
    assert_eq!(client.heard(), ["c:3"]);
}

#[test]
fn an_acknowledgement_without_a_delivery_is_refused() {
    let state = &mut state();
    let client = client(state);
    state.declare_queue(client.channel, "q", PLAIN).unwrap();
    consume(state, client.channel, "q", "c");
    publish(state, "", "q", &["1"]);
    state.resolve(client.channel, DeliveryTags::One(1), Disposition::Acknowledged).unwrap();
    for tags in [DeliveryTags::One(1), DeliveryTags::UpTo(1), DeliveryTags::One(0), DeliveryTags::One(2)] {
        check_refused(
            state.resolve(client.channel, tags, Disposition::Acknowledged),
            Code::PreconditionFailed,
        );
    }
    state.resolve(client.channel, DeliveryTags::All, Disposition::Acknowledged).unwrap();
}

#[test]
fn requeued_messages_come_again_in_their_order() {
    let state = &mut state();
    let client = client(state);
    state.declare_queue(client.channel, "q", PLAIN).unwrap();
    publish(state, "", "q", &["1", "2", "3", "4"]);
    for _ in 0..3 {
        state.get(client.channel, "q", Acknowledgement::Explicit).unwrap();
    }
    state.resolve(client.channel, DeliveryTags::One(2), Disposition::Requeued).unwrap();
    state.resolve(client.channel, DeliveryTags::One(3), Disposition::Acknowledged).unwrap();
    state.resolve(client.channel, DeliveryTags::One(1), Disposition::Requeued).unwrap();
    client.heard();
    for _ in 0..4 {
        state.get(client.channel, "q", Acknowledgement::Automatic).unwrap();
    }
    assert_eq!(client.heard(), ["get:1!", "get:2!", "get:4", "empty"]);
}

#[test]
fn what_a_connection_held_goes_to_others_in_order() {
    let state = &mut state();
    let dying = client(state);
    let sibling = state.open_channel(dying.connection, 2).unwrap();
    let successor = client(state);
    state.declare_queue(dying.channel, "q", PLAIN).unwrap();
    consume(state, dying.channel, "q", "a");
    consume(state, sibling, "q", "b");
    publish(state, "", "q", &["1", "2", "3", "4"]);
    assert_eq!(dying.heard(), ["a:1", "b:2", "a:3", "b:4"]);
    state.set_prefetch(successor.channel, 3, false).unwrap();
    consume(state, successor.channel, "q", "c");
    state.close_connection(dying.connection);
    assert!(dying.heard().is_empty(), "nothing moves between the channels of the dead");
    assert_eq!(successor.heard(), ["c:1!", "c:2!", "c:3!"]);
}

#[test]
fn a_single_active_consumer_has_an_heir() {
    let state = &mut state();
    let (first, second) = (client(state), client(state));
    let spec = QueueSpec { consumption: Consumption::SingleActive, ..PLAIN };
    state.declare_queue(first.channel, "q", spec).unwrap();
    state.set_prefetch(first.channel, 1, false).unwrap();
    consume(state, first.channel, "q", "a");
    consume(state, second.channel, "q", "b");
    publish(state, "", "q", &["1", "2"]);
    assert_eq!(first.heard(), ["a:1"]);
    assert!(second.heard().is_empty());
    state.cancel(first.channel, "a").unwrap();
    assert_eq!(second.heard(), ["b:2"]);
    // The first one can still resolve its deliveries.
    state.resolve(first.channel, DeliveryTags::One(1), Disposition::Requeued).unwrap();
    assert_eq!(second.heard(), ["b:1!"]);
}

#[test]
fn a_full_outbox_stops_deliveries_until_it_is_taken() {
    let state = &mut state();
    let client = client(state);
    state.declare_queue(client.channel, "q", PLAIN).unwrap();
    let large = "x".repeat(100_000);
    publish(state, "", "q", &[large.as_str(); 20]);
    consume(state, client.channel, "q", "c");
    assert_eq!(queue_len(state, client.channel, "q"), 14, "six make the outbox full");
    let mut outputs = Vec::new();
    assert!(client.outbox.take(&mut outputs).room_wanted);
    state.resume(client.connection);
    assert_eq!(queue_len(state, client.channel, "q"), 8);
}
