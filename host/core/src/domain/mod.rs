//! The types and rules of loghost, without input or output.

mod attributes;
mod balance;
mod book;
mod counts;
mod descriptor;
mod filter;
mod gaps;
mod identity;
mod interval_set;
mod log;
mod measures;
mod position;
pub mod scenario;
mod severity;
mod source;
mod tally;
mod text;
mod timestamp;
mod trace;
mod verdict;

pub use attributes::{Attributes, AttributesError};
pub use balance::{Account, Balance, Missing, Reach, Sent};
pub use book::{
    Book, Changes, Claim, CountedAs, Expired, FinishedLog, IntervalChange, OriginChange, OriginPosition,
    OriginState, StreamChange, StreamState,
};
pub use counts::{Counts, Metric};
pub use descriptor::{ConsumerName, ConsumerNameError, Descriptor, Fields};
pub use filter::{Filter, Pattern, PatternError};
pub use gaps::Gaps;
pub use identity::{MessageId, MessageIdError, Producer, ProducerError, Sequencer};
pub use interval_set::IntervalSet;
pub use log::{Log, Numbering, Record};
pub use measures::{InvalidMeasurement, MOST_MEASURES, MeasureFamily, MeasureKind, Measurement, Measures};
pub use position::{Fingerprint, Position, RemovedOffsets, StreamIdentity, StreamPosition};
pub use severity::{Severities, Severity, UnknownSeverity};
pub use source::{Source, SourceNameError};
pub use tally::Tally;
pub use text::{HIDDEN, printable, printable_line, without_login};
pub use timestamp::Timestamp;
pub use trace::{Sampler, TraceContext, TracesRead, Tracing};
pub use verdict::{Outcome, Processed, Verdict};
