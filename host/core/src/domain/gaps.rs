//! Which logs somebody has not seen who sees some: by the numbers in their ids.

use std::collections::HashMap;

use super::{Record, Severity};

/// The most origins whose numbers are remembered.
const MOST_ORIGINS: usize = 10_000;

/// The last number of each origin: of a producer, a severity and a source.
#[derive(Debug, Default)]
pub struct Gaps {
    last: HashMap<String, u64>,
}

impl Gaps {
    /// Notes that `record` was seen; how many logs of the same origin were not that came between it and the one before.
    /// Of the first log of an origin, and of a log whose id has another form, that is not known.
    pub fn note(&mut self, record: &Record) -> u64 {
        let Some((producer, number)) = record.numbered() else { return 0 };
        let source = if record.unkeyed { "" } else { &record.source };
        let origin = origin(producer, record.severity, source);
        let number = number.get();
        if let Some(last) = self.last.get_mut(&origin) {
            let missing = number.saturating_sub(last.saturating_add(1));
            // One that was sent again has a lower number.
            *last = number.max(*last);
            return missing;
        }
        if self.last.len() == MOST_ORIGINS {
            self.last.clear();
        }
        self.last.insert(origin, number);
        0
    }
}

/// An origin as a text: neither a producer nor a severity has a `/`.
fn origin(producer: &str, severity: Severity, source: &str) -> String {
    format!("{producer}/{severity}/{source}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Numbering, Timestamp};

    fn record(severity: Severity, source: &str, id: Option<&str>) -> Record {
        Record {
            severity,
            undetermined: false,
            timestamp: Timestamp::from_millis(0),
            attempt: 1,
            message: String::new(),
            id: id.map(str::to_owned),
            source: source.to_owned(),
            attributes: Vec::new(),
            unkeyed: source.is_empty(),
            numbering: Numbering::AsRead,
            replayed: false,
            hops: 0,
            trace: None,
        }
    }

    #[test]
    fn numbers_that_did_not_come_are_missing() {
        let mut gaps = Gaps::default();
        let mut note = |severity, source: &str, id: &str| gaps.note(&record(severity, source, Some(id)));
        assert_eq!(note(Severity::Error, "a", "loghost:p/7"), 0, "what was before is not known");
        assert_eq!(note(Severity::Error, "a", "loghost:p/8"), 0);
        assert_eq!(note(Severity::Error, "a", "loghost:p/11"), 2);
        assert_eq!(note(Severity::Error, "a", "loghost:p/9"), 0, "it was sent again");
        assert_eq!(note(Severity::Error, "a", "loghost:p/12"), 0);
        // Other origins have numbers of their own.
        for (severity, source, id) in [
            (Severity::Info, "a", "loghost:p/1"),
            (Severity::Error, "b", "loghost:p/2"),
            (Severity::Error, "", "loghost:p/3"),
            (Severity::Error, "a", "loghost:q/4"),
        ] {
            assert_eq!(note(severity, source, id), 0);
        }
        assert_eq!(note(Severity::Error, "", "loghost:p/5"), 1);
    }

    #[test]
    fn of_other_ids_nothing_is_known() {
        let mut gaps = Gaps::default();
        for id in [None, Some("1"), Some("loghost:p/0"), Some("loghost:p/99999999999999999999999")] {
            assert_eq!(gaps.note(&record(Severity::Error, "a", id)), 0);
        }
        let last = format!("loghost:p/{}", u64::MAX);
        assert_eq!(gaps.note(&record(Severity::Error, "a", Some(&last))), 0);
        assert_eq!(gaps.note(&record(Severity::Error, "a", Some(&last))), 0);
    }

    #[test]
    fn no_number_of_producers_fills_the_memory() {
        let mut gaps = Gaps::default();
        for n in 0..3 * MOST_ORIGINS {
            assert_eq!(gaps.note(&record(Severity::Error, "a", Some(&format!("loghost:p{n}/1")))), 0);
        }
        assert!(gaps.last.len() <= MOST_ORIGINS);
    }
}
