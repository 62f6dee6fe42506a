//! An open connection: dispatches frames to its channels. It never waits; `connection` does.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use amq_protocol::protocol::{
    AMQPClass, channel, connection,
    constants::{FRAME_BODY, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD},
};
use tokio::io::AsyncRead;

use crate::{
    channel::{Channel, unexpected_method},
    client::{Client, Refusal},
    error::{AmqpError, Code, Scope},
    frame::{Frame, FrameReader},
    handshake::Agreed,
    method::{BASIC_PUBLISH, Method, MethodId},
    outbox::Outbox,
    shared::Shared,
    state::{self, arena::Key},
};

#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    agreed: Agreed,
    channels: HashMap<u16, ChannelSlot>,
    /// Channels that have confirms to send.
    owing: Vec<u16>,
    publishes: bool,
    /// The bytes of incomplete messages.
    assembling: usize,
}

#[derive(Debug)]
enum ChannelSlot {
    Open(Box<Channel>),
    /// Closed by the broker: frames are discarded until the client confirms.
    Closing,
}

/// What to expect after a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Frame,
    /// The client has asked to close; `connection.close-ok` is to be sent.
    Close,
}

impl Session {
    pub(crate) fn open(shared: &Arc<Shared>, outbox: &Arc<Outbox>, agreed: Agreed) -> Self {
        let connection =
            shared.state().open_connection(Arc::clone(outbox), agreed.capabilities.consumer_cancel_notify);
        let ok = connection::AMQPMethod::OpenOk(connection::OpenOk {});
        outbox.push_method(0, AMQPClass::Connection(ok));
        Self {
            client: Client { shared: Arc::clone(shared), outbox: Arc::clone(outbox), connection },
            agreed,
            channels: HashMap::new(),
            owing: Vec::new(),
            publishes: false,
            assembling: 0,
        }
    }

    pub(crate) fn key(&self) -> Key<state::Connection> {
        self.client.connection
    }

    /// Zero: none.
    pub(crate) fn heartbeat(&self) -> Duration {
        Duration::from_secs(self.agreed.heartbeat.into())
    }

    /// Whether it has ever published.
    pub(crate) fn publishes(&self) -> bool {
        self.publishes
    }

    /// Whether it must not publish now.
    pub(crate) fn is_blocked(&self) -> bool {
        self.publishes && self.client.shared.memory.is_short()
    }

    /// Whether no frame may be handled now.
    pub(crate) fn must_pause(&self) -> bool {
        self.is_blocked() || self.client.outbox.is_full_of_replies()
    }

    pub(crate) fn tell_blocked(&self) {
        let reason = "low on memory".into();
        self.tell(connection::AMQPMethod::Blocked(connection::Blocked { reason }));
    }

    pub(crate) fn tell_unblocked(&self) {
        self.tell(connection::AMQPMethod::Unblocked(connection::Unblocked {}));
    }

    /// Handles the frames that have arrived, as far as it may, and confirms what was published.
    pub(crate) fn read<R: AsyncRead + Unpin>(
        &mut self,
        frames: &mut FrameReader<R>,
    ) -> Result<Next, Refusal> {
        let result = self.read_frames(frames);
        for number in std::mem::take(&mut self.owing) {
            if let Some(ChannelSlot::Open(channel)) = self.channels.get_mut(&number) {
                channel.confirm(&self.client);
            }
        }
        result
    }

    fn read_frames<R: AsyncRead + Unpin>(&mut self, frames: &mut FrameReader<R>) -> Result<Next, Refusal> {
        while !self.must_pause() {
            let next = frames.next().map_err(|error| Refusal { error, about: MethodId::default() })?;
            let Some(frame) = next else {
                break;
            };
            if self.frame(frame)? == Next::Close {
                return Ok(Next::Close);
            }
        }
        Ok(Next::Frame)
    }

    fn frame(&mut self, frame: Frame<'_>) -> Result<Next, Refusal> {
        let about = match frame.kind {
            FRAME_METHOD => MethodId::of(frame.payload),
            FRAME_HEADER | FRAME_BODY => BASIC_PUBLISH,
            _ => MethodId::default(),
        };
        let result = match (frame.kind, frame.channel) {
            (FRAME_METHOD, 0) => Self::connection_method(frame.payload),
            (FRAME_HEARTBEAT, 0) if frame.payload.is_empty() => Ok(Next::Frame),
            (FRAME_METHOD | FRAME_HEADER | FRAME_BODY, number) if number > 0 => {
                self.channel_frame(frame).map(|()| Next::Frame)
            }
            (FRAME_HEADER | FRAME_BODY, _) => Err(AmqpError::unexpected_frame("content on channel 0")),
            (FRAME_HEARTBEAT, number) if number > 0 && frame.payload.is_empty() => {
                Err(AmqpError::unexpected_frame(format!("heartbeat on channel {number}")))
            }
            (kind, channel) => {
                Err(AmqpError::new(Code::FrameError, format!("frame of type {kind} on channel {channel}")))
            }
        };
        match result {
            Err(error) if error.code.scope() == Scope::Channel && frame.channel > 0 => {
                self.close_channel(frame.channel, &Refusal { error, about });
                Ok(Next::Frame)
            }
            result => result.map_err(|error| Refusal { error, about }),
        }
    }

    fn connection_method(payload: &[u8]) -> Result<Next, AmqpError> {
        match Method::parse(payload)? {
            Method::Other(AMQPClass::Connection(connection::AMQPMethod::Close(_))) => Ok(Next::Close),
            Method::Other(AMQPClass::Connection(connection::AMQPMethod::UpdateSecret(_))) => {
                Err(AmqpError::not_implemented("connection.update-secret"))
            }
            _ => Err(unexpected_method()),
        }
    }

    fn channel_frame(&mut self, frame: Frame<'_>) -> Result<(), AmqpError> {
        let channel = match self.channels.entry(frame.channel) {
            Entry::Vacant(_) => return self.open_channel(frame),
            Entry::Occupied(slot) => match slot.into_mut() {
                ChannelSlot::Closing => {
                    self.discard(frame);
                    return Ok(());
                }
                ChannelSlot::Open(channel) => channel,
            },
        };
        if frame.kind == FRAME_METHOD {
            match Method::parse(frame.payload)? {
                Method::Other(AMQPClass::Channel(method)) => {
                    return self.channel_method(frame.channel, method);
                }
                method => {
                    self.publishes |= matches!(method, Method::Publish(_));
                    return channel.method(method, &self.client);
                }
            }
        }
        let before = channel.assembling();
        let owed = channel.owes_confirms();
        if frame.kind == FRAME_HEADER {
            channel.header(frame.payload, &self.client)?;
        } else {
            channel.body(frame.payload, &self.client)?;
        }
        if !owed && channel.owes_confirms() {
            self.owing.push(frame.channel);
        }
        self.assembling = self.assembling + channel.assembling() - before;
        self.check_assembling()
    }

    fn channel_method(&mut self, number: u16, method: channel::AMQPMethod) -> Result<(), AmqpError> {
        match method {
            channel::AMQPMethod::Open(_) => {
                Err(AmqpError::new(Code::ChannelError, "second 'channel.open' seen"))
            }
            channel::AMQPMethod::Close(_) => {
                self.release(number);
                self.channels.remove(&number);
                let ok = channel::AMQPMethod::CloseOk(channel::CloseOk {});
                self.client.outbox.push_method(number, AMQPClass::Channel(ok));
                Ok(())
            }
            method => match self.channels.get_mut(&number) {
                Some(ChannelSlot::Open(channel)) => {
                    let method = Method::Other(AMQPClass::Channel(method));
                    channel.method(method, &self.client)
                }
                _ => Err(unexpected_method()),
            },
        }
    }

    /// The first frame on a channel must open it.
    fn open_channel(&mut self, frame: Frame<'_>) -> Result<(), AmqpError> {
        let (number, most) = (frame.channel, self.agreed.channel_max);
        let is_open = frame.kind == FRAME_METHOD
            && matches!(
                Method::parse(frame.payload)?,
                Method::Other(AMQPClass::Channel(channel::AMQPMethod::Open(_)))
            );
        if !is_open {
            return Err(AmqpError::new(
                Code::ChannelError,
                format!("channel {number} is not open: expected 'channel.open'"),
            ));
        }
        if most > 0 && number > most {
            return Err(AmqpError::new(
                Code::NotAllowed,
                format!("channel {number} is beyond the negotiated channel_max ({most})"),
            ));
        }
        let channel = Channel::open(number, &self.client)?;
        self.channels.insert(number, ChannelSlot::Open(Box::new(channel)));
        Ok(())
    }

    /// A frame on a channel that the broker has closed.
    fn discard(&mut self, frame: Frame<'_>) {
        if frame.kind != FRAME_METHOD {
            return;
        }
        let id = MethodId::of(frame.payload);
        match (id.class, id.method) {
            // Both sides closed at the same time: the client's close is answered, and its confirmation still expected.
            (20, 40) => {
                let ok = channel::AMQPMethod::CloseOk(channel::CloseOk {});
                self.client.outbox.push_method(frame.channel, AMQPClass::Channel(ok));
            }
            (20, 41) => {
                self.channels.remove(&frame.channel);
            }
            _ => {}
        }
    }

    fn close_channel(&mut self, number: u16, refusal: &Refusal) {
        self.release(number);
        self.channels.insert(number, ChannelSlot::Closing);
        self.client.outbox.push_method(number, refusal.channel_close());
    }

    /// Requeues what a channel has not acknowledged.
    fn release(&mut self, number: u16) {
        if let Some(ChannelSlot::Open(channel)) = self.channels.remove(&number) {
            self.assembling -= channel.assembling();
            channel.close(&self.client);
        }
    }

    /// All channels together may have about as many bytes of incomplete messages as one message may have. These bytes
    /// are not charged to `memory`, so that the alarm does not block a message half-way.
    fn check_assembling(&self) -> Result<(), AmqpError> {
        let most = self.client.shared.options.max_message_size.saturating_mul(2);
        if self.assembling as u64 > most {
            return Err(AmqpError::new(
                Code::ResourceError,
                "too many messages at once that are not complete",
            ));
        }
        Ok(())
    }

    fn tell(&self, method: connection::AMQPMethod) {
        if self.agreed.capabilities.connection_blocked {
            self.client.outbox.push_method(0, AMQPClass::Connection(method));
        }
    }
}
