//! The state as a whole, without a socket: methods, and what clients are then sent.

mod delivery;
mod queues;
mod routing;

use std::sync::Arc;

use amq_protocol::protocol::{AMQPClass, basic};

use super::{
    BrokerState, Connection,
    arena::Key,
    channel::ChannelState,
    delivery::Consume,
    exchange::{ExchangeSpec, Kind},
    policy::Policy,
    queue::{Acknowledgement, Consumption, QueueKind, QueueSpec},
    routing::Published,
    topology::Unless,
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
struct TestClient {
    connection: Key<Connection>,
    channel: Key<ChannelState>,
    outbox: Arc<Outbox>,
}

fn state() -> BrokerState {
    BrokerState::new(Arc::new(Memory::new(usize::MAX)))
}

fn client(state: &mut BrokerState) -> TestClient {
    let outbox = Arc::new(Outbox::default());
    let connection = state.open_connection(Arc::clone(&outbox), true);
    let channel = state.open_channel(connection, 1).unwrap();
    TestClient { connection, channel, outbox }
}

impl TestClient {
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

fn consume(state: &mut BrokerState, channel: Key<ChannelState>, queue: &str, tag: &str) {
    let acknowledgement = Acknowledgement::Explicit;
    state.consume(channel, Consume { queue, tag, acknowledgement, exclusive: false, nowait: false }).unwrap();
}

fn exchange(kind: Kind) -> ExchangeSpec {
    ExchangeSpec { kind, durable: false, auto_delete: false, internal: false, alternate: None }
}

fn queue_len(state: &mut BrokerState, channel: Key<ChannelState>, queue: &str) -> usize {
    state.check_queue(channel, queue).unwrap().messages
}

#[track_caller]
fn check_refused<T: std::fmt::Debug>(result: Result<T, AmqpError>, code: Code) {
    assert_eq!(result.unwrap_err().code, code);
}
