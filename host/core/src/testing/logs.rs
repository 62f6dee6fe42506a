//! The logs that tests use, and those of benchmarks: 120 bytes of text from one source.

use crate::domain::{Attributes, Log, MessageId, Numbering, Producer, Record, Severity, Source, Timestamp};

/// The sizes of batches.
pub const BATCHES: [usize; 5] = [1, 16, 64, 256, 1024];

/// A log.
///
/// # Panics
/// Never.
pub fn log() -> Log {
    Log {
        severity: Severity::Info,
        message: format!("{:.<120}", "GET /api/orders/1042 200 12ms user=alice region=eu-west-1"),
        source: Some(Source::new("web").expect("a source")),
        timestamp: None,
        attributes: Attributes::default(),
        hops: 0,
    }
}

/// The id of the log of this sequence number.
///
/// # Panics
/// If that is 0.
pub fn id(sequence: u64) -> MessageId {
    MessageId {
        producer: Producer::new("0f8fad5bd9cb469fa165708677289501").expect("a producer"),
        sequence: sequence.try_into().expect("not 0"),
    }
}

/// The same log as a record, with this sequence number.
///
/// # Panics
/// If that is 0.
pub fn record(sequence: u64) -> Record {
    let log = log();
    Record {
        severity: log.severity,
        timestamp: Timestamp::from_millis(1_790_000_000_000),
        id: Some(id(sequence).to_string()),
        source: "web".to_owned(),
        ..error_record(sequence, &log.message)
    }
}

/// A log of severity error with this text, from no source: the one of this sequence number, and at as many
/// milliseconds.
pub fn error_record(sequence: u64, message: &str) -> Record {
    Record {
        severity: Severity::Error,
        undetermined: false,
        timestamp: Timestamp::from_millis(sequence),
        attempt: 1,
        message: message.to_owned(),
        id: Some(format!("loghost:p/{sequence}")),
        source: String::new(),
        attributes: Vec::new(),
        unkeyed: false,
        numbering: Numbering::AsRead,
        replayed: false,
        hops: 0,
        trace: None,
    }
}
