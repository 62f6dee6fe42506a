//! One connection, served by one thread: it answers requests, sends deliveries, and waits for more. The prefetch bounds
//! what is unacknowledged, so that it need not read while it sends.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};

use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame, parse_frame};
use amq_protocol::protocol::constants::{FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_METHOD};
use amq_protocol::protocol::{AMQPClass, basic, channel, confirm, connection, exchange, queue};
use amq_protocol::types::{AMQPValue, FieldTable, ShortString};

use super::frames::{Frame, Frames};
use super::hose::{Hose, Outlet};

const PROTOCOL_HEADER: [u8; 8] = *b"AMQP\0\0\x09\x01";
const FRAME_MAX: u32 = 131_072;

/// How the names of exchanges end whose logs are preferred.
const INFO: &str = ".info";

/// What a consumer without a prefetch of its own gets.
const PREFETCH: u16 = 1000;

/// The class `basic`, and those of its methods that come once for every log.
const BASIC: u16 = 60;
const PUBLISH: u16 = 40;
const ACK: u16 = 80;
const REJECT: u16 = 90;
const NACK: u16 = 120;

/// Numbers consumers and queues without a name, in all connections.
static NUMBER: AtomicU32 = AtomicU32::new(1);

/// One connection.
pub(crate) struct Session {
    stream: TcpStream,
    frames: Frames,
    state: State,
}

/// What the client has made so far.
struct State {
    logs: u64,
    channels: BTreeMap<u16, Channel>,
    /// The exchange that the logs of a queue come from that is not bound yet.
    exchange: String,
    /// For each queue that is bound, the exchange that its logs come from.
    bound: HashMap<String, String>,
    /// What is to be sent next.
    answers: Vec<u8>,
    closed: bool,
}

#[derive(Default)]
struct Channel {
    prefetch: u16,
    hose: Option<Hose>,
    confirms: bool,
    /// How many messages have come, and how many of these are confirmed.
    published: u64,
    confirmed: u64,
    /// What of a message's body is still to come.
    body_left: u64,
}

impl Session {
    pub(crate) fn new(stream: TcpStream, logs: Option<u64>, exchange: String) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let state = State {
            logs: logs.unwrap_or(u64::MAX),
            channels: BTreeMap::new(),
            exchange,
            bound: HashMap::new(),
            answers: Vec::new(),
            closed: false,
        };
        Ok(Self { stream, frames: Frames::new(), state })
    }

    /// Serves the client until it leaves.
    pub(crate) fn serve(mut self) -> io::Result<()> {
        let header = loop {
            match self.frames.protocol_header() {
                Some(header) => break header,
                None if self.frames.fill(&self.stream)? => {}
                None => return Ok(()),
            }
        };
        if header != PROTOCOL_HEADER {
            return self.stream.write_all(&PROTOCOL_HEADER);
        }
        self.state.say(0, AMQPClass::Connection(connection::AMQPMethod::Start(start())))?;
        loop {
            while !self.state.closed
                && let Some(frame) = self.frames.next()
            {
                self.state.take(frame)?;
            }
            self.state.confirm();
            self.stream.write_all(&self.state.answers)?;
            self.state.answers.clear();
            if self.state.closed {
                // A client may send more until it has read the answer.
                io::copy(&mut self.stream, &mut io::sink())?;
                return Ok(());
            }
            for hose in self.state.channels.values_mut().filter_map(|channel| channel.hose.as_mut()) {
                loop {
                    let deliveries = hose.next()?;
                    if deliveries.is_empty() {
                        break;
                    }
                    self.stream.write_all(deliveries)?;
                }
            }
            if !self.frames.fill(&self.stream)? {
                return Ok(());
            }
        }
    }
}

impl State {
    fn take(&mut self, frame: Frame<'_>) -> io::Result<()> {
        match frame.kind {
            FRAME_METHOD => self.method(frame),
            FRAME_HEADER => {
                self.channel(frame.channel)?.body_left = number(frame.payload, 4)?;
                self.body(frame.channel, 0)
            }
            FRAME_BODY => self.body(frame.channel, frame.payload.len()),
            // A heartbeat.
            _ => Ok(()),
        }
    }

    fn body(&mut self, channel: u16, len: usize) -> io::Result<()> {
        let channel = self.channel(channel)?;
        channel.body_left = channel.body_left.saturating_sub(len as u64);
        channel.published += u64::from(channel.body_left == 0);
        Ok(())
    }

    /// Confirms what has come.
    fn confirm(&mut self) {
        for (id, channel) in &mut self.channels {
            let news = channel.published - channel.confirmed;
            channel.confirmed = channel.published;
            if channel.confirms && news > 0 {
                self.answers.push(FRAME_METHOD);
                self.answers.extend(id.to_be_bytes());
                self.answers.extend(13_u32.to_be_bytes());
                self.answers.extend(BASIC.to_be_bytes());
                self.answers.extend(ACK.to_be_bytes());
                self.answers.extend(channel.confirmed.to_be_bytes());
                self.answers.extend([u8::from(news > 1), FRAME_END]);
            }
        }
    }

    /// Methods that come for every log are decoded here, not by the codec.
    fn method(&mut self, frame: Frame<'_>) -> io::Result<()> {
        let [c1, c0, m1, m0] = *frame.payload.first_chunk().ok_or_else(|| broken("an empty method"))?;
        match (u16::from_be_bytes([c1, c0]), u16::from_be_bytes([m1, m0])) {
            (BASIC, PUBLISH) => Ok(()),
            (BASIC, method @ (ACK | REJECT | NACK)) => {
                let tag = number(frame.payload, 4)?;
                let multiple = method != REJECT && frame.payload.get(12).is_some_and(|bits| bits & 1 == 1);
                if let Some(hose) = &mut self.channel(frame.channel)?.hose {
                    match (multiple, tag) {
                        (true, 0) => hose.acknowledged.through(hose.delivered()),
                        (true, tag) => hose.acknowledged.through(tag),
                        (false, tag) => hose.acknowledged.one(tag),
                    }
                }
                Ok(())
            }
            _ => match parse_frame(frame.whole) {
                Ok((_, AMQPFrame::Method(_, method))) => self.answer(frame.channel, method),
                _ => Err(broken("a method that cannot be read")),
            },
        }
    }

    fn answer(&mut self, id: u16, method: AMQPClass) -> io::Result<()> {
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
                self.channel(id)?.hose = None;
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
        if asked.no_ack || channel.hose.is_some() {
            return Err(broken("a consumer has a channel of its own here, and acknowledges"));
        }
        let outlet = Outlet {
            channel: id,
            consumer_tag: consumer_tag.to_string(),
            exchange,
            prefetch: channel.prefetch.into(),
            logs,
        };
        channel.hose = Some(Hose::new(outlet, number)?);
        let ok = basic::AMQPMethod::ConsumeOk(basic::ConsumeOk { consumer_tag });
        self.say_unless(asked.nowait, id, AMQPClass::Basic(ok))
    }

    fn channel(&mut self, id: u16) -> io::Result<&mut Channel> {
        self.channels.get_mut(&id).ok_or_else(|| broken("a channel that is not open"))
    }

    fn say_unless(&mut self, nowait: bool, channel: u16, method: AMQPClass) -> io::Result<()> {
        if nowait { Ok(()) } else { self.say(channel, method) }
    }

    fn say(&mut self, channel: u16, method: AMQPClass) -> io::Result<()> {
        encode(&AMQPFrame::Method(channel, method), &mut self.answers)
    }
}

/// Appends a frame.
pub(crate) fn encode(frame: &AMQPFrame, buffer: &mut Vec<u8>) -> io::Result<()> {
    let (bytes, _) = gen_frame(frame)(WriteContext::from(Vec::new())).map_err(io::Error::other)?.into_inner();
    buffer.extend(bytes);
    Ok(())
}

fn start() -> connection::Start {
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

/// The number of eight bytes at `at`.
fn number(payload: &[u8], at: usize) -> io::Result<u64> {
    let bytes = payload.get(at..).and_then(|rest| rest.first_chunk());
    bytes.map(|bytes| u64::from_be_bytes(*bytes)).ok_or_else(|| broken("a frame that is too short"))
}

fn unknown(method: &impl std::fmt::Debug) -> io::Error {
    io::Error::other(format!("a method that is not known here: {method:?}"))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
