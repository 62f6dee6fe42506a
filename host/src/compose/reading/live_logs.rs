//! The logs that come from now on, for whoever only looks: from a queue that goes with the connection, and holds so much
//! that a slow reader fills no broker.
//!
//! What is not seen is said, as far as it is known. Does not know what is done with the logs.

use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use loghost_core::application::{
    Beginning, ConsumerEvent, Delivery, End, Event, Item, LogSource, Next, Observer, Reads, SourceError,
    SourceFactory, Subscription, SystemClock,
};
use loghost_core::domain::{
    ConsumerName, Descriptor, Fields, Filter, Gaps, Position, Record, Severities, TracesRead,
};
use loghost_rabbitmq::{
    AmqpSourceFactory, BindRules, BindingsOfRun, Bound, CheckOptions, Exchanges, Inspector, OpenedSource,
    QueueOptions, ReconnectingConnection, SourceOptions, StreamWay,
};
use tokio::time::{Instant, sleep_until};

use crate::compose::consumer_options::ConsumerOptions;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::running::supervise::status_of;
use crate::compose::target::Target;
use crate::ui::events::Queues;
use crate::ui::events::command::{ReadingEvent, tell};
use crate::ui::live_logs;
use crate::ui::terminal::LogObserver;

/// What waits at the broker for a reader; what is older is dropped.
const BOUND: Bound = Bound { messages: 10_000, bytes: 32 * 1024 * 1024 };

/// How many logs may be on the way, beside those that wait.
const PREFETCH: u16 = 64;

/// The least time between two reports of logs that were not seen.
const EVERY: Duration = Duration::from_secs(1);

/// Logs as they come.
pub(crate) struct LiveLogs {
    connection: Arc<ReconnectingConnection>,
    source_factory: AmqpSourceFactory<SystemClock>,
    /// Who looks, and at what.
    reader: Descriptor,
    observer: Arc<dyn Observer>,
    source: Option<OpenedSource<SystemClock>>,
    beginning: Beginning,
    /// The last log that was handed over, which is not acknowledged.
    handed_over: Option<Position>,
    /// Why the source could not be opened, as it was told.
    obstacle: Option<String>,
    gaps: Gaps,
    /// How many logs were not seen and not said to be, and when others were.
    unseen: u64,
    said: Option<Instant>,
}

impl LiveLogs {
    /// Looks at the logs that `filter` wants, as a reader of this `name`. What is published from now on comes.
    pub(crate) async fn open(
        target: &Target,
        name: &str,
        filter: Filter,
        rules: BindRules,
    ) -> Result<Self, Failure> {
        let observer: Arc<dyn Observer> = Arc::new(LogObserver { queues: Queues::Copies });
        let connection = target.connect_observed(name, Arc::clone(&observer)).await?;
        let every = ConsumerOptions::default().check_topology_every;
        let options = SourceOptions {
            queue: QueueOptions::bounded(BOUND),
            streams: None,
            stream_way: StreamWay::default(),
            prefetch: PREFETCH,
            exchanges: Exchanges::Found,
            rules: rules.clone(),
            recorded_bindings: Arc::new(BindingsOfRun::default()),
            marker: None,
            traces: TracesRead::None,
            check: every.map(|every| CheckOptions { every, inspect: Arc::new(Inspector::new(None)) }),
        };
        // An exclusive queue has no dead letters: nothing is published.
        let (consuming, publishing) = (Arc::clone(&connection), Arc::clone(&connection));
        let source_factory =
            AmqpSourceFactory::new(consuming, publishing, target.names.clone(), options, SystemClock);
        let reader = Descriptor {
            name: ConsumerName::new(name).status(Status::Internal)?,
            version: String::new(),
            description: String::new(),
            filter,
            fields: Fields { id: true, source: true, attributes: true },
            publishes: Severities::default(),
            tick: None,
        };
        let mut logs = Self {
            connection,
            source_factory,
            reader,
            observer,
            source: None,
            beginning: Beginning::AtStart,
            handed_over: None,
            obstacle: None,
            gaps: Gaps::default(),
            unseen: 0,
            said: None,
        };
        while logs.source.is_none() {
            logs.open_source().await?;
        }
        let connected = logs.connection.connection().await.map_err(|error| target.unreachable(&error))?;
        live_logs::say_looking(connected.address(), &target.names, &logs.reader.filter, &rules);
        Ok(logs)
    }

    /// The next logs, in the order in which they came; waits while there are none. When it is called again, those before
    /// are done with.
    pub(crate) async fn next(&mut self) -> Result<Vec<Record>, Failure> {
        loop {
            let Some(source) = &mut self.source else {
                self.open_source().await?;
                continue;
            };
            let due = self.said.map_or_else(Instant::now, |said| said + EVERY);
            let mut burst = Vec::new();
            let received = async {
                if let Some(position) = self.handed_over.take() {
                    source.acknowledge_through(position).await?;
                }
                source.receive(&mut burst, PREFETCH.into()).await
            };
            let received = tokio::select! {
                biased;
                received = received => received,
                () = sleep_until(due), if self.unseen > 0 => {
                    self.say_unseen();
                    continue;
                }
            };
            match received {
                Ok(()) => {
                    self.handed_over = burst.last().map(|delivery| delivery.position.clone());
                    return Ok(self.records(burst));
                }
                Err(error) => self.reopen(error).await?,
            }
        }
    }

    /// Ends it: the queue goes with what is in it.
    pub(crate) async fn close(mut self) {
        if self.unseen > 0 {
            self.say_unseen();
        }
        self.connection.close().await;
    }

    async fn open_source(&mut self) -> Result<(), Failure> {
        let descriptor = &self.reader;
        let subscription = Subscription { descriptor, reads: Reads::Logs, former: None, offsets: &[] };
        match Box::pin(self.source_factory.open(subscription)).await {
            Ok(opened) => {
                self.source = Some(opened.source);
                self.obstacle = None;
                self.tell(ConsumerEvent::Consuming(self.beginning));
                self.beginning = Beginning::Later;
                Ok(())
            }
            Err(error) => self.tell_reopening(error),
        }
    }

    /// Gives up the source, to open it again, if that may help.
    async fn reopen(&mut self, error: SourceError) -> Result<(), Failure> {
        self.handed_over = None;
        if let Some(source) = self.source.take() {
            source.close(Next::Same).await;
        }
        self.tell_reopening(error)
    }

    /// Tells why the source has to be opened again, unless that was told last.
    fn tell_reopening(&mut self, error: SourceError) -> Result<(), Failure> {
        if !error.is_passing() {
            let end = End::Source(error);
            return Err(Failure::of(status_of(&end), end));
        }
        let obstacle = Some(format!("{error:?}"));
        if self.obstacle != obstacle {
            self.tell(ConsumerEvent::Reopening(&error));
            self.obstacle = obstacle;
        }
        Ok(())
    }

    fn tell(&self, event: ConsumerEvent<'_>) {
        self.observer.observe(&Event::Consumer(&self.reader.name, event));
    }

    /// The logs among what was delivered. What is none was put into the queue by somebody who knows its name.
    fn records<O>(&mut self, burst: Vec<Delivery<O>>) -> Vec<Record> {
        let records = burst.into_iter().flat_map(|delivery| match delivery.item {
            Item::Log(record) => vec![record],
            Item::Logs(mut records) => {
                let filter = &self.reader.filter;
                records.retain(|record| filter.wants(record.severity, &record.source));
                records
            }
            Item::Marker | Item::Foreign(_) | Item::Undeliverable(_) | Item::Passed | Item::Removed(_) => {
                Vec::new()
            }
        });
        let records: Vec<Record> = records.collect();
        self.unseen += records.iter().map(|record| self.gaps.note(record)).sum::<u64>();
        records
    }

    fn say_unseen(&mut self) {
        self.said = Some(Instant::now());
        tell(&*self.observer, ReadingEvent::Unseen(take(&mut self.unseen)));
    }
}
