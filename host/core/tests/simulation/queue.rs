//! A queue, which forgets what is acknowledged.

use std::time::Duration;

use loghost_core::application::{
    ConsumerActivity, Delivery, LogSource, Next, Opened, Reads, SourceError, SourceFactory, Subscription,
};
use loghost_core::domain::Position;
use tokio::time::sleep;

use crate::delivery::{DeadMessages, act, delivery};
use crate::world::{Luck, Message, World};

/// Opens the queue.
pub(crate) struct QueueFactory(World);

impl From<World> for QueueFactory {
    fn from(world: World) -> Self {
        Self(world)
    }
}

impl SourceFactory for QueueFactory {
    type Source = Queue;
    type DeadLetters = DeadMessages;

    async fn open(
        &mut self,
        subscription: Subscription<'_>,
    ) -> Result<Opened<Queue, DeadMessages>, SourceError> {
        if self.0.step("open").await != Luck::Good {
            return Err(SourceError::Lost("it is away".into()));
        }
        let channel = self.0.things().channel;
        let source = Queue { world: self.0.clone(), channel, reads: subscription.reads };
        Ok(Opened { source, dead_letters: DeadMessages::of(&self.0, channel, subscription.reads) })
    }
}

pub(crate) struct Queue {
    world: World,
    channel: u64,
    reads: Reads,
}

impl LogSource for Queue {
    type Original = Message;

    async fn receive(&mut self, burst: &mut Vec<Delivery<Message>>, max: usize) -> Result<(), SourceError> {
        // Nothing is lost if this is dropped: what was taken is handed over at once.
        if self.world.step("receive").await != Luck::Good {
            self.world.lose();
        }
        loop {
            {
                let mut things = self.world.things();
                if things.channel != self.channel {
                    return Err(SourceError::Lost("it has gone".into()));
                }
                let some = things.rng.usize(1..=max);
                while burst.len() < some
                    && things.unacknowledged.len() < 20
                    && let Some(message) = things.queue.pop_front()
                {
                    let tag = things.next_tag;
                    things.next_tag += 1;
                    burst.push(delivery(Position::Transient(tag), &message, self.reads));
                    things.unacknowledged.insert(tag, message);
                }
                if !burst.is_empty() {
                    return Ok(());
                }
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn activity(&self) -> ConsumerActivity {
        ConsumerActivity::Active
    }

    async fn acknowledge_through(&mut self, position: Position) -> Result<(), SourceError> {
        let tag = tag(&position);
        act(self.world.clone(), self.channel, "acknowledge through", |things| {
            assert!(things.unacknowledged.contains_key(&tag), "acknowledged before");
            things.unacknowledged.retain(|other, _| *other > tag);
        })
        .await
    }

    async fn acknowledge(&mut self, position: Position) -> Result<(), SourceError> {
        let tag = tag(&position);
        act(self.world.clone(), self.channel, "acknowledge", |things| {
            assert!(things.unacknowledged.remove(&tag).is_some(), "acknowledged before");
        })
        .await
    }

    async fn adjust(&mut self, _: Subscription<'_>) -> Result<(), SourceError> {
        act(self.world.clone(), self.channel, "adjust", |_| {}).await
    }

    async fn close(self, _: Next) {
        if self.world.things().channel == self.channel {
            self.world.lose();
        }
    }
}

fn tag(position: &Position) -> u64 {
    match position {
        Position::Transient(tag) => *tag,
        Position::Durable(position) => panic!("{position:?} of a queue"),
    }
}
