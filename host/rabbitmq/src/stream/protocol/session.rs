//! What is under way on an open connection: orders of the handles and frames of the broker go in, bytes for the broker come
//! out. Knows no socket and no clock.

use bytes::{Bytes, BytesMut};
use tokio::sync::oneshot;

use crate::stream::protocol::code::ResponseCode;
use crate::stream::protocol::command::{Notice, Request};
use crate::stream::protocol::error::{Loss, Unsendable};
use crate::stream::protocol::incoming::{Answer, Incoming};
use crate::stream::protocol::offset::OffsetSpec;
use crate::stream::protocol::requests::{AnswerUse, Requests, Waiter};
use crate::stream::protocol::subscriptions::{ChunkSender, Delivered, Key, Subscriptions};

/// What a handle wants.
pub(crate) enum Order {
    Ask(Request, Waiter),
    Subscribe(Subscribe, ChunkSender, Granted, Waiter),
    Unsubscribe(Key, Option<Waiter>),
    Credit(Key, u16),
    /// To send a whole frame, which the broker does not answer.
    Send(Bytes),
    Close,
}

/// Who is told which subscription it is, before the broker answers.
pub(crate) type Granted = oneshot::Sender<Key>;

/// What is subscribed to.
pub(crate) struct Subscribe {
    pub(crate) stream: String,
    pub(crate) from: OffsetSpec,
    pub(crate) credit: u16,
    pub(crate) properties: Vec<(String, String)>,
}

/// What is under way on a connection.
pub(crate) struct Session {
    /// The longest frame that the broker takes, in bytes.
    frame_max: u32,
    /// What is to be sent.
    pub(crate) out: BytesMut,
    requests: Requests,
    subscriptions: Subscriptions,
    is_closing: bool,
}

impl Session {
    pub(crate) fn new(frame_max: u32) -> Self {
        let (requests, subscriptions) = (Requests::default(), Subscriptions::default());
        Self { frame_max, out: BytesMut::new(), requests, subscriptions, is_closing: false }
    }

    /// Why the connection has ended if the broker ends it now.
    pub(crate) fn end(&self) -> Loss {
        if self.is_closing { Loss::Closed } else { Loss::Ended }
    }

    /// Does what a handle wants. Who waits for an answer may have stopped waiting.
    pub(crate) fn order(&mut self, order: Order) {
        match order {
            Order::Ask(request, waiter) => self.ask(&request, waiter, AnswerUse::Tell),
            Order::Subscribe(subscribe, reader, granted, waiter) => {
                self.subscribe(subscribe, reader, granted, waiter);
            }
            Order::Unsubscribe(key, waiter) => self.unsubscribe(key, waiter),
            Order::Credit(key, chunks) => {
                // Otherwise it could be for a later subscription of the same number.
                if self.subscriptions.has(key) {
                    self.notify(&Notice::Credit { subscription: key.id, chunks });
                }
            }
            Order::Send(frame) => self.out.extend_from_slice(&frame),
            Order::Close => {
                self.is_closing = true;
                // It has no text that could be too long.
                let _ = self.send(&Request::Close).map(|key| self.requests.add(key, AnswerUse::Close));
            }
        }
    }

    /// Appends a command that the broker does not answer, and that has no text which could be too long.
    pub(crate) fn notify(&mut self, notice: &Notice) {
        if let Ok(frame) = notice.encode() {
            self.out.extend_from_slice(&frame);
        }
    }

    /// Takes a frame of the broker; fails if the connection ends with it.
    pub(crate) fn receive(&mut self, frame: &Bytes) -> Result<(), Loss> {
        match Incoming::decode(frame)? {
            Incoming::Answer(answer) => self.answer(answer)?,
            Incoming::Deliver { subscription, delivery } => {
                match self.subscriptions.deliver(subscription, delivery)? {
                    Delivered::Unsubscribe(key) => self.unsubscribe(key, None),
                    Delivered::Nothing => {}
                }
            }
            Incoming::CreditRefused { subscription, code } => self.subscriptions.refuse(subscription, code),
            Incoming::MetadataUpdate { code, stream } => self.subscriptions.end_of(&stream, code),
            Incoming::Close { correlation, code, reason } => {
                self.notify(&Notice::Closed { correlation });
                return Err(Loss::ClosedByBroker { code, reason });
            }
            Incoming::Tune { .. } | Incoming::Heartbeat => {}
        }
        Ok(())
    }

    fn answer(&mut self, answer: Answer) -> Result<(), Loss> {
        let Some(then) = self.requests.take(&answer)? else { return Ok(()) };
        let waiter = match then {
            AnswerUse::Tell(waiter) => Some(waiter),
            AnswerUse::Subscribe(key, waiter) => {
                match answer.code {
                    ResponseCode::Ok => self.subscriptions.open(key),
                    _ => self.subscriptions.remove(key),
                }
                Some(waiter)
            }
            AnswerUse::Unsubscribe(key, waiter) => {
                self.subscriptions.remove(key);
                waiter
            }
            AnswerUse::Close => return Err(Loss::Closed),
        };
        if let Some(waiter) = waiter {
            let _ = waiter.send(Ok(answer));
        }
        Ok(())
    }

    fn subscribe(&mut self, subscribe: Subscribe, reader: ChunkSender, granted: Granted, waiter: Waiter) {
        let Subscribe { stream, from, credit, properties } = subscribe;
        let Some(key) = self.subscriptions.add(stream.clone(), reader) else {
            let _ = waiter.send(Err(Unsendable::Subscriptions));
            return;
        };
        let _ = granted.send(key);
        match self.send(&Request::Subscribe { id: key.id, stream, from, credit, properties }) {
            Ok(request) => self.requests.add(request, AnswerUse::Subscribe(key, waiter)),
            Err(error) => {
                self.subscriptions.remove(key);
                let _ = waiter.send(Err(error));
            }
        }
    }

    fn unsubscribe(&mut self, key: Key, waiter: Option<Waiter>) {
        if self.subscriptions.begin_to_end(key) {
            // It has no text that could be too long.
            let _ = self
                .send(&Request::Unsubscribe { id: key.id })
                .map(|request| self.requests.add(request, AnswerUse::Unsubscribe(key, waiter)));
        }
    }

    fn ask(&mut self, request: &Request, waiter: Waiter, then: impl FnOnce(Waiter) -> AnswerUse) {
        match self.send(request) {
            Ok(key) => self.requests.add(key, then(waiter)),
            Err(error) => {
                let _ = waiter.send(Err(error));
            }
        }
    }

    /// Appends a request; its key.
    fn send(&mut self, request: &Request) -> Result<u16, Unsendable> {
        let frame = fitting(request.encode(self.requests.next())?, self.frame_max)?;
        self.out.extend_from_slice(&frame);
        Ok(request.key())
    }
}

/// A frame, if it is not longer than what was agreed on.
pub(crate) fn fitting(frame: Bytes, max: u32) -> Result<Bytes, Unsendable> {
    // The length of a frame does not count itself.
    let length = frame.len().saturating_sub(4);
    if usize::try_from(max).is_ok_and(|max| length > max) {
        return Err(Unsendable::Frame { length, max });
    }
    Ok(frame)
}
