//! The channels of a connection, and the consumers on them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicNackOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Consumer};
use tokio::time::timeout;

use crate::connection::open::{CLOSE_TIMEOUT, Connection};
use crate::connection::skip_bodies::SkipBodies;

/// The channels of a connection.
pub(super) struct Channels {
    open: Mutex<Vec<Open>>,
    /// How many consumers there have been.
    consumers: AtomicU64,
    skip_bodies: SkipBodies,
}

/// A channel that is open, and the tags of its consumers; none if it never had one.
struct Open {
    channel: Channel,
    consumers: Option<Vec<ShortString>>,
}

impl Channels {
    /// None yet, of a connection whose socket asks `skip_bodies` what to leave out.
    pub(super) fn new(skip_bodies: SkipBodies) -> Self {
        Self { open: Mutex::new(Vec::new()), consumers: AtomicU64::new(0), skip_bodies }
    }
}

impl Connection {
    /// Opens a channel, which stays open until it or the connection is closed: the client closes one that is dropped, which
    /// may happen while the connection is being closed, and fail.
    pub(crate) async fn channel(&self) -> lapin::Result<Channel> {
        let channel = self.inner.create_channel().await?;
        self.channels.skip_bodies.remove(channel.id());
        let mut channels = self.channels.open.lock().unwrap_or_else(PoisonError::into_inner);
        channels.retain(|open| open.channel.status().connected());
        channels.push(Open { channel: channel.clone(), consumers: None });
        drop(channels);
        Ok(channel)
    }

    /// Begins to consume `queue` on `channel`.
    pub(crate) async fn consume(&self, channel: &Channel, queue: &str) -> lapin::Result<Consumer> {
        let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
        let number = self.channels.consumers.fetch_add(1, Ordering::Relaxed);
        let tag = ShortString::from(format!("loghost-{number}"));
        // Before it is declared: whoever stops waiting for the answer has a consumer all the same.
        self.on(channel, |open| open.consumers.get_or_insert_default().push(tag.clone()));
        channel.basic_consume(queue.into(), tag, options, none).await
    }

    /// Ends a consumer: what was delivered to it stays unacknowledged.
    pub(crate) async fn cancel(&self, channel: &Channel, consumer: &Consumer) -> lapin::Result<()> {
        let tag = consumer.tag();
        self.on(channel, |open| {
            open.consumers.iter_mut().for_each(|tags| tags.retain(|other| *other != tag));
        });
        channel.basic_cancel(tag, BasicCancelOptions::default()).await
    }

    fn on<T>(&self, channel: &Channel, what: impl FnOnce(&mut Open) -> T) -> Option<T> {
        let mut channels = self.channels.open.lock().unwrap_or_else(PoisonError::into_inner);
        channels.iter_mut().find(|open| open.channel.id() == channel.id()).map(what)
    }

    /// Returns what was delivered on `channel` and is not acknowledged to its position in the queue, and closes the channel.
    /// Only `basic.nack` with `requeue` does not count as a failed delivery: a queue with a delivery limit counts the end of
    /// a channel, of a connection, and each message that is rejected.
    pub(crate) async fn requeue(&self, channel: &Channel) {
        // First, or what is returned is delivered again at once.
        let tags = self.on(channel, |open| open.consumers.take()).flatten().unwrap_or_default();
        let requeuing = async {
            for tag in tags {
                let _ = channel.basic_cancel(tag, BasicCancelOptions::default()).await;
            }
            let all = BasicNackOptions { multiple: true, requeue: true };
            let _ = channel.basic_nack(0, all).await;
            let _ = channel.close(200, ShortString::from("done")).await;
        };
        // A broker that does not get this returns them when the connection ends.
        let _ = timeout(CLOSE_TIMEOUT, requeuing).await;
    }

    /// Leaves out the bodies of what comes on `channel`, from now on and until it is closed.
    pub(crate) fn leave_out_bodies(&self, channel: &Channel) {
        self.channels.skip_bodies.add(channel.id());
    }

    /// Closes it: when this returns, the broker has requeued what is not acknowledged. An answer is not waited for long:
    /// the broker does the same when the connection ends.
    pub async fn close(&self) {
        let consuming: Vec<Channel> = {
            let channels = self.channels.open.lock().unwrap_or_else(PoisonError::into_inner);
            let consuming = channels.iter().filter(|open| open.consumers.is_some());
            consuming
                .map(|open| open.channel.clone())
                .filter(|channel| channel.status().connected())
                .collect()
        };
        join_all(consuming.iter().map(|channel| self.requeue(channel))).await;
        let _ = timeout(CLOSE_TIMEOUT, self.inner.close(200, ShortString::from("done"))).await;
    }
}
