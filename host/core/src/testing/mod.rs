//! For the tests and benchmarks of every crate. No interface for anybody else.
//!
//! The fakes fill the ports of consuming: they do what their fields say, and record the calls that they get. [`Fakes`]
//! and [`adapters`] put them together.

mod adapters;
mod calls;
mod clock;
mod consumer;
mod dead_letters;
mod ledger;
pub mod logs;
mod observer;
mod options;
mod reporter;
mod sink;
mod source;

pub use adapters::{Fakes, adapters};
pub use calls::Calls;
pub use clock::FakeClock;
pub use consumer::{FakeConsumer, descriptor};
pub use dead_letters::FakeDeadLetters;
pub use ledger::FakeLedger;
pub use observer::FakeObserver;
pub use options::options;
pub use reporter::FakeReporter;
pub use sink::{FakeSink, SinkAnswer};
pub use source::{FakeSource, FakeSourceFactory, SourceEnd, delivery};
