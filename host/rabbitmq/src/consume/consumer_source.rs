//! Where a consumer's logs come from: its queue; or its streams, beside a queue that has replays alone and decides which host
//! is the active one. Streams are read only by that one.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use loghost_core::application::{
    Clock, ConsumerActivity, DeadLettering, DeadLetters, Delivery, LogSource, Next, Opened, SourceError,
    Subscription,
};
use loghost_core::domain::Position;

use crate::connection::open::Connection;
use crate::connection::reconnect::ReconnectingConnection;
use crate::consume::depth::{Answering, Questions, QueueDepth};
use crate::consume::read::Read;
use crate::consume::source::AmqpSource;
use crate::consume::source_options::SourceOptions;
use crate::consume::stream_setup::StreamSetup;
use crate::consume::undeliverable::search::Deliveries;
use crate::dead_letters::writer::DeadLetterWriter;
use crate::message::names::Names;
use crate::message::original::Original;
use crate::stream::begin::Begins;
use crate::stream::reading::Reading;
use crate::topology::error::TopologyError;

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
    setup: StreamSetup<K>,
    state: StreamsState<K>,
    /// Whether the bindings were removed that the queue has from a time when its logs came from there.
    is_unbound: bool,
    /// What was received from the queue and from the streams, and not handed on.
    bursts: [Vec<Delivery<Original>>; 2],
    answering: Answering,
    /// Asks the queue alone.
    queue_depth: QueueDepth,
    deliveries: Deliveries,
}

/// Whether streams are read.
enum StreamsState<K> {
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
        let (streams, questions) = match options.streams.clone() {
            None => (None, questions),
            Some(stream_options) => {
                let setup = StreamSetup {
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
                let (queue_depth, of_queue) = QueueDepth::new();
                (Some(Streams::new(setup, questions, queue_depth, deliveries.clone())), of_queue)
            }
        };
        let begins = match &streams {
            None => Vec::new(),
            Some(Streams { setup, .. }) => {
                setup.declare_streams().await?;
                // Also where another host is the active one: what is published from now on is read when this one takes over.
                setup.note_starts().await?
            }
        };
        let common = (questions, deliveries);
        let opening = AmqpSource::open(connection, publishing, names, subscription, options, clock, common);
        let Opened { source: queue, dead_letters, .. } = opening.await?;
        let mut source = Self { queue, streams };
        if let Err(error) = source.begin().await {
            source.close(Next::Any).await;
            if let DeadLettering::Ready(dead_letters) = dead_letters {
                dead_letters.close().await;
            }
            return Err(error);
        }
        Ok(Opened { source, dead_letters, begins })
    }

    /// Binds the streams, and begins to read them.
    async fn begin(&mut self) -> Result<(), TopologyError> {
        if self.streams.is_some() {
            self.queue.bind_streams().await?;
        }
        self.read_streams().await
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
        if let StreamsState::Waiting = streams.state {
            streams.state = StreamsState::Opening(streams.setup.clone().open().boxed());
        }
        if let StreamsState::Opening(opening) = &mut streams.state {
            let opened = streams.setup.connection.answer(Pin::new(opening)).await;
            streams.state = StreamsState::Waiting;
            streams.state = StreamsState::Reading(opened?);
        }
        if !streams.is_unbound {
            // Not before: what is published meanwhile is in the queue or in the streams.
            self.queue.unbind().await?;
            streams.is_unbound = true;
        }
        Ok(())
    }
}

impl<K> Streams<K> {
    /// They are not read yet.
    fn new(
        setup: StreamSetup<K>,
        questions: Questions,
        queue_depth: QueueDepth,
        deliveries: Deliveries,
    ) -> Self {
        Self {
            setup,
            state: StreamsState::Waiting,
            is_unbound: false,
            bursts: [Vec::new(), Vec::new()],
            answering: Answering::new(questions),
            queue_depth,
            deliveries,
        }
    }
}

impl<K: Clock + Clone + 'static> LogSource for ConsumerSource<K> {
    type Original = Original;

    async fn receive(&mut self, burst: &mut Vec<Delivery<Original>>, max: usize) -> Result<(), SourceError> {
        if self.streams.is_none() {
            return self.queue.receive(burst, max).await;
        }
        self.read_streams().await?;
        let Some(Streams { setup, state, bursts, answering, queue_depth, deliveries, .. }) =
            &mut self.streams
        else {
            return Ok(());
        };
        let [of_queue, of_streams] = bursts;
        if deliveries.are_enough() && of_queue.is_empty() && of_streams.is_empty() {
            return Err(SourceError::Exhausted);
        }
        if let StreamsState::Reading(streams) = state {
            let (depth, are_read) = (queue_depth.clone(), streams.are_read(&setup.connection));
            let look = || async move { depth.is_empty().await && are_read.await }.boxed();
            let tell = |event| setup.connection.tell(Some(&setup.consumer), &event);
            if of_queue.is_empty() && of_streams.is_empty() {
                tokio::select! {
                    received = streams.receive(of_streams, max, tell) => {
                        deliveries.note(of_streams.len());
                        received?;
                    }
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

    fn most_unacknowledged(&self) -> Option<usize> {
        match &self.streams {
            Some(Streams { state: StreamsState::Reading(streams), .. }) => streams.most_unacknowledged(),
            Some(_) | None => None,
        }
    }

    async fn acknowledge_through(&mut self, position: Position) -> Result<(), SourceError> {
        match (&position, &mut self.streams) {
            (Position::Durable(_), Some(Streams { state: StreamsState::Reading(streams), setup, .. })) => {
                setup.connection.answer(streams.acknowledge_through(&position)).await
            }
            _ => self.queue.acknowledge_through(position).await,
        }
    }

    async fn acknowledge(&mut self, position: Position) -> Result<(), SourceError> {
        match (&position, &mut self.streams) {
            (Position::Durable(_), Some(Streams { state: StreamsState::Reading(streams), setup, .. })) => {
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
            StreamsState::Reading(streams) => {
                streams.read_for(setup.read.clone());
                Ok(())
            }
            StreamsState::Opening(_) => Err(SourceError::Reselected),
            StreamsState::Waiting => Ok(()),
        }
    }

    async fn close(self, next: Next) {
        if let Some(Streams { state: StreamsState::Reading(streams), .. }) = self.streams {
            streams.close().await;
        }
        self.queue.close(next).await;
    }
}
