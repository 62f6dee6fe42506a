//! The use cases, over ports: traits that the adapters of the host implement.

mod consume;
mod dead_letters;
mod end;
mod ports;
mod publish;
mod replay;
mod resume;
mod verify;

pub use consume::{
    Adapters, Batching, Consume, ConsumeOptions, Control, Opening, Ports, SavedState, Tolerance,
};
pub use dead_letters::{
    DeadLetterFacts, Decision, FoundMessage, Removal, RemovalEnd, RemovalEvent, Removed, Selection,
    purge_dead_letters, replay_dead_letters,
};
pub use end::{End, Finished};
pub use ports::{
    Answer, Beginning, BoxError, Cause, Clock, ClockLeap, Commit, Confirmed, ConnectionEvent, Consumer,
    ConsumerActivity, ConsumerError, ConsumerEvent, DeadLetterQueue, DeadLetterReturn, DeadLettering,
    DeadLetters, DeadLettersReplayed, DeadLog, Delivery, Difference, Event, Extent, Fate, Item, Journal,
    JournalError, Ledger, LedgerError, Level, ListenScope, Load, LogNumber, LogSink, LogSource, Next,
    NextOffset, NotCounted, Observer, Opened, OwnState, PastLog, PastLogs, PastPosition, ProcessSpan,
    PublisherEvent, Reads, Receipts, Rejection, ReloadRefusal, ReloadScope, ReplayExtent, ReplayObserver,
    Report, ReportError, Reporter, Request, RequestError, RunControl, RunEvent, Saved, SinkError,
    SourceError, SourceFactory, Subscription, SystemClock, Traced, Uncounted,
};
pub use publish::Publish;
pub use replay::{Compared, ReplayOptions, Replayed, compare, replay};
pub use resume::{Resume, ResumeError};
pub use verify::{Checked, CheckedMetric, UnboundLogs};
