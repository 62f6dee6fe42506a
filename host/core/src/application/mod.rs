//! The use cases, over ports: roles that an adapter of the host plays.

mod consume;
mod end;
mod journal;
mod ports;
mod publish;
mod resume;

pub use consume::{Adapters, Batching, Consume, ConsumeOptions, Opening, Ports, SavedState, Tolerance};
pub use end::{End, Finished};
pub use journal::{Confirmed, Journal, JournalError};
pub use ports::{
    Beginning, BoxError, Cause, Clock, Commit, ConnectionEvent, Consumer, ConsumerActivity, ConsumerError,
    ConsumerEvent, DeadLettering, DeadLetters, DeadLog, Delivery, Event, Item, Ledger, LedgerError, Level,
    Load, LogSink, LogSource, Next, NextOffset, Notice, Observer, Opened, Place, PublisherEvent, Reads,
    Receipts, Rejection, Report, ReportError, Reporter, Saved, SinkError, SourceError, SourceFactory,
    Subscription, Uncounted,
};
pub use publish::Publish;
pub use resume::{Resume, ResumeError};
