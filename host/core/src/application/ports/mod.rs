//! The roles that surround the use cases. An adapter implements each with one technology; no type of a
//! library appears here.

mod clock;
mod consumer;
mod dead_letter_queue;
mod dead_letters;
mod event;
mod journal;
mod ledger;
mod level;
mod past;
mod reporter;
mod run_control;
mod run_event;
mod sink;
mod source;

pub use clock::{Clock, SystemClock};
pub use consumer::{Consumer, ConsumerError};
pub use dead_letter_queue::{DeadLetterQueue, DeadLetterReturn};
pub use dead_letters::{Cause, DeadLettering, DeadLetters, DeadLog, LogNumber, Rejection};
pub use event::{
    Beginning, ConnectionEvent, ConsumerEvent, Event, Load, Observer, ProcessSpan, PublisherEvent,
    ReloadRefusal, Traced, Uncounted,
};
pub use journal::{Confirmed, Journal, JournalError};
pub use ledger::{Commit, Ledger, LedgerError, Saved};
pub use level::Level;
pub use past::{
    Answer, Difference, Extent, Fate, NotCounted, PastLog, PastLogs, PastPosition, ReplayObserver,
};
pub use reporter::{Report, ReportError, Reporter};
pub use run_control::{Request, RequestError, RunControl};
pub use run_event::{
    ClockLeap, DeadLettersReplayed, ListenScope, OwnState, ReloadScope, ReplayExtent, RunEvent,
};
pub use sink::{LogSink, Receipts, SinkError};
pub use source::{
    ConsumerActivity, Delivery, Item, LogSource, Next, NextOffset, Opened, Reads, SourceError, SourceFactory,
    Subscription,
};

/// What an adapter's library reports.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
