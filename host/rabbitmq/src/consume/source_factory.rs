//! Opening a consumer's source, at the start and again after each loss: everything that it needs is declared
//! again, because the broker may have lost it in a restart.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff};
use loghost_core::application::{
    Clock, ConsumerActivity, NextOffset, Opened, Reads, SourceError, SourceFactory, Subscription,
};
use loghost_core::domain::{Descriptor, Filter, Severity};
use tokio::time::{Instant, sleep};

use crate::connection::open::Connection;
use crate::connection::reconnect::{DELAYS, ReconnectingConnection};
use crate::consume::activation::{release_lock, take_lock};
use crate::consume::consumer_source::{ConsumerSource, Shared};
use crate::consume::consuming_connection::ConsumingConnection;
use crate::consume::depth::{Questions, QueueDepth};
use crate::consume::opened_source::OpenedSource;
use crate::consume::source_options::SourceOptions;
use crate::consume::undeliverable::in_streams::find_in_streams;
use crate::consume::undeliverable::message::UndeliverableMessage;
use crate::consume::undeliverable::search::{NextSource, Pace, Search};
use crate::dead_letters::writer::DeadLetterWriter;
use crate::message::names::Names;
use crate::stream::begin::Begins;
use crate::stream::options::StreamOptions;
use crate::topology::bindings::Bindings;
use crate::topology::channel::{close, open_channel};
use crate::topology::declare::{self, Exchanges};
use crate::topology::declare_queue::Declared;
use crate::topology::error::{TopologyError, failed};
use crate::topology::event::TopologyEvent;
use crate::topology::look;
use crate::topology::queues::Lifetime;
use crate::topology::streams;

/// A source that is lost sooner than this is opened again after a delay.
const STEADY: Duration = Duration::from_secs(5);

/// Opens the source of one consumer.
pub struct AmqpSourceFactory<K> {
    consuming: ConsumingConnection,
    publishing: Arc<ReconnectingConnection>,
    names: Names,
    options: SourceOptions,
    clock: K,
    delays: ExponentialBackoff,
    /// When it was opened last.
    last: Option<Instant>,
    /// Where it went on in its streams then.
    last_offsets: Vec<NextOffset>,
    /// Whether it was open once: the user had the permissions for that.
    was_open: bool,
    /// When it first could not be opened.
    failing: Option<Instant>,
    depth: QueueDepth,
    questions: Questions,
    /// Where it has begun to read streams.
    begins: Begins,
    /// Whether a message is looked for that the broker cannot deliver.
    search: Search,
}

/// A queue that was declared for a consumer.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// Its name.
    pub queue: String,
    /// The streams that its consumer reads instead, if there are some.
    pub streams: Vec<String>,
    /// Whether no other host consumes it.
    pub activity: ConsumerActivity,
}

impl<K: Clock + Clone> AmqpSourceFactory<K> {
    /// Consumes through one connection; dead letters are published through the other.
    pub fn new(
        consuming: Arc<ReconnectingConnection>,
        publishing: Arc<ReconnectingConnection>,
        names: Names,
        options: SourceOptions,
        clock: K,
    ) -> Self {
        let (depth, questions) = QueueDepth::new();
        Self {
            consuming: ConsumingConnection::shared(consuming),
            publishing,
            names,
            options,
            clock,
            delays: DELAYS.build(),
            last: None,
            last_offsets: Vec::new(),
            was_open: false,
            failing: None,
            depth,
            questions,
            begins: Begins::default(),
            search: Search::default(),
        }
    }

    /// Asks whether its queue is empty.
    pub fn depth(&self) -> QueueDepth {
        self.depth.clone()
    }

    /// Declares what a source needs, without opening it. Where another host consumes the queue, bindings are only
    /// added: those of that host must stay.
    pub async fn declare(&self, descriptor: &Descriptor, reads: Reads) -> Result<Declaration, TopologyError> {
        let connection = self.consuming.current().await?;
        declare::declare_exchanges(&connection, &self.names, Severity::ALL).await?;
        let streams = self.declare_streams(&connection, &descriptor.filter).await?;
        let mut channel = open_channel(&connection).await?;
        let (name, options) = (&descriptor.name, &self.options.queue);
        if self.options.has_dead_letters(reads) || options.needs_dead_letters() {
            declare::dead_letters(&connection, &mut channel, &self.names, name, options).await?;
        }
        let filter = &descriptor.filter;
        let declared = declare::queue(&connection, &mut channel, &self.names, name, options).await?;
        let Declared { name, consumers } = declared;
        let consumer = &descriptor.name;
        let bindings = Bindings::of(&connection, &self.names, (consumer, &name), &self.options);
        let lock = self.names.lock(&descriptor.name);
        let locked = take_lock(&connection, &lock).await;
        let locked = locked.map_err(|e| failed(format!("look who consumes the queue `{name}`"), &e))?;
        let activity =
            if locked && consumers == 0 { ConsumerActivity::Active } else { ConsumerActivity::StandingBy };
        match (activity, &self.options.streams) {
            // The bindings that it may have are removed when the streams are read.
            (_, Some(StreamOptions { retention, .. })) => {
                bindings.provide_bound_streams(filter, retention).await?;
            }
            (ConsumerActivity::Active, None) => bindings.replace(filter, None).await?,
            (ConsumerActivity::StandingBy, None) => bindings.add(filter).await?,
        }
        if locked {
            release_lock(&connection, &lock).await;
        }
        close(&channel).await;
        Ok(Declaration { queue: name, streams, activity })
    }

    /// Declares the streams of what `filter` wants, if logs are read from streams. Returns their names.
    async fn declare_streams(
        &self,
        connection: &Connection,
        filter: &Filter,
    ) -> Result<Vec<String>, TopologyError> {
        let Some(StreamOptions { retention, .. }) = &self.options.streams else {
            return Ok(Vec::new());
        };
        streams::declare_streams(connection, &self.names, filter.severities().iter(), retention).await?;
        Ok(self.streams_of(filter).collect())
    }

    /// The names of the streams of what `filter` wants.
    fn streams_of(&self, filter: &Filter) -> impl Iterator<Item = String> {
        let streams = filter.severities().iter().map(|severity| self.names.exchange(severity).to_owned());
        streams.chain(self.options.rules.streams(&self.names, filter))
    }

    /// Waits, if the last source was lost soon after it was opened: longer each time, unless streams were read meanwhile.
    async fn pause(&mut self, offsets: &[NextOffset]) {
        if *self.last_offsets != *offsets {
            self.last_offsets = offsets.to_vec();
            self.delays = DELAYS.build();
        }
        let is_steady = self.last.is_none_or(|last| last.elapsed() >= STEADY);
        let delay = match self.search.pace() {
            Pace::Usual | Pace::After(_) if is_steady => None,
            Pace::AtOnce => None,
            // There is always a next one.
            Pace::Usual => Some(self.delays.next().unwrap_or(STEADY)),
            Pace::After(delay) => Some(delay),
        };
        match delay {
            Some(delay) => sleep(self.time_left().map_or(delay, |left| left.min(delay))).await,
            None => self.delays = DELAYS.build(),
        }
        self.last = Some(Instant::now());
    }

    /// How much longer it may fail; none if there is no timeout.
    fn time_left(&self) -> Option<Duration> {
        let failing = self.failing.map_or(Duration::ZERO, |since| since.elapsed());
        Some(self.consuming.retry_timeout()?.saturating_sub(failing))
    }

    /// Tells of the logs that are in the queue of a consumer that reads streams.
    async fn tell_left(&self, connection: &Connection, descriptor: &Descriptor) -> Result<(), TopologyError> {
        let queue = self.names.queue(&descriptor.name);
        let channel = open_channel(connection).await?;
        let messages = look::length(&channel, &queue).await?;
        if let Some(messages @ 1..) = messages {
            connection.tell(Some(&descriptor.name), &TopologyEvent::LeftInQueue { queue, messages });
        }
        close(&channel).await;
        Ok(())
    }
}

impl<K: Clock + Clone + 'static> AmqpSourceFactory<K> {
    async fn try_open(
        &mut self,
        subscription: Subscription<'_>,
    ) -> Result<Opened<OpenedSource<K>, DeadLetterWriter>, TopologyError> {
        let (connection, last_end) = self.consuming.next(&subscription.descriptor.name).await?;
        let severities = subscription.descriptor.filter.severities().iter();
        match self.options.exchanges {
            Exchanges::Own => {
                connection.answer(declare::declare_exchanges(&connection, &self.names, severities)).await?;
            }
            Exchanges::Found => {
                connection.answer(declare::find_exchanges(&connection, &self.names, severities)).await?;
            }
            Exchanges::Temporary => {}
        }
        if self.options.streams.is_some() && !self.was_open {
            connection.answer(self.tell_left(&connection, subscription.descriptor)).await?;
        }
        if self.options.streams.is_some() {
            let streams = self.streams_of(&subscription.descriptor.filter).collect();
            let (search, begins) = (&mut self.search, &self.begins);
            find_in_streams(&connection, subscription, (streams, begins), (search, last_end)).await;
        }
        if self.can_find() && self.search.next(last_end) == NextSource::Find {
            let (publishing, names, options) = (&*self.publishing, &self.names, &self.options);
            let search = &mut self.search;
            let finding =
                UndeliverableMessage::find(&connection, publishing, names, subscription, options, search);
            // It is large.
            if let Some(Opened { source, dead_letters, begins }) =
                connection.answer(Box::pin(finding)).await?
            {
                let source = OpenedSource::Undeliverable(Box::new(source));
                return Ok(Opened { source, dead_letters, begins });
            }
        }
        let deliveries = self.search.deliveries(self.options.prefetch);
        let mut options = self.options.clone();
        if deliveries.are_one_by_one() {
            options.prefetch = 1;
        }
        let opening = ConsumerSource::open(
            &connection,
            &self.publishing,
            self.names.clone(),
            subscription,
            options,
            self.clock.clone(),
            Shared { questions: self.questions.clone(), begins: self.begins.clone(), deliveries },
        );
        // It is large.
        let Opened { source, dead_letters, begins } = connection.answer(Box::pin(opening)).await?;
        Ok(Opened { source: OpenedSource::Consumer(Box::new(source)), dead_letters, begins })
    }

    /// Whether a message that the broker cannot deliver is taken out of the queue: not of one that ends with its connection, nor
    /// where logs come from streams.
    fn can_find(&self) -> bool {
        self.options.queue.lifetime == Lifetime::Named && self.options.streams.is_none()
    }
}

impl<K: Clock + Clone + 'static> SourceFactory for AmqpSourceFactory<K> {
    type Source = OpenedSource<K>;
    type DeadLetters = DeadLetterWriter;

    async fn open(
        &mut self,
        subscription: Subscription<'_>,
    ) -> Result<Opened<OpenedSource<K>, DeadLetterWriter>, SourceError> {
        self.pause(subscription.offsets).await;
        let error = match self.try_open(subscription).await {
            Ok(opened) => {
                self.failing = None;
                self.was_open = true;
                return Ok(opened);
            }
            // A permission that was taken away may be given again.
            Err(error) if self.was_open && error.is_access_refused() => SourceError::NotReady(error.into()),
            Err(error) => SourceError::from(error),
        };
        self.failing.get_or_insert_with(Instant::now);
        match error {
            SourceError::NotReady(cause) if self.time_left() == Some(Duration::ZERO) => {
                let tried = humantime::format_duration(self.consuming.retry_timeout().unwrap_or_default());
                Err(SourceError::GivenUp(format!("{cause} (tried for {tried})").into()))
            }
            error => Err(error),
        }
    }
}
