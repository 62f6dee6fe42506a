//! The consumers of a run, in this process, and what is told of them.

use std::iter;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use loghost_core::application::{
    ConsumerError, ConsumerEvent, End, Event, Finished, Observer, Report, ReportError, Reporter, SystemClock,
};
use loghost_wasm::WasmConsumer;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::compose::consumer_builder::{ConsumerAdapters, ConsumerBuilder};
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::observers::Observers;
use crate::compose::running::supervise::{MOST_OPENING, run_alone, status_of};
use crate::ui::errors::chain;
use crate::ui::terminal::LogObserver;

/// Running consumers.
pub(super) struct BenchConsumers {
    tasks: JoinSet<Finished>,
    stop: watch::Sender<bool>,
    counted: Arc<Counted>,
}

impl BenchConsumers {
    /// Has `consumers` consume, as a host does: first all are opened, then all are run. The `observers` are told of it as well.
    pub(super) async fn start(
        builder: &ConsumerBuilder,
        consumers: Vec<WasmConsumer>,
        counted: Arc<Counted>,
        observers: &[Arc<dyn Observer>],
    ) -> Result<Self, Failure> {
        let watcher: Arc<dyn Observer> = Arc::new(Watcher(Arc::clone(&counted)));
        let observer: Arc<dyn Observer> = match observers {
            [] => watcher,
            others => Arc::new(Observers(iter::once(&watcher).chain(others).cloned().collect())),
        };
        let opening = consumers.into_iter().map(|consumer| {
            let own = ConsumerAdapters {
                consumer,
                source_factory: builder.source_factory(SystemClock),
                clock: SystemClock,
                reporter: Watcher(Arc::clone(&counted)),
                observer: Arc::clone(&observer),
                // Nobody replaces a consumer that is measured.
                controls: None,
            };
            async move {
                let mut consume = builder.build(own).await?;
                Box::pin(consume.open()).await.map(|_| consume).map_err(|end| failed(&end))
            }
        });
        let ready: Vec<_> = stream::iter(opening).buffered(MOST_OPENING).try_collect().await?;
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for consume in ready {
            let mut stopped = stopped.clone();
            let running = consume.run(async move {
                // An error means that the measurement is over.
                let _ = stopped.wait_for(|stop| *stop).await;
            });
            run_alone(&mut tasks, running).status(Status::System)?;
        }
        Ok(Self { tasks, stop, counted })
    }

    /// Waits until all that is due is counted.
    pub(super) async fn count(&mut self) -> Result<(), Failure> {
        let mut counted = pin!(self.counted.all.notified());
        tokio::select! {
            biased;
            () = &mut counted => Ok(()),
            Some(joined) = self.tasks.join_next() => Err(failed(&joined.status(Status::Internal)?.end)),
        }
    }

    /// Ends the consumers, each of which has to have counted `logs`.
    pub(super) async fn end(mut self, logs: u64) -> Result<(), Failure> {
        self.stop.send_replace(true);
        while let Some(joined) = self.tasks.join_next().await {
            let counted = joined.status(Status::Internal)?.counts.total();
            if counted != logs {
                let text = format!("a consumer has counted {counted} of {logs} logs: nothing is measured so");
                return Err(Failure::new(Status::Internal, text));
            }
        }
        Ok(())
    }
}

fn failed(end: &End) -> Failure {
    Failure::new(status_of(end), chain(end))
}

/// How many logs all consumers of a run have counted.
pub(super) struct Counted {
    due: u64,
    number: AtomicU64,
    all: Notify,
    /// When how many had been counted; of one consumer only.
    moments: Option<Mutex<Vec<(u64, Instant)>>>,
}

impl Counted {
    /// None yet of those that are `due`.
    pub(super) fn new(due: u64) -> Arc<Self> {
        Arc::new(Self { due, number: AtomicU64::new(0), all: Notify::new(), moments: None })
    }

    /// The same, of one consumer; it is noted when each is counted.
    pub(super) fn timed(due: u64) -> Arc<Self> {
        let moments = Some(Mutex::default());
        Arc::new(Self { due, number: AtomicU64::new(0), all: Notify::new(), moments })
    }

    fn add(&self, logs: u64) {
        let before = self.number.fetch_add(logs, Ordering::Relaxed);
        if let Some(moments) = &self.moments {
            let moment = (before + logs, Instant::now());
            moments.lock().unwrap_or_else(PoisonError::into_inner).push(moment);
        }
        if (before..before + logs).contains(&(self.due - 1)) {
            self.all.notify_one();
        }
    }

    /// When each was counted, in their order; nothing if that was not noted.
    pub(super) fn moments(&self) -> Vec<Instant> {
        let moments = self.moments.as_ref().map(|moments| moments.lock());
        let Some(moments) = moments else { return Vec::new() };
        let mut before = 0;
        let mut each = Vec::new();
        for (number, moment) in &*moments.unwrap_or_else(PoisonError::into_inner) {
            each.extend((before..*number).map(|_| *moment));
            before = *number;
        }
        each
    }
}

/// Counts what a consumer has finished, and shows only what goes wrong.
struct Watcher(Arc<Counted>);

impl Reporter for Watcher {
    fn metric(&mut self, report: &Report<'_>) -> Result<(), ReportError> {
        let text: &Result<String, ConsumerError> = &report.text;
        text.as_ref().map_or_else(|error| Err(ReportError(error.to_string().into())), |_| Ok(()))
    }
}

impl Observer for Watcher {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Consumer(_, ConsumerEvent::Consuming(_)) => {}
            Event::Consumer(_, ConsumerEvent::Acknowledged { deliveries, .. }) => {
                if *deliveries > 0 {
                    self.0.add(*deliveries as u64);
                }
            }
            event => LogObserver::default().observe(event),
        }
    }
}
