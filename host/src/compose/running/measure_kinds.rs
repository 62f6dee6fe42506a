//! Tells when two plugins measure something of one name, but of two kinds: monitoring knows only one kind of a name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use loghost_core::application::{ConsumerEvent, Event, Observer, RunEvent};
use loghost_core::domain::{ConsumerName, MeasureKind, Measures};

/// Is told what plugins measure, and tells others once of each name and plugin that its kind is not that of another plugin.
pub(crate) struct MeasureKindsObserver {
    known: Mutex<Known>,
    others: Arc<dyn Observer>,
}

impl MeasureKindsObserver {
    pub(crate) fn new(others: Arc<dyn Observer>) -> Self {
        Self { known: Mutex::default(), others }
    }
}

/// What is known of the names.
#[derive(Debug, Default)]
struct Known {
    kinds: BTreeMap<ConsumerName, BTreeMap<String, MeasureKind>>,
    said: BTreeSet<(ConsumerName, String)>,
}

/// A name that has another kind elsewhere.
#[derive(Debug, PartialEq, Eq)]
struct Clash {
    name: String,
    /// Whose figures are shown, and their kind.
    shown: (ConsumerName, MeasureKind),
    /// Whose figures are not, and their kind.
    left_out: (ConsumerName, MeasureKind),
}

impl Observer for MeasureKindsObserver {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Consumer(consumer, ConsumerEvent::Measured(Ok(measures))) = event {
            let clashes = self.known.lock().unwrap_or_else(PoisonError::into_inner).note(consumer, measures);
            for Clash { name, shown, left_out } in &clashes {
                let kinds = [shown, left_out].map(|(consumer, kind)| (consumer, *kind));
                self.others.observe(&Event::Run(RunEvent::MeasureKindsDiffer(name, kinds)));
            }
        }
    }
}

impl Known {
    /// Notes what a consumer has measured; gives what clashes because of that, each once.
    fn note(&mut self, consumer: &ConsumerName, measures: &Measures) -> Vec<Clash> {
        let kinds = || measures.by_name().map(|(name, family)| (name, family.kind));
        let is_known = self.kinds.get(consumer).is_some_and(|known| {
            known.len() == kinds().count() && kinds().all(|(name, kind)| known.get(name) == Some(&kind))
        });
        // As a rule it is what it was.
        if is_known {
            return Vec::new();
        }
        let noted = kinds().map(|(name, kind)| (name.to_owned(), kind)).collect();
        self.kinds.insert(consumer.clone(), noted);
        let Self { kinds: all, said } = self;
        let mut clashes = Vec::new();
        for (name, _) in kinds() {
            // The board shows the kind of the first one as well.
            let mut measuring =
                all.iter().filter_map(|(consumer, known)| Some((consumer, *known.get(name)?)));
            let Some((first, shown)) = measuring.next() else { continue };
            for (other, kind) in measuring.filter(|(_, kind)| *kind != shown) {
                if said.insert((other.clone(), name.to_owned())) {
                    let (shown, left_out) = ((first.clone(), shown), (other.clone(), kind));
                    clashes.push(Clash { name: name.to_owned(), shown, left_out });
                }
            }
        }
        clashes
    }
}

#[cfg(test)]
mod tests {
    use loghost_core::domain::Measurement;

    use super::*;

    fn name(name: &str) -> ConsumerName {
        ConsumerName::new(name).expect("a name")
    }

    fn measured(measured: &[(&str, MeasureKind)]) -> Measures {
        Measures::of(measured.iter().map(|(name, kind)| Measurement {
            name: (*name).to_owned(),
            labels: Vec::new(),
            kind: *kind,
            value: 1.0,
        }))
    }

    #[test]
    fn each_clash_is_given_once() {
        use MeasureKind::{Counter, Gauge};
        let mut known = Known::default();
        assert_eq!(known.note(&name("b"), &measured(&[("x", Counter), ("y", Gauge)])), []);
        assert_eq!(known.note(&name("c"), &measured(&[("x", Counter)])), []);
        let clashes = known.note(&name("a"), &measured(&[("x", Gauge), ("y", Gauge)]));
        let left_out = |other: &str| Clash {
            name: "x".to_owned(),
            shown: (name("a"), Gauge),
            left_out: (name(other), Counter),
        };
        assert_eq!(clashes, [left_out("b"), left_out("c")]);
        assert_eq!(known.note(&name("a"), &measured(&[("x", Gauge)])), []);
        assert_eq!(known.note(&name("b"), &measured(&[("x", Counter)])), []);
    }
}
