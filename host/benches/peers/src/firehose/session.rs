//! One connection, served by one thread: it takes what comes, sends answers and deliveries, and waits for more. The prefetch
//! bounds what is unacknowledged, so that it need not read while it sends.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::net::TcpStream;

use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame, parse_frame};
use amq_protocol::protocol::constants::{FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_METHOD};
use amq_protocol::protocol::{AMQPClass, connection};

use super::answers::start;
use super::deliveries::Deliveries;
use super::frames::{Frame, Frames};

const PROTOCOL_HEADER: [u8; 8] = *b"AMQP\0\0\x09\x01";
pub(super) const FRAME_MAX: u32 = 131_072;

/// The class `basic`, and those of its methods that come once for every log.
const BASIC: u16 = 60;
const PUBLISH: u16 = 40;
const ACK: u16 = 80;
const REJECT: u16 = 90;
const NACK: u16 = 120;

/// One connection.
pub(crate) struct Session {
    stream: TcpStream,
    frames: Frames,
    state: State,
}

/// What the client has made so far.
pub(super) struct State {
    pub(super) logs: u64,
    pub(super) channels: BTreeMap<u16, Channel>,
    /// The exchange that the logs of a queue come from that is not bound yet.
    pub(super) exchange: String,
    /// For each queue that is bound, the exchange that its logs come from.
    pub(super) bound: HashMap<String, String>,
    /// What is to be sent next.
    answers: Vec<u8>,
    pub(super) closed: bool,
}

/// A channel, and what has come through it.
#[derive(Default)]
pub(super) struct Channel {
    pub(super) prefetch: u16,
    pub(super) deliveries: Option<Deliveries>,
    pub(super) confirms: bool,
    /// How many messages have come, and how many of these are confirmed.
    pub(super) published: u64,
    pub(super) confirmed: u64,
    /// What of a message's body is still to come.
    pub(super) body_left: u64,
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
            for to_send in self.state.channels.values_mut().filter_map(|channel| channel.deliveries.as_mut())
            {
                loop {
                    let deliveries = to_send.next()?;
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
    pub(super) fn confirm(&mut self) {
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
                if let Some(sent) = &mut self.channel(frame.channel)?.deliveries {
                    match (multiple, tag) {
                        (true, 0) => sent.acknowledged.through(sent.delivered()),
                        (true, tag) => sent.acknowledged.through(tag),
                        (false, tag) => sent.acknowledged.one(tag),
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

    pub(super) fn channel(&mut self, id: u16) -> io::Result<&mut Channel> {
        self.channels.get_mut(&id).ok_or_else(|| broken("a channel that is not open"))
    }

    pub(super) fn say_unless(&mut self, nowait: bool, channel: u16, method: AMQPClass) -> io::Result<()> {
        if nowait { Ok(()) } else { self.say(channel, method) }
    }

    pub(super) fn say(&mut self, channel: u16, method: AMQPClass) -> io::Result<()> {
        encode(&AMQPFrame::Method(channel, method), &mut self.answers)
    }
}

/// Appends a frame.
pub(crate) fn encode(frame: &AMQPFrame, buffer: &mut Vec<u8>) -> io::Result<()> {
    let (bytes, _) = gen_frame(frame)(WriteContext::from(Vec::new())).map_err(io::Error::other)?.into_inner();
    buffer.extend(bytes);
    Ok(())
}

/// The number of eight bytes at `at`.
fn number(payload: &[u8], at: usize) -> io::Result<u64> {
    let bytes = payload.get(at..).and_then(|rest| rest.first_chunk());
    bytes.map(|bytes| u64::from_be_bytes(*bytes)).ok_or_else(|| broken("a frame that is too short"))
}

/// That a client has sent something wrong.
pub(super) fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
