//! Opening a source: the queues are declared, and the consumer's queue is consumed unless another host does so.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use futures_util::FutureExt;
use lapin::Channel;
use lapin::options::BasicQosOptions;
use loghost_core::application::{Clock, ConsumerActivity, DeadLettering, Opened, Reads, Subscription};

use super::AmqpSource;
use crate::connection::gather::Gather;
use crate::connection::open::Connection;
use crate::connection::reconnect::ReconnectingConnection;
use crate::consume::activation::{Activation, ConsumerState, release_lock};
use crate::consume::depth::{Answering, Questions};
use crate::consume::read::Read;
use crate::consume::source_options::SourceOptions;
use crate::consume::undeliverable::search::Deliveries;
use crate::dead_letters::writer::DeadLetterWriter;
use crate::message::names::Names;
use crate::topology::bindings::Bindings;
use crate::topology::channel::open_channel;
use crate::topology::declare;
use crate::topology::error::{TopologyError, failed};
use crate::topology::queues::Lifetime;

impl<K: Clock> AmqpSource<K> {
    /// Declares the consumer's queue on `connection` and begins to consume; dead letters are published
    /// through `publishing`. The source answers the questions, and notes its deliveries.
    pub(crate) async fn open(
        connection: &Arc<Connection>,
        publishing: &ReconnectingConnection,
        names: Names,
        subscription: Subscription<'_>,
        options: SourceOptions,
        clock: K,
        shared: (Questions, Deliveries),
    ) -> Result<Opened<Self, DeadLetterWriter>, TopologyError> {
        let mut channel = open_channel(connection).await?;
        let consumer = &subscription.descriptor.name;
        let lock = (options.queue.lifetime == Lifetime::Named).then(|| names.lock(consumer));
        let opened = async {
            // First: the delivery limit of the other queue may move messages there.
            let dead_letters =
                declare_dead_letters(connection, &mut channel, publishing, &names, subscription, &options)
                    .await?;
            let source =
                Self::consume(connection, &mut channel, names, subscription, options, clock, shared).await?;
            Ok(Opened { source, dead_letters, begins: Vec::new() })
        };
        let opened = opened.await;
        if opened.is_err() {
            connection.requeue(&channel).await;
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
        (questions, deliveries): (Questions, Deliveries),
    ) -> Result<Self, TopologyError> {
        let Subscription { descriptor, reads, former, .. } = subscription;
        let name = &descriptor.name;
        let queue = declare::queue(connection, channel, &names, name, &options.queue).await?.name;
        if reads == Reads::Counts && !options.rules.decode_bodies(&descriptor.filter) {
            connection.leave_out_bodies(channel);
        }
        let bindings = Bindings::of(connection, &names, (name, &queue), &options);
        let cannot = |e: lapin::Error| failed(format!("consume the queue `{queue}`"), &e);
        channel.basic_qos(options.prefetch, BasicQosOptions::default()).await.map_err(cannot)?;
        let state = match options.queue.lifetime {
            Lifetime::Exclusive => {
                ConsumerState::Active(connection.consume(channel, &queue).await.map_err(cannot)?)
            }
            Lifetime::Named => {
                let (connection, channel) = (Arc::clone(connection), channel.clone());
                let lock = names.lock(&descriptor.name);
                let standby = names.standby(&descriptor.name, RandomState::new().hash_one(()));
                let activation = Activation { connection, channel, queue: queue.clone(), lock, standby };
                match activation.attempt().await.map_err(cannot)? {
                    Some(consumer) => ConsumerState::Active(consumer),
                    None => ConsumerState::StandingBy(activation.wait().boxed()),
                }
            }
        };
        let mut source = Self {
            connection: Arc::clone(connection),
            channel: channel.clone(),
            state,
            activity: ConsumerActivity::StandingBy,
            consumer: descriptor.name.clone(),
            queue,
            bindings,
            read: Read::new(names, subscription, &options),
            former: former.cloned(),
            check: None,
            dead_letter_queue: options.dead_letter_queue(reads),
            clock,
            gather: Gather::deliveries(),
            ended: None,
            answering: Answering::new(questions),
            deliveries,
            options,
        };
        if matches!(source.state, ConsumerState::Active(_)) {
            source.bind().await?;
        }
        Ok(source)
    }
}

/// Declares the queue of dead letters where the consumer has one, and opens what writes there.
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
