//! The thread that publishes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use loghost_core::application::{BoxError, Event, Observer, Publish, Receipts, SinkError, SystemClock};
use loghost_core::domain::{Attributes, Log, Producer, Sequencer, Severity};
use loghost_rabbitmq::{AmqpSink, Destination, Exchanges, ReconnectingConnection, Retry};
use tokio::runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, sleep_until};
use uuid::Uuid;

use crate::layer::mark_thread;
use crate::options::Options;
use crate::queue::Queue;

/// How long a broker that is not there is tried without a word: practically for ever, as a program outlives its broker.
const PATIENCE: Duration = Duration::from_hours(24 * 365);

/// How long it takes until a broker that refuses is tried again.
const PAUSE: Duration = Duration::from_secs(10);

/// What the broker has answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    pub(crate) confirmed: u64,
    pub(crate) unroutable: u64,
    pub(crate) refused: u64,
    /// Why the last attempt has failed.
    pub(crate) failure: Option<String>,
}

/// Publishes what is in the queue.
pub(crate) struct Worker {
    options: Options,
    queue: Arc<Queue>,
    answers: Arc<Mutex<Answers>>,
    /// How many dropped logs were told of.
    told: u64,
}

/// Notes why there is no connection.
struct Failures(Arc<Mutex<Answers>>);

impl Observer for Failures {
    fn observe(&self, event: &Event<'_>) {
        use loghost_core::application::ConnectionEvent as Connection;
        let failure = match event {
            Event::Connection(_, Connection::Failed { cause, .. } | Connection::Lost { cause }) => {
                Some((*cause).to_owned())
            }
            Event::Connection(_, Connection::Connected { .. } | Connection::Reconnected { .. }) => None,
            _ => return,
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).failure = failure;
    }
}

/// When to be done, once no more is logged.
pub(crate) type Closed = watch::Receiver<Option<Instant>>;

type Publishing = Publish<AmqpSink, SystemClock>;

impl Worker {
    pub(crate) fn new(options: Options, queue: Arc<Queue>, answers: Arc<Mutex<Answers>>) -> Self {
        Self { options, queue, answers, told: 0 }
    }

    /// Publishes until there is a deadline, and all is published or it has passed.
    pub(crate) fn run(mut self, logs: mpsc::Receiver<Log>, closed: Closed) {
        mark_thread();
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(async {
                let deadline = deadline(closed.clone());
                tokio::select! {
                    () = self.publish(logs, closed) => {}
                    () = deadline => {}
                }
            }),
            Err(error) => self.note_failure(&format!("the system gives no means to publish: {error}")),
        }
    }

    async fn publish(&mut self, mut logs: mpsc::Receiver<Log>, mut closed: Closed) {
        loop {
            let Err(error) = self.publish_on_one(&mut logs, &mut closed).await else { return };
            self.note_failure(&chain(&error));
            // One more attempt for what waits, once the end has come.
            let is_last = closed.borrow().is_some();
            if is_last {
                return;
            }
            tokio::select! {
                () = sleep(PAUSE) => {}
                _ = closed.wait_for(Option::is_some) => {}
            }
        }
    }

    /// Publishes with ids of a new producer, until all is published or the broker refuses for good.
    async fn publish_on_one(
        &mut self,
        logs: &mut mpsc::Receiver<Log>,
        closed: &mut Closed,
    ) -> Result<(), SinkError> {
        let Options { addresses, names, .. } = self.options.clone();
        let observer = Arc::new(Failures(Arc::clone(&self.answers)));
        let purpose = format!("tracing of {}", self.options.source);
        let connection =
            Arc::new(ReconnectingConnection::new(addresses, purpose, Retry::For(PATIENCE), observer));
        let destination = Destination::Severities(names, Exchanges::Own);
        let sink = AmqpSink::open(Arc::clone(&connection), destination, []).await?;
        let producer = Producer::new(Uuid::new_v4().simple().to_string());
        let producer = producer.map_err(|error| SinkError::Failed(BoxError::from(error)))?;
        let mut publish = Publish::new(sink, Sequencer::new(producer), SystemClock);
        let before = self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        loop {
            // Also while nothing is logged, answers come, and what was lost is sent again.
            let meanwhile = async {
                if let Err(error) = publish.flush().await {
                    return error;
                }
                self.note(&before, publish.receipts());
                SinkError::from(connection.keep().await)
            };
            let log = tokio::select! {
                biased;
                _ = closed.wait_for(Option::is_some), if !logs.is_closed() => {
                    logs.close();
                    continue;
                }
                log = logs.recv() => log,
                error = meanwhile => return Err(error),
            };
            let Some(log) = log else {
                let flushed = publish.flush().await;
                self.note(&before, publish.receipts());
                connection.close().await;
                return flushed;
            };
            self.queue.taken(&log);
            let sent = self.send(&mut publish, &log).await;
            self.note(&before, publish.receipts());
            sent?;
        }
    }

    async fn send(&mut self, publish: &mut Publishing, log: &Log) -> Result<(), SinkError> {
        let dropped = self.queue.dropped();
        if dropped > self.told {
            let message = format!(
                "{} logs were dropped before this: they were more than could wait",
                dropped - self.told
            );
            self.told = dropped;
            self.queue.note_another();
            let source = Some(self.options.source.clone());
            let attributes = Attributes::default();
            let severity = Severity::Error;
            publish.log(&Log { severity, message, source, timestamp: None, attributes, hops: 0 }).await?;
        }
        publish.log(log).await
    }

    fn note(&self, before: &Answers, receipts: Receipts) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.confirmed = before.confirmed + receipts.confirmed.total();
        answers.unroutable = before.unroutable + receipts.unroutable.total();
        answers.refused = before.refused + receipts.refused.total();
    }

    fn note_failure(&self, failure: &str) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).failure = Some(failure.to_owned());
    }
}

/// Returns when the time has come that `closed` has.
async fn deadline(mut closed: Closed) {
    let at = match closed.wait_for(Option::is_some).await {
        Ok(at) => *at,
        // The program's end of it is gone, which says it before.
        Err(_) => None,
    };
    if let Some(at) = at {
        sleep_until(at.into()).await;
    }
}

/// An error with its causes.
fn chain(error: &SinkError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
