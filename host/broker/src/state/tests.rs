//! The state as a whole, without a socket: methods, and what clients are then sent.

use std::sync::Arc;

use amq_protocol::protocol::{AMQPClass, basic};

use super::{
    BrokerState, Connection,
    arena::Key,
    channel::{Channel, DeliveryTags},
    delivery::{Consume, Disposition},
    exchange::{ExchangeSpec, Kind},
    policy::Policy,
    queue::{Acknowledgement, Consumption, QueueKind, QueueSpec},
    routing::Published,
    topology::{Target, Unless},
};
use crate::{
    error::{AmqpError, Code},
    memory::Memory,
    message::Content,
    outbox::{Outbox, Output},
};

const PLAIN: QueueSpec = QueueSpec {
    durable: false,
    exclusive: false,
    auto_delete: false,
    consumption: Consumption::Shared,
    kind: QueueKind::Classic,
    policy: Policy::NONE,
};
const ALWAYS: Unless = Unless { used: false, filled: false };

/// A client with one channel, and more on demand.
struct Client {
    connection: Key<Connection>,
    channel: Key<Channel>,
    outbox: Arc<Outbox>,
}

fn state() -> BrokerState {
    BrokerState::new(Arc::new(Memory::new(usize::MAX)))
}

fn client(state: &mut BrokerState) -> Client {
    let outbox = Arc::new(Outbox::default());
    let connection = state.open_connection(Arc::clone(&outbox), true);
    let channel = state.open_channel(connection, 1).unwrap();
    Client { connection, channel, outbox }
}

impl Client {
    /// What it has been sent since the last time, in short: `c:body` for a delivery to consumer `c`
    /// (with `!` if redelivered), `get:body`, `-c` for a consumer that was cancelled.
    fn heard(&self) -> Vec<String> {
        let mut outputs = Vec::new();
        self.outbox.take(&mut outputs);
        outputs.iter().filter_map(in_short).collect()
    }
}

fn in_short(output: &Output) -> Option<String> {
    let body = |message: &Arc<crate::message::Message>, redelivered: bool| {
        let body = String::from_utf8_lossy(message.content().body()).into_owned();
        body + if redelivered { "!" } else { "" }
    };
    match output {
        Output::Deliver { consumer_tag, redelivered, message, .. } => {
            Some(format!("{consumer_tag}:{}", body(message, *redelivered)))
        }
        Output::GetOk { redelivered, message, .. } => Some(format!("get:{}", body(message, *redelivered))),
        Output::Method(_, method) => match &**method {
            AMQPClass::Basic(basic::AMQPMethod::Cancel(cancel)) => Some(format!("-{}", cancel.consumer_tag)),
            AMQPClass::Basic(basic::AMQPMethod::GetEmpty(_)) => Some("empty".into()),
            _ => None,
        },
        _ => None,
    }
}

fn publish(state: &mut BrokerState, exchange: &str, routing_key: &str, bodies: &[&str]) {
    for body in bodies {
        let published = state.publish(exchange, Content::of(routing_key, body), &[]).unwrap();
        assert!(matches!(published, Published::Routed), "{exchange}/{routing_key}: {body}");
    }
}

fn is_routed(state: &mut BrokerState, exchange: &str, routing_key: &str) -> bool {
    let published = state.publish(exchange, Content::of(routing_key, "x"), &[]);
    matches!(published, Ok(Published::Routed))
}

fn consume(state: &mut BrokerState, channel: Key<Channel>, queue: &str, tag: &str) {
    let acknowledgement = Acknowledgement::Explicit;
    state.consume(channel, Consume { queue, tag, acknowledgement, exclusive: false, nowait: false }).unwrap();
}

fn exchange(kind: Kind) -> ExchangeSpec {
    ExchangeSpec { kind, durable: false, auto_delete: false, internal: false, alternate: None }
}

fn queue_len(state: &mut BrokerState, channel: Key<Channel>, queue: &str) -> usize {
    state.check_queue(channel, queue).unwrap().messages
}

#[track_caller]
fn check_refused<T: std::fmt::Debug>(result: Result<T, AmqpError>, code: Code) {
    assert_eq!(result.unwrap_err().code, code);
}

#[test]
fn a_message_reaches_each_queue_once_whatever_the_ways() {
    let state = &mut state();
    let client = client(state);
    let channel = client.channel;
    state.declare_exchange("a", exchange(Kind::Topic)).unwrap();
    state.declare_exchange("b", exchange(Kind::Fanout)).unwrap();
    for queue in ["q", "r"] {
        state.declare_queue(channel, queue, PLAIN).unwrap();
    }
    for key in ["#", "x.*"] {
        state.bind(channel, "a", Target::Queue("q"), key).unwrap();
    }
    state.bind(channel, "a", Target::Exchange("b"), "x.y").unwrap();
    state.bind(channel, "b", Target::Queue("q"), "").unwrap();
    state.bind(channel, "b", Target::Queue("r"), "").unwrap();
    // In a circle.
    state.bind(channel, "b", Target::Exchange("a"), "").unwrap();

    publish(state, "a", "x.y", &["1"]);
    publish(state, "a", "z", &["2"]);
    assert_eq!(queue_len(state, channel, "q"), 2);
    assert_eq!(queue_len(state, channel, "r"), 1);
}

#[test]
fn the_default_exchange_leads_to_every_queue_by_name() {
    let state = &mut state();
    let client = client(state);
    assert!(!is_routed(state, "", "q"));
    state.declare_queue(client.channel, "q", PLAIN).unwrap();
    assert!(is_routed(state, "", "q"));
    state.delete_queue(client.channel, "q", ALWAYS).unwrap();
    assert!(!is_routed(state, "", "q"));
    check_refused(state.bind(client.channel, "", Target::Queue("q"), "k"), Code::AccessRefused);
    check_refused(state.delete_exchange("", ALWAYS), Code::AccessRefused);
}

#[test]
fn copies_go_to_their_own_keys() {
    let state = &mut state();
    let client = client(state);
    for queue in ["q", "r", "s"] {
        state.declare_queue(client.channel, queue, PLAIN).unwrap();
    }
    state.publish("", Content::of("q", "x"), &["r".into(), "q".into()]).unwrap();
    let lens = ["q", "r", "s"].map(|queue| queue_len(state, client.channel, queue));
    assert_eq!(lens, [1, 1, 0]);
}

#[test]
fn auto_delete_exchanges_go_with_their_last_binding() {
    let state = &mut state();
    let client = client(state);
    let auto_delete = ExchangeSpec { auto_delete: true, ..exchange(Kind::Fanout) };
    state.declare_exchange("outer", auto_delete.clone()).unwrap();
    state.declare_exchange("inner", auto_delete).unwrap();
    state.declare_queue(client.channel, "q", PLAIN).unwrap();
    state.bind(client.channel, "inner", Target::Queue("q"), "").unwrap();
    state.bind(client.channel, "outer", Target::Exchange("inner"), "").unwrap();
    state.check_exchange("outer").unwrap();
    state.delete_queue(client.channel, "q", ALWAYS).unwrap();
    check_refused(state.check_exchange("inner"), Code::NotFound);
    check_refused(state.check_exchange("outer"), Code::NotFound);
}

#[test]
fn internal_exchanges_take_from_exchanges_only() {
    let state = &mut state();
    let client = client(state);
    let internal = ExchangeSpec { internal: true, ..exchange(Kind::Fanout) };
    state.declare_exchange("in", internal).unwrap();
    state.declare_exchange("out", exchange(Kind::Fanout)).unwrap();
    state.declare_queue(client.channel, "q", PLAIN).unwrap();
    state.bind(client.channel, "in", Target::Queue("q"), "").unwrap();
    state.bind(client.channel, "out", Target::Exchange("in"), "").unwrap();
    check_refused(state.publish("in", Content::of("", "x"), &[]), Code::AccessRefused);
    assert!(is_routed(state, "out", ""));
}

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
