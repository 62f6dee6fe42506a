//! The use cases, over ports: roles that an adapter of the host plays.

mod consume;
mod end;
mod held;
mod ports;
mod publish;

pub use consume::{Batching, Consume, ConsumeOptions};
pub use end::{End, Finished};
pub use ports::{
    BoxError, Cause, Clock, Consumer, ConsumerError, Delivery, Item, LogSink, LogSource, Receipt, Receipts,
    Rejection, Report, ReportError, Reporter, SinkError, SourceError,
};
pub use publish::Publish;
