//! What a connection answers: to each method that a client sends, but for those that come with every log.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use amq_protocol::protocol::{AMQPClass, basic, channel, confirm, connection, exchange, queue};
use amq_protocol::types::{AMQPValue, FieldTable, ShortString};

use super::deliveries::{Deliveries, DeliveryOptions};
use super::session::{Channel, FRAME_MAX, State, broken};

/// How the names of exchanges end whose logs are preferred.
const INFO: &str = ".info";

/// What a consumer without a prefetch of its own gets.
const PREFETCH: u16 = 1000;

/// Numbers consumers and queues without a name, in all connections.
static NUMBER: AtomicU32 = AtomicU32::new(1);

impl State {
    pub(super) fn answer(&mut self, id: u16, method: AMQPClass) -> io::Result<()> {
        match method {
            AMQPClass::Connection(method) => self.answer_connection(method),
            AMQPClass::Channel(method) => self.answer_channel(id, method),
            AMQPClass::Exchange(method) => self.answer_exchange(id, &method),
            AMQPClass::Queue(method) => self.answer_queue(id, method),
            AMQPClass::Basic(method) => self.answer_basic(id, method),
            AMQPClass::Confirm(confirm::AMQPMethod::Select(select)) => {
                self.channel(id)?.confirms = true;
                let ok = confirm::AMQPMethod::SelectOk(confirm::SelectOk {});
                self.say_unless(select.nowait, id, AMQPClass::Confirm(ok))
            }
            other => Err(unknown(&other)),
        }
    }

    fn answer_connection(&mut self, method: connection::AMQPMethod) -> io::Result<()> {
        use connection::AMQPMethod as Method;
        let answer = match method {
            Method::StartOk(_) => {
                Method::Tune(connection::Tune { channel_max: 2047, frame_max: FRAME_MAX, heartbeat: 0 })
            }
            Method::Open(_) => Method::OpenOk(connection::OpenOk {}),
            Method::Close(_) => {
                self.closed = true;
                Method::CloseOk(connection::CloseOk {})
            }
            Method::TuneOk(_) => return Ok(()),
            other => return Err(unknown(&other)),
        };
        self.say(0, AMQPClass::Connection(answer))
    }

    fn answer_channel(&mut self, id: u16, method: channel::AMQPMethod) -> io::Result<()> {
        use channel::AMQPMethod as Method;
        let answer = match method {
            Method::Open(_) => {
                self.channels.insert(id, Channel { prefetch: PREFETCH, ..Channel::default() });
                Method::OpenOk(channel::OpenOk {})
            }
            Method::Close(_) => {
                self.confirm();
                self.channels.remove(&id);
                Method::CloseOk(channel::CloseOk {})
            }
            other => return Err(unknown(&other)),
        };
        self.say(id, AMQPClass::Channel(answer))
    }

    fn answer_exchange(&mut self, id: u16, method: &exchange::AMQPMethod) -> io::Result<()> {
        use exchange::AMQPMethod as Method;
        let (nowait, answer) = match method {
            Method::Declare(asked) => (asked.nowait, Method::DeclareOk(exchange::DeclareOk {})),
            Method::Delete(asked) => (asked.nowait, Method::DeleteOk(exchange::DeleteOk {})),
            Method::Bind(asked) => (asked.nowait, Method::BindOk(exchange::BindOk {})),
            Method::Unbind(asked) => (asked.nowait, Method::UnbindOk(exchange::UnbindOk {})),
            other => return Err(unknown(other)),
        };
        self.say_unless(nowait, id, AMQPClass::Exchange(answer))
    }

    fn answer_queue(&mut self, id: u16, method: queue::AMQPMethod) -> io::Result<()> {
        use queue::AMQPMethod as Method;
        let (nowait, answer) = match method {
            Method::Declare(asked) => {
                let queue = if asked.queue.as_str().is_empty() {
                    format!("amq.gen-{}", NUMBER.fetch_add(1, Ordering::Relaxed)).into()
                } else {
                    asked.queue
                };
                let ok = queue::DeclareOk { queue, message_count: 0, consumer_count: 0 };
                (asked.nowait, Method::DeclareOk(ok))
            }
            Method::Bind(asked) => {
                let bound = self.bound.entry(asked.queue.to_string());
                let exchange = bound.or_insert_with(|| asked.exchange.to_string());
                if asked.exchange.as_str().ends_with(INFO) {
                    asked.exchange.as_str().clone_into(exchange);
                }
                (asked.nowait, Method::BindOk(queue::BindOk {}))
            }
            Method::Unbind(_) => (false, Method::UnbindOk(queue::UnbindOk {})),
            Method::Purge(asked) => (asked.nowait, Method::PurgeOk(queue::PurgeOk { message_count: 0 })),
            Method::Delete(asked) => (asked.nowait, Method::DeleteOk(queue::DeleteOk { message_count: 0 })),
            other => return Err(unknown(&other)),
        };
        self.say_unless(nowait, id, AMQPClass::Queue(answer))
    }

    fn answer_basic(&mut self, id: u16, method: basic::AMQPMethod) -> io::Result<()> {
        use basic::AMQPMethod as Method;
        let (nowait, answer) = match method {
            Method::Qos(asked) => {
                let prefetch = if asked.prefetch_count == 0 { PREFETCH } else { asked.prefetch_count };
                self.channel(id)?.prefetch = prefetch;
                (false, Method::QosOk(basic::QosOk {}))
            }
            Method::Consume(asked) => return self.consume(id, asked),
            Method::Cancel(asked) => {
                self.channel(id)?.deliveries = None;
                (asked.nowait, Method::CancelOk(basic::CancelOk { consumer_tag: asked.consumer_tag }))
            }
            Method::Get(_) => (false, Method::GetEmpty(basic::GetEmpty {})),
            other => return Err(unknown(&other)),
        };
        self.say_unless(nowait, id, AMQPClass::Basic(answer))
    }

    fn consume(&mut self, id: u16, asked: basic::Consume) -> io::Result<()> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let consumer_tag = if asked.consumer_tag.as_str().is_empty() {
            ShortString::from(format!("amq.ctag-{number}"))
        } else {
            asked.consumer_tag
        };
        let exchange = self.bound.get(asked.queue.as_str()).unwrap_or(&self.exchange).clone();
        let logs = self.logs;
        let channel = self.channel(id)?;
        if asked.no_ack || channel.deliveries.is_some() {
            return Err(broken("a consumer has a channel of its own here, and acknowledges"));
        }
        let options = DeliveryOptions {
            channel: id,
            consumer_tag: consumer_tag.to_string(),
            exchange,
            prefetch: channel.prefetch.into(),
            logs,
        };
        channel.deliveries = Some(Deliveries::new(options, number)?);
        let ok = basic::AMQPMethod::ConsumeOk(basic::ConsumeOk { consumer_tag });
        self.say_unless(asked.nowait, id, AMQPClass::Basic(ok))
    }
}

/// What a connection begins with.
pub(super) fn start() -> connection::Start {
    let mut capabilities = FieldTable::default();
    for capability in [
        "basic.nack",
        "connection.blocked",
        "consumer_cancel_notify",
        "exchange_exchange_bindings",
        "per_consumer_qos",
        "publisher_confirms",
    ] {
        capabilities.insert(capability.into(), AMQPValue::Boolean(true));
    }
    let mut server_properties = FieldTable::default();
    server_properties.insert("product".into(), AMQPValue::LongString("firehose".into()));
    server_properties.insert("capabilities".into(), AMQPValue::FieldTable(capabilities));
    connection::Start {
        version_major: 0,
        version_minor: 9,
        server_properties,
        mechanisms: "PLAIN".into(),
        locales: "en_US".into(),
    }
}

fn unknown(method: &impl std::fmt::Debug) -> io::Error {
    io::Error::other(format!("a method that is not known here: {method:?}"))
}
