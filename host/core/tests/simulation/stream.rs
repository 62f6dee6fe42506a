//! Files of logs with offsets: what is read stays.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use loghost_core::application::{
    ConsumerActivity, Delivery, LogSource, Next, NextOffset, SourceError, Subscription,
};
use loghost_core::domain::{Position, StreamIdentity, StreamPosition};
use tokio::time::sleep;

use crate::channel::{Channel, Source};
use crate::world::{Luck, Message};

/// The open files.
pub(crate) struct Streams {
    channel: Channel,
    /// Where each is read on.
    next: BTreeMap<String, u64>,
}

impl Source for Streams {
    fn open(channel: Channel, offsets: &[NextOffset]) -> Self {
        channel.world.append_to_files();
        let next = offsets.iter().map(|next| (next.stream.to_string(), next.offset)).collect();
        Self { channel, next }
    }
}

impl Streams {
    /// The next message of any of them.
    fn next(&mut self) -> Option<Delivery<Message>> {
        let mut things = self.channel.world.things();
        let things = &mut *things;
        let mut files: Vec<_> = things.files.iter().collect();
        things.rng.shuffle(&mut files);
        files.into_iter().find_map(|(stream, messages)| {
            let first = self.next.get(*stream).copied().unwrap_or(0);
            let (offset, message) = messages.range(first..).next()?;
            self.next.insert((*stream).to_owned(), offset + 1);
            let stream = StreamIdentity { name: Arc::from(*stream), fingerprint: None };
            let position = StreamPosition { stream: Arc::new(stream), first, offset: *offset };
            Some(self.channel.delivery(Position::Durable(position), message))
        })
    }
}

impl LogSource for Streams {
    type Original = Message;

    async fn receive(&mut self, burst: &mut Vec<Delivery<Message>>, max: usize) -> Result<(), SourceError> {
        if self.channel.world.step("receive").await != Luck::Good {
            self.channel.world.lose();
        }
        loop {
            self.channel.check()?;
            let some = self.channel.world.things().rng.usize(1..=max);
            while burst.len() < some
                && let Some(delivery) = self.next()
            {
                burst.push(delivery);
            }
            if !burst.is_empty() {
                return Ok(());
            }
            // In virtual time.
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn activity(&self) -> ConsumerActivity {
        ConsumerActivity::Active
    }

    async fn acknowledge_through(&mut self, _: Position) -> Result<(), SourceError> {
        self.channel.act("acknowledge through", |_| {}).await
    }

    async fn acknowledge(&mut self, _: Position) -> Result<(), SourceError> {
        self.channel.act("acknowledge", |_| {}).await
    }

    async fn adjust(&mut self, _: Subscription<'_>) -> Result<(), SourceError> {
        self.channel.act("adjust", |_| {}).await
    }

    async fn close(self, _: Next) {}
}
