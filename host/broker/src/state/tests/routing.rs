//! Which queues a message reaches.

use super::{ALWAYS, PLAIN, check_refused, client, exchange, is_routed, publish, queue_len, state};
use crate::{
    error::Code,
    message::Content,
    state::{
        exchange::{ExchangeSpec, Kind},
        topology::Target,
    },
};

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
