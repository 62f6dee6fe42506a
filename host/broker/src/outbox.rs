//! The queue of what is to be sent on a connection; its writer empties it.
//!
//! Deliveries and replies have a limit each. Deliveries are only added while there is room; the writer reports when
//! there is room again. The reader stops reading while there is no room for replies. The limits are separate because
//! deliveries that a client does not read must not keep the broker from reading its acknowledgements.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use amq_protocol::protocol::AMQPClass;
use tokio::sync::Notify;

use crate::message::Message;

/// The limit in bytes, for deliveries and for replies each.
const LIMIT: usize = 512 * 1024;
/// The bytes that an output is counted as, beside its message.
const OVERHEAD: usize = 64;

/// Something to send, in the order of sending.
#[derive(Debug)]
pub(crate) enum Output {
    Method(u16, Box<AMQPClass>),
    Deliver {
        channel: u16,
        consumer_tag: Arc<str>,
        delivery_tag: u64,
        redelivered: bool,
        message: Arc<Message>,
    },
    GetOk {
        channel: u16,
        delivery_tag: u64,
        redelivered: bool,
        message_count: u32,
        message: Arc<Message>,
    },
    /// Code 312, `NO_ROUTE`.
    Return {
        channel: u16,
        message: Message,
    },
    /// A confirm; `multiple` if it is for more than one message.
    Ack {
        channel: u16,
        delivery_tag: u64,
        multiple: bool,
    },
    /// The answer to a client that speaks something else.
    ProtocolHeader,
    /// From here on the writer keeps to these limits.
    Tuned {
        frame_max: u32,
        heartbeat: u16,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    inner: Mutex<Inner>,
    /// Bytes of deliveries.
    deliveries: AtomicUsize,
    /// Bytes of everything else.
    replies: AtomicUsize,
    /// Wakes the writer.
    filled: Notify,
    /// Wakes the reader: there is room for replies again.
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    outputs: Vec<Output>,
    /// A delivery had to wait for room.
    room_wanted: bool,
    /// Nothing more is added; the writer sends what there is and ends.
    finished: bool,
}

/// What `take` reports.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Deliveries had to wait for room, which there is now.
    pub(crate) room_wanted: bool,
    /// This was the last.
    pub(crate) finished: bool,
}

impl Outbox {
    pub(crate) fn push(&self, output: Output) {
        let mut inner = self.lock();
        if inner.finished {
            return;
        }
        let account = if let Output::Deliver { .. } = output { &self.deliveries } else { &self.replies };
        account.fetch_add(output.size(), Relaxed);
        inner.outputs.push(output);
        drop(inner);
        self.filled.notify_one();
    }

    pub(crate) fn push_method(&self, channel: u16, method: AMQPClass) {
        self.push(Output::Method(channel, Box::new(method)));
    }

    /// Whether a delivery may be added. If not, the next `take` says that one was wanted.
    pub(crate) fn has_room(&self) -> bool {
        if self.deliveries.load(Relaxed) < LIMIT {
            return true;
        }
        let mut inner = self.lock();
        let room = self.deliveries.load(Relaxed) < LIMIT;
        inner.room_wanted |= !room;
        room
    }

    /// Whether there is no room for replies.
    pub(crate) fn is_full_of_replies(&self) -> bool {
        self.replies.load(Relaxed) >= LIMIT
    }

    /// Returns when there is room for replies.
    pub(crate) async fn room_for_replies(&self) {
        while self.is_full_of_replies() {
            self.emptied.notified().await;
        }
    }

    /// Returns when there may be something to take.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Moves everything into `outputs`, which is empty.
    pub(crate) fn take(&self, outputs: &mut Vec<Output>) -> Taken {
        let mut inner = self.lock();
        mem::swap(&mut inner.outputs, outputs);
        self.deliveries.store(0, Relaxed);
        let was_full = self.replies.swap(0, Relaxed) >= LIMIT;
        let taken = Taken { room_wanted: mem::take(&mut inner.room_wanted), finished: inner.finished };
        drop(inner);
        if was_full {
            self.emptied.notify_one();
        }
        taken
    }

    /// Nothing more is accepted; what is there will be sent.
    pub(crate) fn finish(&self) {
        self.lock().finished = true;
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output {
    fn size(&self) -> usize {
        OVERHEAD
            + match self {
                Self::Deliver { message, .. } | Self::GetOk { message, .. } => message.len(),
                Self::Return { message, .. } => message.len(),
                Self::Method(..) => 128,
                Self::Ack { .. } | Self::ProtocolHeader | Self::Tuned { .. } => 0,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{memory::Memory, message::Content};

    fn delivery(body: &str) -> Output {
        let memory = Arc::new(Memory::new(usize::MAX));
        let message = Message::new("".into(), Content::of("q", body), &memory);
        Output::Deliver {
            channel: 1,
            consumer_tag: "c".into(),
            delivery_tag: 1,
            redelivered: false,
            message: Arc::new(message),
        }
    }

    #[test]
    fn a_full_outbox_remembers_who_wanted_room() {
        let outbox = Outbox::default();
        let mut outputs = Vec::new();
        assert!(outbox.has_room());
        outbox.push(delivery(&"x".repeat(LIMIT)));
        assert!(!outbox.has_room());
        let taken = outbox.take(&mut outputs);
        assert_eq!((taken.room_wanted, taken.finished), (true, false));
        assert_eq!(outputs.len(), 1);
        assert!(outbox.has_room());
    }

    #[test]
    fn a_finished_outbox_sends_what_it_has_and_takes_no_more() {
        let outbox = Outbox::default();
        let mut outputs = Vec::new();
        outbox.push(delivery("first"));
        outbox.finish();
        outbox.push(delivery("late"));
        assert!(outbox.take(&mut outputs).finished);
        assert_eq!(outputs.len(), 1);
    }
}
