//! Who takes part: the adapters that fill the ports of consuming.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::control::Control;
use crate::application::ports::{Clock, Consumer, Ledger, LogSink, Observer, Reporter, SourceFactory};
use crate::application::publish::Publish;

/// The types of the adapters that a consumer is run with.
pub trait Ports {
    /// Opens what logs come from.
    type SourceFactory: SourceFactory;
    /// Processes logs.
    type Consumer: Consumer;
    /// Keeps the book.
    type Ledger: Ledger + 'static;
    /// Tells the time.
    type Clock: Clock;
    /// Shows metrics.
    type Reporter: Reporter;
    /// Takes what the consumer publishes.
    type Sink: LogSink;
}

/// The adapters themselves.
pub struct Adapters<P: Ports> {
    /// Opens what logs come from.
    pub source_factory: P::SourceFactory,
    /// Processes logs.
    pub consumer: P::Consumer,
    /// Keeps the book.
    pub ledger: P::Ledger,
    /// Tells the time.
    pub clock: P::Clock,
    /// Shows metrics.
    pub reporter: P::Reporter,
    /// Is told what happens.
    pub observer: Arc<dyn Observer>,
    /// Publishes what the consumer wants published; none if that goes nowhere.
    pub derived: Option<Publish<P::Sink, P::Clock>>,
    /// The consumer is told through it what to do; new versions of it must be of its name.
    pub controls: mpsc::Receiver<Control<P::Consumer>>,
}
