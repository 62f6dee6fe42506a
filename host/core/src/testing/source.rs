//! A source of what it is given.

use std::collections::VecDeque;
use std::future::pending;

use tokio::time::{Instant, sleep_until};

use super::{Calls, FakeDeadLetters};
use crate::application::{
    ConsumerActivity, DeadLettering, Delivery, Item, LogSource, Next, Opened, SourceError, SourceFactory,
    Subscription,
};
use crate::domain::{Position, Record};

/// A log, delivered as number `n`.
pub fn delivery(n: u64, record: Record) -> Delivery<u64> {
    Delivery { position: Position::Transient(n), item: Item::Log(record), original: Some(n) }
}

/// Delivers everything at its time.
#[derive(Debug)]
pub struct FakeSource {
    /// When which deliveries come.
    pub deliveries: VecDeque<(Instant, Delivery<u64>)>,
    /// How many are received together at most.
    pub burst: usize,
    /// What follows the last delivery.
    pub end: SourceEnd,
    /// How many it says that it hands out unacknowledged.
    pub most_unacknowledged: Option<usize>,
    /// Whether there are dead letters.
    pub dead_lettering: DeadLettering,
    /// Records acknowledgements, and what becomes of the source.
    pub calls: Calls,
}

/// What follows the last delivery of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceEnd {
    /// Nothing.
    Silence,
    /// The connection is lost.
    Lost,
}

impl LogSource for FakeSource {
    type Original = u64;

    async fn receive(&mut self, burst: &mut Vec<Delivery<u64>>, max: usize) -> Result<(), SourceError> {
        let Some(&(first, _)) = self.deliveries.front() else {
            return match self.end {
                SourceEnd::Silence => pending().await,
                SourceEnd::Lost => Err(SourceError::Lost("gone".into())),
            };
        };
        if first > Instant::now() {
            sleep_until(first).await;
        }
        let most = self.deliveries.iter().take(self.burst.min(max));
        let due = most.take_while(|(at, _)| *at <= first).count();
        burst.extend(self.deliveries.drain(..due).map(|(_, delivery)| delivery));
        Ok(())
    }

    async fn acknowledge_through(&mut self, position: Position) -> Result<(), SourceError> {
        self.calls.record(|| format!("ack {}", number(&position)));
        Ok(())
    }

    async fn acknowledge(&mut self, position: Position) -> Result<(), SourceError> {
        self.calls.record(|| format!("ack only {}", number(&position)));
        Ok(())
    }

    async fn close(self, next: Next) {
        if next == Next::Same {
            self.calls.record(|| "keep");
        }
        self.calls.record(|| "close");
    }

    fn most_unacknowledged(&self) -> Option<usize> {
        self.most_unacknowledged
    }

    fn activity(&self) -> ConsumerActivity {
        ConsumerActivity::Active
    }

    async fn adjust(&mut self, subscription: Subscription<'_>) -> Result<(), SourceError> {
        self.calls.record(|| format!("adjust to {}", subscription.descriptor.version));
        Ok(())
    }
}

fn number(position: &Position) -> u64 {
    match position {
        Position::Transient(number) => *number,
        Position::Durable(position) => position.offset,
    }
}

/// Opens a source once, and waits for ever when it is to be opened again.
#[derive(Debug)]
pub struct FakeSourceFactory(pub Option<FakeSource>);

impl SourceFactory for FakeSourceFactory {
    type Source = FakeSource;
    type DeadLetters = FakeDeadLetters;

    async fn open(
        &mut self,
        _: Subscription<'_>,
    ) -> Result<Opened<FakeSource, FakeDeadLetters>, SourceError> {
        let Some(source) = self.0.take() else { return pending().await };
        let dead_letters = match source.dead_lettering {
            DeadLettering::Ready(()) => DeadLettering::Ready(FakeDeadLetters(source.calls.clone())),
            DeadLettering::Unread => DeadLettering::Unread,
            DeadLettering::None => DeadLettering::None,
        };
        Ok(Opened { source, dead_letters, begins: Vec::new() })
    }
}
