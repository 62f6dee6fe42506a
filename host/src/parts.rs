//! Parts of the host, each on its own, for the benchmarks in `host/benches`. No interface for anybody else.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use anyhow::Context as _;
use futures_io::AsyncRead as _;
use lapin::message::Delivery;
use loghost_core::application::{Consumer as _, Ledger};
use loghost_core::domain::{ConsumerName, Log, MessageId, Processed, Record, Timestamp};

use crate::adapters::amqp::{self, Bodiless, Decode, Names, Prefix, Sieve};
use crate::adapters::state::{Settings, State};
use crate::adapters::wasm::{Limits, Plugin, Runtime, WasmConsumer};

/// Lets `bytes`, which are whole frames, through the sieve between socket and client; how many came out.
pub fn sift(bytes: &[u8], into: &mut [u8]) -> usize {
    let mut sieve = Sieve::new(bytes, Bodiless::default());
    let mut context = Context::from_waker(Waker::noop());
    let mut sifted = 0;
    while let std::task::Poll::Ready(Ok(read @ 1..)) = Pin::new(&mut sieve).poll_read(&mut context, into) {
        sifted += read;
    }
    sifted
}

/// A log as a message, with the properties that `publish` gives it.
pub fn message(id: &MessageId, timestamp: Timestamp, log: &Log) -> Delivery {
    let source = log.source.as_ref().map_or("", |source| source.as_str());
    let exchange = Names::new(Prefix::default()).exchange(log.severity).into();
    let mut message = Delivery::mock(1, exchange, source.into(), false, log.message.clone().into_bytes());
    message.properties = amqp::properties(id, timestamp, log);
    message
}

/// Reads messages as logs, for a consumer that looks at their text.
pub struct Reader(Names);

impl Default for Reader {
    fn default() -> Self {
        Self(Names::new(Prefix::default()))
    }
}

impl Reader {
    /// The log in a message, if it is one.
    pub fn record(&self, message: &Delivery) -> Option<Record> {
        let decode = Decode { message: true, attributes: false };
        amqp::record(message, &self.0, Timestamp::default(), decode)
    }
}

/// A plugin, ready to be called.
pub struct Guest(WasmConsumer);

impl Guest {
    /// Compiles, instantiates and configures a component.
    ///
    /// # Errors
    /// If it is no plugin.
    pub fn start(component: &[u8]) -> anyhow::Result<Self> {
        let runtime = Runtime::new(Limits::default())?;
        let plugin = Arc::new(Plugin::load(&runtime, component)?);
        let consumer = WasmConsumer::start(&runtime, plugin, "", Vec::new(), Arc::new(|_, _, _| {}))?;
        Ok(Self(consumer))
    }

    /// Shows it a batch.
    ///
    /// # Errors
    /// If it fails.
    pub async fn process(&mut self, batch: &[Record]) -> anyhow::Result<Processed> {
        Ok(self.0.process(Timestamp::default(), batch).await?)
    }
}

/// A ledger for one consumer, in `folder`.
///
/// # Errors
/// If the folder cannot be used.
pub fn ledger(folder: &Path, consumer: &ConsumerName) -> anyhow::Result<impl Ledger> {
    let state = State::open(folder).context("cannot open the state")?;
    Ok(state.ledger(consumer, consumer.as_str(), Settings::default()))
}
