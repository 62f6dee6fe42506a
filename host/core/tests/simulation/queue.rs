//! A queue, which forgets what is acknowledged.

use std::time::Duration;

use loghost_core::application::{
    ConsumerActivity, Delivery, LogSource, Next, NextOffset, SourceError, Subscription,
};
use loghost_core::domain::Position;
use tokio::time::sleep;

use crate::channel::{Channel, Source};
use crate::world::{Luck, Message};

pub(crate) struct Queue(Channel);

impl Source for Queue {
    fn open(channel: Channel, _: &[NextOffset]) -> Self {
        Self(channel)
    }
}

impl LogSource for Queue {
    type Original = Message;

    async fn receive(&mut self, burst: &mut Vec<Delivery<Message>>, max: usize) -> Result<(), SourceError> {
        // Nothing is lost if this is dropped: what was taken is handed over at once.
        if self.0.world.step("receive").await != Luck::Good {
            self.0.world.lose();
        }
        loop {
            self.0.check()?;
            {
                let mut things = self.0.world.things();
                let some = things.rng.usize(1..=max);
                while burst.len() < some
                    && things.unacknowledged.len() < 20
                    && let Some(message) = things.queue.pop_front()
                {
                    let tag = things.next_tag;
                    things.next_tag += 1;
                    burst.push(self.0.delivery(Position::Transient(tag), &message));
                    things.unacknowledged.insert(tag, message);
                }
                if !burst.is_empty() {
                    return Ok(());
                }
            }
            // In virtual time.
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn activity(&self) -> ConsumerActivity {
        ConsumerActivity::Active
    }

    async fn acknowledge_through(&mut self, position: Position) -> Result<(), SourceError> {
        let tag = tag(&position);
        let acknowledging = self.0.act("acknowledge through", |things| {
            assert!(things.unacknowledged.contains_key(&tag), "acknowledged before");
            things.unacknowledged.retain(|other, _| *other > tag);
        });
        acknowledging.await
    }

    async fn acknowledge(&mut self, position: Position) -> Result<(), SourceError> {
        let tag = tag(&position);
        let acknowledging = self.0.act("acknowledge", |things| {
            assert!(things.unacknowledged.remove(&tag).is_some(), "acknowledged before");
        });
        acknowledging.await
    }

    async fn adjust(&mut self, _: Subscription<'_>) -> Result<(), SourceError> {
        self.0.act("adjust", |_| {}).await
    }

    async fn close(self, _: Next) {
        if !self.0.is_lost() {
            self.0.world.lose();
        }
    }
}

fn tag(position: &Position) -> u64 {
    match position {
        Position::Transient(tag) => *tag,
        Position::Durable(position) => panic!("{position:?} of a queue"),
    }
}
