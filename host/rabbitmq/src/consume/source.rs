//! Consuming: one channel, one queue, manual acknowledgements, deliveries taken in bursts.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery as Message;
use lapin::options::{BasicAckOptions, BasicQosOptions};
use lapin::types::ShortString;
use lapin::{Channel, Consumer};
use loghost_core::application::{
    Clock, ConsumerActivity, DeadLettering, Delivery, Item, LogSource, Next, Opened, Reads, SourceError,
    Subscription,
};
use loghost_core::domain::{ConsumerName, Descriptor, Filter, Position, Timestamp};
use tokio::time::sleep;

use crate::connection::open::{Connection, Ended, lost};
use crate::connection::reconnect::ReconnectingConnection;
use crate::consume::activation::{Activation, release_lock};
use crate::consume::depth::{self, Answering, Questions};
use crate::dead_letters::writer::DeadLetterWriter;
use crate::message::names::Names;
use crate::message::record::{self, Decode};
use crate::topology::bindings::{self, Bindings};
use crate::topology::check::{CheckOptions, Letters, TopologyCheck};
use crate::topology::declare::{self, Exchanges, TopologyError, failed, open_channel};
use crate::topology::inspection::Binding;
use crate::topology::queues::{Lifetime, QueueOptions};

/// After a burst of at least this many, the next is let gather for a moment instead of being taken one
/// by one: waiting on the client's stream contends with the thread that fills it.
const BURST: usize = 64;
const GATHER: Duration = Duration::from_micros(500);

/// How a consumer is fed.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// How its queue is declared.
    pub queue: QueueOptions,
    /// How many deliveries may wait for their acknowledgement.
    pub prefetch: u16,
    /// Whose exchanges they come from.
    pub exchanges: Exchanges,
    /// The token of the marker that ends a scenario.
    pub marker: Option<String>,
    /// How it is made sure that logs still arrive.
    pub check: Option<CheckOptions>,
}

/// One consumer's queue.
pub struct AmqpSource<K> {
    connection: Arc<Connection>,
    channel: Channel,
    turn: Turn,
    /// Active as soon as it is this host's turn and the queue is bound to what it wants.
    activity: ConsumerActivity,
    consumer: ConsumerName,
    queue: String,
    names: Names,
    bindings: Bindings,
    /// What the queue is bound to, or will be when it is this host's turn; and what it was bound to before.
    filter: Filter,
    former: Option<Filter>,
    /// Under way while it is this host's turn.
    check: Option<BoxFuture<'static, TopologyCheck>>,
    options: SourceOptions,
    /// Which part of the messages comes, and which part of that is looked at.
    reads: Reads,
    decode: Decode,
    clock: K,
    /// Whether the last burst was a large one.
    busy: bool,
    /// Why there will be no more, if something arrived before that.
    ended: Option<SourceError>,
    /// Whether there is a queue of dead letters.
    letters: Letters,
    answering: Answering,
}

/// Whose turn it is to consume the queue.
enum Turn {
    /// Another host's; ready when it is this one's.
    Other(BoxFuture<'static, lapin::Result<Consumer>>),
    /// This one's.
    Own(Consumer),
}

impl SourceOptions {
    /// An exclusive queue is a copy: what is rejected from it goes with it.
    pub(crate) fn has_dead_letters(&self, reads: Reads) -> bool {
        reads == Reads::Logs && self.queue.lifetime == Lifetime::Named
    }

    fn letters(&self, reads: Reads) -> Letters {
        if self.has_dead_letters(reads) || self.queue.needs_dead_letters() {
            Letters::Some
        } else {
            Letters::None
        }
    }
}

impl<K: Clock> AmqpSource<K> {
    /// Declares the consumer's queue on `connection` and begins to consume; dead letters go out
    /// through `publishing`. The source answers `questions`.
    pub(crate) async fn open(
        connection: &Arc<Connection>,
        publishing: &ReconnectingConnection,
        names: Names,
        subscription: Subscription<'_>,
        options: SourceOptions,
        clock: K,
        questions: Questions,
    ) -> Result<Opened<Self, DeadLetterWriter>, TopologyError> {
        let mut channel = open_channel(connection).await?;
        let consumer = &subscription.descriptor.name;
        let lock = (options.queue.lifetime == Lifetime::Named).then(|| names.lock(consumer));
        let opened = async {
            // First: what comes back to the other queue too often may have to go there.
            let dead_letters =
                declare_dead_letters(connection, &mut channel, publishing, &names, subscription, &options)
                    .await?;
            let source =
                Self::consume(connection, &mut channel, names, subscription, options, clock, questions)
                    .await?;
            Ok(Opened { source, dead_letters })
        };
        let opened = opened.await;
        if opened.is_err() {
            connection.give_back(&channel).await;
            if let Some(lock) = &lock {
                release_lock(connection, lock).await;
            }
        }
        opened
    }

    async fn consume(
        connection: &Arc<Connection>,
        channel: &mut Channel,
        names: Names,
        subscription: Subscription<'_>,
        options: SourceOptions,
        clock: K,
        questions: Questions,
    ) -> Result<Self, TopologyError> {
        let Subscription { descriptor, reads, former, .. } = subscription;
        let name = &descriptor.name;
        let queue = declare::queue(connection, channel, &names, name, &options.queue).await?.name;
        if reads == Reads::Counts {
            connection.leave_out_bodies(channel);
        }
        let bindings = Bindings::of(connection, &names, &queue);
        let cannot = |e: lapin::Error| failed(format!("consume the queue `{queue}`"), &e);
        channel.basic_qos(options.prefetch, BasicQosOptions::default()).await.map_err(cannot)?;
        let turn = match options.queue.lifetime {
            Lifetime::Exclusive => Turn::Own(connection.consume(channel, &queue).await.map_err(cannot)?),
            Lifetime::Named => {
                let (connection, channel) = (Arc::clone(connection), channel.clone());
                let lock = names.lock(&descriptor.name);
                let activation = Activation { connection, channel, queue: queue.clone(), lock };
                match activation.attempt().await.map_err(cannot)? {
                    Some(consumer) => Turn::Own(consumer),
                    None => Turn::Other(activation.wait().boxed()),
                }
            }
        };
        let mut source = Self {
            connection: Arc::clone(connection),
            channel: channel.clone(),
            turn,
            activity: ConsumerActivity::StandingBy,
            consumer: descriptor.name.clone(),
            queue,
            names,
            bindings,
            filter: descriptor.filter.clone(),
            former: former.cloned(),
            check: None,
            letters: options.letters(reads),
            reads,
            decode: decode(descriptor, reads),
            clock,
            busy: false,
            ended: None,
            answering: Answering::new(questions),
            options,
        };
        if matches!(source.turn, Turn::Own(_)) {
            source.bind().await?;
        }
        Ok(source)
    }

    /// It is this host's turn: binds the queue to what is wanted, and to nothing else that is known.
    async fn bind(&mut self) -> Result<(), TopologyError> {
        // It may be changing them, and is not polled meanwhile.
        self.check = None;
        self.replace_bindings().await?;
        self.former = None;
        self.check = self.options.check.clone().map(|options| {
            let check = TopologyCheck {
                connection: Arc::clone(&self.connection),
                bindings: self.bindings.clone(),
                names: self.names.clone(),
                consumer: self.consumer.clone(),
                queue: self.queue.clone(),
                filter: self.filter.clone(),
                queues: self.options.queue.clone(),
                letters: self.letters,
                options,
                said: None,
            };
            check.begin().boxed()
        });
        self.activity = ConsumerActivity::Active;
        Ok(())
    }

    /// Where the user may not bind the queue, it stays as it is, and what is missing is said.
    async fn replace_bindings(&mut self) -> Result<(), TopologyError> {
        if !self.bindings.are_refused() {
            match self.bindings.replace(&self.filter, self.former.as_ref()).await {
                Err(error) if error.is_access_refused() && self.options.queue.lifetime == Lifetime::Named => {
                }
                replaced => return replaced,
            }
        }
        self.options.queue.tell_unbound(&self.queue, &self.new_bindings());
        Ok(())
    }

    /// What the queue was not bound to before, as far as that is known.
    fn new_bindings(&self) -> Vec<Binding> {
        let Some(former) = &self.former else { return Vec::new() };
        let before = bindings::wanted(&self.names, former);
        let mut wanted = bindings::wanted(&self.names, &self.filter);
        wanted.retain(|binding| !before.contains(binding));
        wanted
    }

    /// The name of the queue.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    fn read(&self, message: Message, now: Timestamp) -> Delivery<Box<Message>> {
        let position = Position::Transient(message.delivery_tag);
        let item = match record::record(&message, &self.names, now, self.decode) {
            Some(record) => Item::Log(record),
            None if self.is_marker(&message) => Item::Marker,
            None => Item::Foreign(how_it_came(&message)),
        };
        let original = self.options.has_dead_letters(self.reads).then(|| Box::new(message));
        Delivery { position, item, original }
    }

    fn is_marker(&self, message: &Message) -> bool {
        let id = message.properties.message_id().as_ref().map(ShortString::as_str);
        let kind = message.properties.kind().as_ref().map(ShortString::as_str);
        let marker = self.options.marker.as_deref();
        marker.is_some() && id == marker && kind == Some(record::MARKER_TYPE)
    }

    fn end(&self, error: Option<lapin::Error>) -> SourceError {
        match error {
            Some(error) => lost(&error),
            None if !self.channel.status().connected() => SourceError::Lost("the channel is closed".into()),
            None => {
                let queue = &self.queue;
                let text =
                    format!("the broker cancelled the consumer of queue {queue}: was the queue deleted?");
                SourceError::Cancelled(text.into())
            }
        }
    }
}

impl<K: Clock> LogSource for AmqpSource<K> {
    type Original = Box<Message>;

    async fn receive(
        &mut self,
        burst: &mut Vec<Delivery<Box<Message>>>,
        max: usize,
    ) -> Result<(), SourceError> {
        if let Some(ended) = self.ended.take() {
            return Err(ended);
        }
        if self.activity == ConsumerActivity::StandingBy {
            return self.take_turn().await;
        }
        if std::mem::take(&mut self.busy) {
            sleep(GATHER).await;
        }
        let mut next = self.next().await?;
        let (now, mut taken) = (self.clock.now(), 0);
        loop {
            let message = match next {
                Some(Ok(message)) => message,
                Some(Err(error)) => return self.stop(taken, Some(error)),
                None => return self.stop(taken, None),
            };
            if message.redelivered {
                self.options.queue.note_returns(&self.queue, &message.properties);
            }
            burst.push(self.read(message, now));
            taken += 1;
            if taken == max {
                break;
            }
            let Turn::Own(consumer) = &mut self.turn else { break };
            match consumer.next().now_or_never() {
                Some(more) => next = more,
                None => break,
            }
        }
        self.busy = taken >= BURST && taken < max;
        Ok(())
    }

    fn activity(&self) -> ConsumerActivity {
        self.activity
    }

    async fn acknowledge_through(&mut self, position: Position) -> Result<(), SourceError> {
        self.ack(position, BasicAckOptions { multiple: true }).await
    }

    async fn acknowledge(&mut self, position: Position) -> Result<(), SourceError> {
        self.ack(position, BasicAckOptions { multiple: false }).await
    }

    async fn adjust(&mut self, subscription: Subscription<'_>) -> Result<(), SourceError> {
        let Subscription { descriptor, reads, former, .. } = subscription;
        if reads == Reads::Logs && self.reads == Reads::Counts {
            return Err(SourceError::Unread);
        }
        self.decode = decode(descriptor, reads);
        self.filter = descriptor.filter.clone();
        self.former = former.cloned();
        let connection = Arc::clone(&self.connection);
        // To be bound to.
        if self.options.exchanges == Exchanges::Own {
            let severities = descriptor.filter.severities().iter();
            connection.answer(declare::declare_exchanges(&connection, &self.names, severities)).await?;
        }
        match self.activity {
            ConsumerActivity::Active => Ok(connection.answer(self.bind()).await?),
            // The bindings are the other host's.
            ConsumerActivity::StandingBy => Ok(()),
        }
    }

    async fn close(self, next: Next) {
        self.connection.give_back(&self.channel).await;
        // The lock is this connection's, which takes it again without a word.
        if self.options.queue.lifetime == Lifetime::Named && next == Next::Any {
            release_lock(&self.connection, &self.names.lock(&self.consumer)).await;
        }
    }
}

/// Declares the queue of dead letters where there is to be one, and opens the way there.
async fn declare_dead_letters(
    connection: &Arc<Connection>,
    channel: &mut Channel,
    publishing: &ReconnectingConnection,
    names: &Names,
    subscription: Subscription<'_>,
    options: &SourceOptions,
) -> Result<DeadLettering<DeadLetterWriter>, TopologyError> {
    let consumer = &subscription.descriptor.name;
    if options.has_dead_letters(subscription.reads) {
        let writer = DeadLetterWriter::open(publishing, names, consumer, &options.queue).await?;
        return Ok(DeadLettering::Ready(writer));
    }
    if options.queue.needs_dead_letters() {
        declare::dead_letters(connection, channel, names, consumer, &options.queue).await?;
    }
    Ok(match options.queue.lifetime {
        Lifetime::Exclusive => DeadLettering::None,
        Lifetime::Named => DeadLettering::Unread,
    })
}

/// How a message came that was not published as a log.
fn how_it_came(message: &Message) -> String {
    match message.exchange.as_str() {
        "" => "it was published directly to the queue".to_owned(),
        exchange => format!("it came through the exchange `{exchange}`, which is no severity's"),
    }
}

/// What of a log somebody will look at.
fn decode(descriptor: &Descriptor, reads: Reads) -> Decode {
    let message = reads == Reads::Logs;
    Decode { message, attributes: message && descriptor.fields.attributes }
}

impl<K: Clock> AmqpSource<K> {
    /// Waits until it is this host's turn. Nothing is lost if the future is dropped.
    async fn take_turn(&mut self) -> Result<(), SourceError> {
        while let Turn::Other(turn) = &mut self.turn {
            let turn = turn.map(|taken| taken.map_err(|e| lost(&e)));
            let look = || depth::is_empty(Arc::clone(&self.connection), None, self.queue.clone()).boxed();
            tokio::select! {
                biased;
                taken = self.connection.answer(turn) => self.turn = Turn::Own(taken?),
                answer = self.answering.next(look) => answer.give(),
            }
        }
        Ok(Arc::clone(&self.connection).answer(self.bind()).await?)
    }

    /// What arrives next; none at the end. Between two, the check goes on.
    async fn next(&mut self) -> Result<Option<lapin::Result<Message>>, SourceError> {
        loop {
            let Turn::Own(consumer) = &mut self.turn else { return pending().await };
            let (connection, channel) = (&self.connection, &self.channel);
            let look =
                || depth::is_empty(Arc::clone(connection), Some(channel.clone()), self.queue.clone()).boxed();
            tokio::select! {
                biased;
                checked = checked(self.check.as_mut()) => self.check = Some(checked.next().boxed()),
                next = consumer.next() => return Ok(next),
                () = self.connection.end() => return Err(Ended.into()),
                answer = self.answering.next(look) => match consumer.next().now_or_never() {
                    // It had left the queue: the question stays without an answer.
                    Some(next) => return Ok(next),
                    None => answer.give(),
                },
            }
        }
    }

    async fn ack(&mut self, position: Position, options: BasicAckOptions) -> Result<(), SourceError> {
        // A queue has no other positions.
        let Position::Transient(tag) = position else { return Ok(()) };
        let acknowledging = self.channel.basic_ack(tag, options).map(|done| done.map_err(|e| lost(&e)));
        self.connection.answer(acknowledging).await
    }

    /// Ends the source: at once, or after what was `taken` before has been dealt with.
    fn stop(&mut self, taken: usize, error: Option<lapin::Error>) -> Result<(), SourceError> {
        let ended = self.end(error);
        if taken == 0 {
            return Err(ended);
        }
        self.ended = Some(ended);
        Ok(())
    }
}

/// Is ready when a check is; never without one.
async fn checked(check: Option<&mut BoxFuture<'static, TopologyCheck>>) -> TopologyCheck {
    match check {
        Some(check) => check.await,
        None => pending().await,
    }
}
