//! Whether a consumer's queue is empty. The source that consumes it answers that, because it alone knows whether what the
//! broker has sent, and no longer counts, has arrived.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use lapin::Channel;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::connection::open::Connection;
use crate::topology::look::{QueueState, look, queue_state};

/// Asks whether a consumer's queue is empty.
#[derive(Clone)]
pub struct QueueDepth(mpsc::Sender<Asker>);

/// The questions, received by the sources of one consumer, of which there is one at a time.
#[derive(Clone)]
pub(crate) struct Questions(Arc<Mutex<mpsc::Receiver<Asker>>>);

/// Answers them, for one source.
pub(crate) struct Answering {
    questions: Questions,
    under_way: Option<(Asker, BoxFuture<'static, bool>)>,
}

/// The answer to a question; one that is not given means no.
pub(crate) struct DepthAnswer {
    asker: Asker,
    is_empty: bool,
}

type Asker = oneshot::Sender<bool>;

impl QueueDepth {
    /// What asks, and what the sources receive the questions by.
    pub(crate) fn new() -> (Self, Questions) {
        let (ask, questions) = mpsc::channel(1);
        (Self(ask), Questions(Arc::new(Mutex::new(questions))))
    }

    /// Whether nothing is in the queue, or has been sent by the broker and not been received. Waits while there is no source.
    pub async fn is_empty(&self) -> bool {
        let (asker, answer) = oneshot::channel();
        // Without a source nothing is known.
        self.0.send(asker).await.is_ok() && answer.await.unwrap_or_default()
    }
}

impl DepthAnswer {
    pub(crate) fn give(self) {
        // The asker may have stopped waiting.
        let _ = self.asker.send(self.is_empty);
    }
}

impl Answering {
    pub(crate) fn new(questions: Questions) -> Self {
        Self { questions, under_way: None }
    }

    /// Waits for a question, and for the broker's answer, which `look` requests.
    /// Nothing is lost if the future is dropped.
    pub(crate) async fn next(&mut self, look: impl FnOnce() -> BoxFuture<'static, bool>) -> DepthAnswer {
        if self.under_way.is_none() {
            let mut questions = self.questions.0.lock().await;
            let Some(asker) = questions.recv().await else { return std::future::pending().await };
            self.under_way = Some((asker, look()));
        }
        let Some((_, looking)) = &mut self.under_way else { return std::future::pending().await };
        let is_empty = looking.await;
        match self.under_way.take() {
            Some((asker, _)) => DepthAnswer { asker, is_empty },
            None => std::future::pending().await,
        }
    }
}

/// Whether a queue is empty. On the `channel` that consumes it, all that was sent before has arrived with the answer.
pub(crate) async fn is_empty(connection: Arc<Connection>, channel: Option<Channel>, queue: String) -> bool {
    let looking = async {
        if let Some(channel) = channel {
            return look(&channel, &queue).await;
        }
        queue_state(&connection, &queue).await
    };
    // A busy quorum queue may report neither messages nor consumers: without a consumer, the answer is not trusted.
    matches!(connection.answer(looking).await, Ok(Some(QueueState { messages: 0, consumers: 1.. })))
}
