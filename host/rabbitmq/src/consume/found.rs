//! How much was found in the messages that are received together: a small message of others may inflate to large logs, or
//! to very many.

use loghost_core::application::{Delivery, Item};
use loghost_core::domain::Record;

use crate::message::original::Original;

/// From so many bytes of logs on that were found in messages of others, no more is received together.
const MOST: usize = 16 << 20;

/// The bytes of the logs that were found so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FoundBytes(usize);

impl FoundBytes {
    /// Counts what these deliveries have.
    pub(crate) fn count(&mut self, deliveries: &[Delivery<Original>]) {
        let found: usize = deliveries.iter().map(|delivery| size(&delivery.item)).sum();
        self.0 = self.0.saturating_add(found);
    }

    /// Whether no more should be received together.
    pub(crate) fn is_enough(self) -> bool {
        self.0 > MOST
    }
}

/// How large the logs are that were found in a message of others. A dead letter may be such a message as well.
fn size(item: &Item) -> usize {
    match item {
        Item::Logs(records) => records.iter().map(size_of_record).sum(),
        Item::Log(record) if record.replayed => size_of_record(record),
        Item::Log(_)
        | Item::Marker
        | Item::Foreign(_)
        | Item::Undeliverable(_)
        | Item::Passed
        | Item::Removed(_) => 0,
    }
}

fn size_of_record(record: &Record) -> usize {
    let attributes =
        record.attributes.iter().map(|(key, value)| size_of::<(String, String)>() + key.len() + value.len());
    size_of::<Record>() + record.message.len() + attributes.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use loghost_core::domain::{Numbering, Position, Severity, Timestamp};

    use super::*;

    fn record(message: String, attributes: Vec<(String, String)>) -> Record {
        Record {
            severity: Severity::Info,
            undetermined: false,
            timestamp: Timestamp::from_millis(0),
            attempt: 1,
            message,
            id: None,
            source: String::new(),
            attributes,
            unkeyed: false,
            numbering: Numbering::AsRead,
            replayed: false,
            hops: 0,
            trace: None,
        }
    }

    /// Whether 16 messages, each of which is this, are enough.
    fn are_enough(item: &Item) -> bool {
        let mut found = FoundBytes::default();
        for n in 1..=16 {
            found.count(&[Delivery { position: Position::Transient(n), item: item.clone(), original: None }]);
        }
        found.is_enough()
    }

    #[test]
    fn logs_that_were_found_are_enough_by_their_size_or_their_number() {
        let long = record("x".repeat(1 << 20), Vec::new());
        let of_attributes = record(String::new(), vec![("k".into(), "x".repeat(1 << 20))]);
        let small = record(String::new(), Vec::new());
        assert!(are_enough(&Item::Logs(vec![long.clone()])));
        assert!(are_enough(&Item::Logs(vec![of_attributes])));
        assert!(are_enough(&Item::Logs(vec![small.clone(); 10_000])));
        assert!(are_enough(&Item::Log(Record { replayed: true, ..long.clone() })));
        assert!(!are_enough(&Item::Logs(vec![small; 1000])));
        // What was published as a log is no larger than its message.
        assert!(!are_enough(&Item::Log(long)));
    }
}
