//! The fakes, put together.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{
    FakeClock, FakeConsumer, FakeLedger, FakeObserver, FakeReporter, FakeSink, FakeSource, FakeSourceFactory,
};
use crate::application::{Adapters, Ports};

/// The types of the fakes.
#[derive(Debug)]
pub struct Fakes;

impl Ports for Fakes {
    type SourceFactory = FakeSourceFactory;
    type Consumer = FakeConsumer;
    type Ledger = FakeLedger;
    type Clock = FakeClock;
    type Reporter = FakeReporter;
    type Sink = FakeSink;
}

/// The adapters around a source and a consumer, which record where the source does. Nothing is published, and the
/// consumer is never replaced.
pub fn adapters(source: FakeSource, consumer: FakeConsumer) -> Adapters<Fakes> {
    let calls = source.calls.clone();
    Adapters {
        source_factory: FakeSourceFactory(Some(source)),
        consumer,
        ledger: FakeLedger { calls: calls.clone(), delay: None },
        clock: FakeClock,
        reporter: FakeReporter(calls.clone()),
        observer: Arc::new(FakeObserver(calls)),
        derived: None,
        controls: mpsc::channel(1).1,
    }
}
