//! Acknowledging many deliveries of one channel with few frames.
//!
//! Each acknowledgement is a command to a quorum queue. The broker has 32 of them under way for a channel and stores the
//! others, and may lose these when the channel is closed: their messages are back in the queue then. So deliveries that are
//! finished at about the same time are acknowledged together.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use lapin::Channel;
use lapin::options::BasicAckOptions;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::connection::fault::{ConnectionEnded, reason};
use crate::connection::open::Connection;
use crate::dead_letters::acknowledgements::{Acknowledgement, Acknowledgements};

/// How long a finished delivery waits for others.
const PAUSE: Duration = Duration::from_millis(10);

/// Acknowledges the deliveries of one channel, on which nobody else does.
#[derive(Clone)]
pub(crate) struct Acknowledger(mpsc::UnboundedSender<AckRequest>);

struct AckRequest {
    /// The delivery that is finished; none to wait for those before only.
    tag: Option<u64>,
    /// Is told when the acknowledgements of this request, and of those before, have been sent.
    sent: oneshot::Sender<Result<(), NotAcknowledged>>,
}

/// The connection or the channel is gone.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotAcknowledged(String);

impl From<ConnectionEnded> for NotAcknowledged {
    fn from(ended: ConnectionEnded) -> Self {
        Self(ended.to_string())
    }
}

impl Acknowledger {
    /// Acknowledges on `channel` of `connection`, until it and its clones are dropped.
    pub(crate) fn new(connection: Arc<Connection>, channel: Channel) -> Self {
        let (request, requests) = mpsc::unbounded_channel();
        tokio::spawn(run(connection, channel, requests));
        Self(request)
    }

    /// Acknowledges a delivery; is ready when the acknowledgement has been sent. That goes on if the future is dropped
    /// after it was polled.
    pub(crate) async fn acknowledge(&self, tag: u64) -> Result<(), NotAcknowledged> {
        self.request(Some(tag)).await
    }

    /// Waits until what was to be acknowledged before has been.
    pub(crate) async fn flush(&self) -> Result<(), NotAcknowledged> {
        self.request(None).await
    }

    async fn request(&self, tag: Option<u64>) -> Result<(), NotAcknowledged> {
        let (sent, answer) = oneshot::channel();
        let ended = || ConnectionEnded.into();
        self.0.send(AckRequest { tag, sent }).map_err(|_| ended())?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }
}

async fn run(
    connection: Arc<Connection>,
    channel: Channel,
    mut requests: mpsc::UnboundedReceiver<AckRequest>,
) {
    let mut acknowledgements = Acknowledgements::default();
    while let Some(first) = requests.recv().await {
        if first.tag.is_some() {
            sleep(PAUSE).await;
        }
        let mut together = vec![first];
        while let Ok(more) = requests.try_recv() {
            together.push(more);
        }
        let finished: BTreeSet<u64> = together.iter().filter_map(|request| request.tag).collect();
        let sent = connection.answer(send(&channel, acknowledgements.of(finished))).await;
        for request in together {
            // Whoever waited for it may have stopped.
            let _ = request.sent.send(sent.clone());
        }
    }
}

async fn send(channel: &Channel, acknowledgements: Vec<Acknowledgement>) -> Result<(), NotAcknowledged> {
    for acknowledgement in acknowledgements {
        let (tag, multiple) = match acknowledgement {
            Acknowledgement::Through(tag) => (tag, true),
            Acknowledgement::Single(tag) => (tag, false),
        };
        let sent = channel.basic_ack(tag, BasicAckOptions { multiple }).await;
        sent.map_err(|error| NotAcknowledged(reason(&error)))?;
    }
    Ok(())
}
