//! What a program holds on to: makes layers, tells the counts, and ends the publishing.

use std::io;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use loghost_core::domain::Source;
use tokio::sync::watch;

use crate::layer::LogLayer;
use crate::options::Options;
use crate::queue::Queue;
use crate::worker::{Answers, Worker};

/// How long the end of a [`Publisher`] that is dropped waits for the broker.
const FAREWELL: Duration = Duration::from_secs(5);

/// Publishes what its layers hand over, until it is closed or dropped.
pub struct Publisher {
    queue: Arc<Queue>,
    source: Source,
    answers: Arc<Mutex<Answers>>,
    closing: watch::Sender<Option<Instant>>,
    /// Ends when the worker has.
    ended: Mutex<Option<Receiver<()>>>,
}

/// What has become of what was logged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Logs that the broker has confirmed.
    pub confirmed: u64,
    /// Those of the confirmed logs that no queue wanted.
    pub unroutable: u64,
    /// Logs that the broker does not take, such as one that is too large.
    pub refused: u64,
    /// Logs that found the queue full, or came after the end.
    pub dropped: u64,
    /// Logs that were logged and have no answer yet: they wait, are under way, or were under way when publishing failed for
    /// good.
    pub unconfirmed: u64,
    /// Why the last attempt to publish has failed, until one succeeds.
    pub failure: Option<String>,
}

impl Publisher {
    pub(crate) fn start(options: Options) -> io::Result<Self> {
        let (queue, logs) = Queue::new(options.limits);
        let (queue, source) = (Arc::new(queue), options.source.clone());
        let answers = Arc::new(Mutex::new(Answers::default()));
        let (closing, closed) = watch::channel(None);
        let (end, ended) = channel();
        let worker = Worker::new(options, Arc::clone(&queue), Arc::clone(&answers));
        thread::Builder::new().name("loghost-tracing".to_owned()).spawn(move || {
            worker.run(logs, closed);
            // Whoever waited may be gone.
            let _ = end.send(());
        })?;
        Ok(Self { queue, source, answers, closing, ended: Mutex::new(Some(ended)) })
    }

    /// A layer for `tracing`, which hands every event over: filter it with `with_filter`.
    pub fn layer(&self) -> LogLayer {
        LogLayer::new(Arc::clone(&self.queue), self.source.clone())
    }

    /// What has become of what was logged so far.
    pub fn counts(&self) -> Counts {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let answered = answers.confirmed + answers.refused;
        Counts {
            confirmed: answers.confirmed,
            unroutable: answers.unroutable,
            refused: answers.refused,
            dropped: self.queue.dropped(),
            unconfirmed: self.queue.accepted().saturating_sub(answered),
            failure: answers.failure,
        }
    }

    /// Takes no more logs, and waits until those that wait are confirmed, at most `timeout`. It blocks the thread. What became
    /// of all that was logged.
    pub fn close(self, timeout: Duration) -> Counts {
        self.end(timeout);
        self.counts()
    }

    fn end(&self, timeout: Duration) {
        // If the worker has ended, nobody has to hear of it.
        let _ = self.closing.send(Some(Instant::now() + timeout));
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ended) = ended {
            // If time is up, what is unconfirmed tells.
            let _ = ended.recv_timeout(timeout);
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.end(FAREWELL);
    }
}
