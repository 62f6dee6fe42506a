//! Where a consumer's logs come from: its queue; or its streams, beside a queue that has replays alone and decides which host
//! is the active one. Streams are read only by that one.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use loghost_core::application::{
    Clock, ConsumerActivity, DeadLettering, DeadLetters, Delivery, LogSource, Next, NextOffset, Opened,
    SourceError, Subscription,
};
use loghost_core::domain::{ConsumerName, Position, StreamPosition};
use tokio::time::{Instant, sleep};

use crate::connection::open::Connection;
use crate::connection::reconnect::ReconnectingConnection;
use crate::consume::depth::{Answering, Questions, QueueDepth};
use crate::consume::read::Read;
use crate::consume::source::AmqpSource;
use crate::consume::source_options::SourceOptions;
use crate::consume::undeliverable::search::Deliveries;
use crate::dead_letters::writer::DeadLetterWriter;
use crate::message::names::Names;
use crate::message::original::Original;
use crate::stream::amqp::AmqpStreams;
use crate::stream::begin::{Begins, Start, starts};
use crate::stream::native::{NativeStreams, Nodes, Stores};
use crate::stream::options::{KeptPosition, StreamOptions};
use crate::stream::reading::Reading;
use crate::stream::way::StreamWay;
use crate::topology::error::TopologyError;
use crate::topology::event::TopologyEvent;
use crate::topology::streams::{declare_bound_streams, declare_streams};

/// Within this, the leader of a stream is elected that was just declared.
const ELECTED_WITHIN: Duration = Duration::from_secs(10);

/// The time between two looks whether it is.
const ELECTION_LOOK: Duration = Duration::from_millis(100);

/// Where a consumer's logs come from.
pub struct ConsumerSource<K> {
    queue: AmqpSource<K>,
    streams: Option<Streams<K>>,
}

/// What the sources of one consumer have in common with what opens them.
pub(crate) struct Shared {
    pub(crate) questions: Questions,
    pub(crate) begins: Begins,
    pub(crate) deliveries: Deliveries,
}

/// The streams of a consumer.
struct Streams<K> {
    setup: Setup<K>,
    state: State<K>,
    /// Whether the bindings were removed that the queue has from a time when its logs came from there.
    is_unbound: bool,
    /// What was received from the queue and from the streams, and not handed on.
    bursts: [Vec<Delivery<Original>>; 2],
    answering: Answering,
    /// Asks the queue alone.
    queue_depth: QueueDepth,
}

/// What streams are opened with.
#[derive(Clone)]
struct Setup<K> {
    connection: Arc<Connection>,
    consumer: ConsumerName,
    read: Read,
    offsets: Vec<NextOffset>,
    options: StreamOptions,
    way: StreamWay,
    begins: Begins,
    prefetch: u16,
    clock: K,
}

/// Whether streams are read.
enum State<K> {
    /// Not yet: this host may not be the active one.
    Waiting,
    Opening(BoxFuture<'static, Result<Reading<K>, TopologyError>>),
    Reading(Reading<K>),
}

impl<K: Clock + Clone + 'static> ConsumerSource<K> {
    /// Opens the queue as [`AmqpSource`] does, and the streams if there are to be some; these begin where `begins` says, if
    /// the subscription does not say.
    pub(crate) async fn open(
        connection: &Arc<Connection>,
        publishing: &ReconnectingConnection,
        names: Names,
        subscription: Subscription<'_>,
        options: SourceOptions,
        clock: K,
        Shared { questions, begins, deliveries }: Shared,
    ) -> Result<Opened<Self, DeadLetterWriter>, TopologyError> {
        let Some(stream_options) = options.streams.clone() else {
            let opening = AmqpSource::open(
                connection,
                publishing,
                names,
                subscription,
                options,
                clock,
                (questions, deliveries),
            );
            let Opened { source: queue, dead_letters, begins } = opening.await?;
            return Ok(Opened { source: Self { queue, streams: None }, dead_letters, begins });
        };
        let setup = Setup {
            connection: Arc::clone(connection),
            consumer: subscription.descriptor.name.clone(),
            read: Read::new(names.clone(), subscription, &options),
            offsets: subscription.offsets.to_vec(),
            options: stream_options,
            way: options.stream_way.clone(),
            begins,
            prefetch: options.prefetch,
            clock: clock.clone(),
        };
        setup.declare_streams().await?;
        // Also where another host is the active one: what is published from now on is read when this one takes over.
        let begins = setup.note_starts().await?;
        let (queue_depth, of_queue) = QueueDepth::new();
        let opening = AmqpSource::open(
            connection,
            publishing,
            names,
            subscription,
            options,
            clock,
            (of_queue, deliveries),
        );
        let Opened { source: queue, dead_letters, .. } = opening.await?;
        let streams = Streams {
            setup,
            state: State::Waiting,
            is_unbound: false,
            bursts: [Vec::new(), Vec::new()],
            answering: Answering::new(questions),
            queue_depth,
        };
        let mut source = Self { queue, streams: Some(streams) };
        let bound = source.queue.bind_streams().await;
        let read = match bound {
            Ok(()) => source.read_streams().await,
            Err(error) => Err(error),
        };
        if let Err(error) = read {
            source.close(Next::Any).await;
            if let DeadLettering::Ready(dead_letters) = dead_letters {
                dead_letters.close().await;
            }
            return Err(error);
        }
        Ok(Opened { source, dead_letters, begins })
    }

    /// The name of the queue.
    pub fn queue(&self) -> &str {
        self.queue.queue()
    }

    /// Begins to read the streams, if this host is the active one and does not yet. Nothing is lost if the future is dropped.
    async fn read_streams(&mut self) -> Result<(), TopologyError> {
        let Some(streams) = &mut self.streams else { return Ok(()) };
        if self.queue.activity() == ConsumerActivity::StandingBy {
            return Ok(());
        }
        if let State::Waiting = streams.state {
            streams.state = State::Opening(streams.setup.clone().open().boxed());
        }
        if let State::Opening(opening) = &mut streams.state {
            let opened = streams.setup.connection.answer(Pin::new(opening)).await;
            streams.state = State::Waiting;
            streams.state = State::Reading(opened?);
        }
        if !streams.is_unbound {
            // Not before: what is published meanwhile is in the queue or in the streams.
            self.queue.unbind().await?;
            streams.is_unbound = true;
        }
        Ok(())
    }
}

impl<K: Clock + Clone + 'static> Setup<K> {
    /// Declares the streams of what is wanted.
    async fn declare_streams(&self) -> Result<(), TopologyError> {
        let Self { connection, read: Read { names, filter, rules, .. }, options, .. } = self;
        declare_streams(connection, names, filter.severities().iter(), &options.retention).await?;
        declare_bound_streams(connection, names, (rules, filter), &options.retention).await
    }

    /// Connects to the nodes that have the streams; none if these are read through AMQP 0-9-1.
    async fn nodes(&self) -> Result<Option<Nodes>, TopologyError> {
        let names = self.read.streams();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let name = format!("loghost {}", self.consumer);
        self.way.nodes(&self.connection, self.options.address.as_ref(), &names, &name).await
    }

    /// Finds out where reading will begin; returns what of that is in no book. The leader of a stream that was just declared
    /// may still be elected: until it is there, a log could be published that a consumer would miss that begins later.
    async fn note_starts(&self) -> Result<Vec<StreamPosition>, TopologyError> {
        let elected = Instant::now() + ELECTED_WITHIN;
        loop {
            match self.find_starts().await {
                Err(error) if error.is_unavailable() && Instant::now() < elected => {
                    sleep(ELECTION_LOOK).await;
                }
                starts => return starts,
            }
        }
    }

    /// Finds out where reading will begin, if the streams can be asked now.
    async fn find_starts(&self) -> Result<Vec<StreamPosition>, TopologyError> {
        let starts = match self.nodes().await? {
            Some(mut nodes) => {
                let starts = self.native_starts(&mut nodes).await;
                nodes.close().await;
                starts?.1
            }
            None => self.starts(None).await?,
        };
        Ok(starts.into_iter().filter_map(|start| start.beginning).collect())
    }

    /// Finds out where reading begins through the stream protocol, and what the broker has stored, if it is to.
    async fn native_starts(&self, nodes: &mut Nodes) -> Result<(Option<Stores>, Vec<Start>), TopologyError> {
        let stores = self.stores(nodes).await?;
        loop {
            match self.starts(Some(nodes)).await {
                // A replica may have less than the leader.
                Err(
                    error @ (TopologyError::StreamIsShorter { .. } | TopologyError::StreamIsAnother { .. }),
                ) if !nodes.turn_to_leader(&error).await? => return Err(error),
                Err(TopologyError::StreamIsShorter { .. } | TopologyError::StreamIsAnother { .. }) => {}
                starts => return Ok((stores, starts?)),
            }
        }
    }

    async fn starts(&self, nodes: Option<&Nodes>) -> Result<Vec<Start>, TopologyError> {
        let begin = (self.options.begin.unwrap_or_default(), &self.begins);
        let names = self.read.streams();
        let starting = starts((&self.connection, nodes), &names, &self.offsets, begin);
        self.connection.answer(starting).await
    }

    async fn open(self) -> Result<Reading<K>, TopologyError> {
        let Some(mut nodes) = self.nodes().await? else {
            let starts = self.starts(None).await?;
            // Of one stream alone, half the prefetch may wait for retries and dead letters, and others still come.
            let credit = if starts.len() > 1 { self.prefetch / 2 + 1 } else { self.prefetch };
            let opening = AmqpStreams::open(self.connection, starts, credit, self.read, self.clock);
            return Ok(Reading::Amqp(Box::new(opening.await?)));
        };
        let (stores, starts) = match self.native_starts(&mut nodes).await {
            Ok(starting) => starting,
            Err(error) => {
                nodes.close().await;
                return Err(error);
            }
        };
        let (reader, prefetch) = ((self.read, self.clock), self.prefetch.into());
        let unstored = |stream: &str| unstored(&self.connection, &self.consumer, stream);
        let opening = NativeStreams::open(nodes, starts, prefetch, reader, stores, unstored);
        Ok(Reading::Native(Box::new(opening.await?)))
    }

    /// How the broker stores how far was read, if it is to do so. What it has stored is where reading begins, if nothing else
    /// says that.
    async fn stores(&self, nodes: &Nodes) -> Result<Option<Stores>, TopologyError> {
        if self.options.position == KeptPosition::Book {
            return Ok(None);
        }
        let name = self.read.names.queue(&self.consumer);
        let stored = nodes.stored(&name).await?;
        if self.options.begin.is_none() {
            for (stream, offset) in &stored {
                // Where it begins with the first offset, the greatest number is stored.
                self.begins.begin_at(stream, offset.wrapping_add(1));
            }
        }
        Ok(Some(Stores { name, stored }))
    }
}

/// Tells that the broker does not store how far a stream was read.
fn unstored(connection: &Connection, consumer: &ConsumerName, stream: &str) {
    connection.tell(Some(consumer), &TopologyEvent::OffsetNotStored { stream: stream.to_owned() });
}

impl<K: Clock + Clone + 'static> LogSource for ConsumerSource<K> {
    type Original = Original;

    async fn receive(&mut self, burst: &mut Vec<Delivery<Original>>, max: usize) -> Result<(), SourceError> {
        if self.streams.is_none() {
            return self.queue.receive(burst, max).await;
        }
        self.read_streams().await?;
        let Some(Streams { setup, state, bursts, answering, queue_depth, .. }) = &mut self.streams else {
            return Ok(());
        };
        let [of_queue, of_streams] = bursts;
        if let State::Reading(streams) = state {
            let (depth, are_read) = (queue_depth.clone(), streams.are_read(&setup.connection));
            let look = || async move { depth.is_empty().await && are_read.await }.boxed();
            let unstored = |stream: &str| unstored(&setup.connection, &setup.consumer, stream);
            if of_queue.is_empty() && of_streams.is_empty() {
                tokio::select! {
                    received = streams.receive(of_streams, max, unstored) => received?,
                    received = self.queue.receive(of_queue, max) => received?,
                    answer = answering.next(look) => answer.give(),
                }
            }
        } else {
            let depth = queue_depth.clone();
            let look = || async move { depth.is_empty().await }.boxed();
            tokio::select! {
                received = self.queue.receive(of_queue, max) => received?,
                answer = answering.next(look) => answer.give(),
            }
            // Active from now on: what has come of the queue waits until the streams are read.
            return Ok(self.read_streams().await?);
        }
        let most = burst.len() + max;
        for received in [of_streams, of_queue] {
            let room = most.saturating_sub(burst.len()).min(received.len());
            burst.extend(received.drain(..room));
        }
        Ok(())
    }

    fn activity(&self) -> ConsumerActivity {
        match &self.streams {
            Some(Streams { is_unbound: false, .. }) => ConsumerActivity::StandingBy,
            Some(_) | None => self.queue.activity(),
        }
    }

    async fn acknowledge_through(&mut self, position: Position) -> Result<(), SourceError> {
        match (&position, &mut self.streams) {
            (Position::Durable(_), Some(Streams { state: State::Reading(streams), setup, .. })) => {
                setup.connection.answer(streams.acknowledge_through(&position)).await
            }
            _ => self.queue.acknowledge_through(position).await,
        }
    }

    async fn acknowledge(&mut self, position: Position) -> Result<(), SourceError> {
        match (&position, &mut self.streams) {
            (Position::Durable(_), Some(Streams { state: State::Reading(streams), setup, .. })) => {
                setup.connection.answer(streams.acknowledge(&position)).await
            }
            _ => self.queue.acknowledge(position).await,
        }
    }

    async fn adjust(&mut self, subscription: Subscription<'_>) -> Result<(), SourceError> {
        self.queue.adjust(subscription).await?;
        let Some(Streams { setup, state, .. }) = &mut self.streams else { return Ok(()) };
        let Subscription { descriptor, reads, offsets, .. } = subscription;
        let before = setup.read.streams();
        setup.read.adjust(descriptor, reads);
        setup.offsets = offsets.to_vec();
        setup.connection.answer(setup.declare_streams()).await?;
        self.queue.bind_streams().await?;
        if setup.read.streams() != before {
            // What is published from now on to those that are new is read.
            setup.note_starts().await?;
            // It is to be committed that they begin there, and what is in hand would come again.
            return Err(SourceError::Reselected);
        }
        match state {
            State::Reading(streams) => {
                streams.read_for(setup.read.clone());
                Ok(())
            }
            State::Opening(_) => Err(SourceError::Reselected),
            State::Waiting => Ok(()),
        }
    }

    async fn close(self, next: Next) {
        if let Some(Streams { state: State::Reading(streams), .. }) = self.streams {
            streams.close().await;
        }
        self.queue.close(next).await;
    }
}
