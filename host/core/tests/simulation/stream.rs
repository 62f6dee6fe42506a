//! Files of logs with offsets: what is read stays.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use loghost_core::application::{
    ConsumerActivity, Delivery, LogSource, Next, Opened, Reads, SourceError, SourceFactory, Subscription,
};
use loghost_core::domain::{Position, StreamPosition};
use tokio::time::sleep;

use crate::delivery::{DeadMessages, act, delivery};
use crate::world::{Luck, Message, World};

/// Opens the files.
pub(crate) struct StreamFactory(World);

impl From<World> for StreamFactory {
    fn from(world: World) -> Self {
        Self(world)
    }
}

impl SourceFactory for StreamFactory {
    type Source = Streams;
    type DeadLetters = DeadMessages;

    async fn open(
        &mut self,
        subscription: Subscription<'_>,
    ) -> Result<Opened<Streams, DeadMessages>, SourceError> {
        self.0.append_to_files();
        if self.0.step("open").await != Luck::Good {
            return Err(SourceError::Lost("it is away".into()));
        }
        let (channel, reads) = (self.0.things().channel, subscription.reads);
        let next = subscription.offsets.iter().map(|next| (next.stream.to_string(), next.offset)).collect();
        let source = Streams { world: self.0.clone(), channel, reads, next };
        Ok(Opened { source, dead_letters: DeadMessages::of(&self.0, channel, reads) })
    }
}

/// The open files.
pub(crate) struct Streams {
    world: World,
    channel: u64,
    reads: Reads,
    /// Where each is read on.
    next: BTreeMap<String, u64>,
}

impl Streams {
    /// The next message of any of them.
    fn next(&mut self) -> Option<Delivery<Message>> {
        let mut things = self.world.things();
        let things = &mut *things;
        let mut files: Vec<_> = things.files.iter().collect();
        things.rng.shuffle(&mut files);
        files.into_iter().find_map(|(stream, messages)| {
            let first = self.next.get(*stream).copied().unwrap_or(0);
            let (offset, message) = messages.range(first..).next()?;
            self.next.insert((*stream).to_owned(), offset + 1);
            let position = StreamPosition { stream: Arc::from(*stream), first, offset: *offset };
            Some(delivery(Position::Durable(position), message, self.reads))
        })
    }
}

impl LogSource for Streams {
    type Original = Message;

    async fn receive(&mut self, burst: &mut Vec<Delivery<Message>>, max: usize) -> Result<(), SourceError> {
        if self.world.step("receive").await != Luck::Good {
            self.world.lose();
        }
        loop {
            if self.world.things().channel != self.channel {
                return Err(SourceError::Lost("it has gone".into()));
            }
            let some = self.world.things().rng.usize(1..=max);
            while burst.len() < some
                && let Some(delivery) = self.next()
            {
                burst.push(delivery);
            }
            if !burst.is_empty() {
                return Ok(());
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn activity(&self) -> ConsumerActivity {
        ConsumerActivity::Active
    }

    async fn acknowledge_through(&mut self, _: Position) -> Result<(), SourceError> {
        act(self.world.clone(), self.channel, "acknowledge through", |_| {}).await
    }

    async fn acknowledge(&mut self, _: Position) -> Result<(), SourceError> {
        act(self.world.clone(), self.channel, "acknowledge", |_| {}).await
    }

    async fn adjust(&mut self, _: Subscription<'_>) -> Result<(), SourceError> {
        act(self.world.clone(), self.channel, "adjust", |_| {}).await
    }

    async fn close(self, _: Next) {}
}
