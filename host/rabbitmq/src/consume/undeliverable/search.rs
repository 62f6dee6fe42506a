//! When a message is looked for that the broker cannot deliver.
//!
//! The broker sends what fits the prefetch, and a message that ends the connection takes back what came before it. So deliveries are
//! taken one by one after the first such end of a connection that a consumer has for itself: then either one comes, or the end of
//! the connection may be due to the message at the head of the queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::consume::consuming_connection::LastEnd;

/// How long it is waited before a message is looked for again that could not be taken out of the queue: each time, the
/// connection ends.
pub(crate) const BLOCKED: Duration = Duration::from_secs(10);

/// Whether a consumer has reason to look for a message that its broker cannot deliver.
#[derive(Debug, Default)]
pub(crate) struct Search {
    plan: NextSource,
    /// Those of the last source.
    deliveries: Deliveries,
    /// Why none was found last, if none was and nothing was delivered since.
    blocked: Option<String>,
    /// Whether it is looked for in streams: what comes of others does not tell that it is not there any more.
    in_streams: bool,
}

/// What a consumer's next source is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NextSource {
    /// One that takes what comes.
    #[default]
    Consume,
    /// One that takes deliveries one by one.
    OneByOne,
    /// The message that the broker cannot deliver, if there is one.
    Find,
}

/// How soon the next source is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As soon as any other.
    Usual,
    /// At once: the last one has brought the search forward.
    AtOnce,
    /// After this time.
    After(Duration),
}

/// How many deliveries a source has taken, and after how many it is to be opened again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deliveries {
    taken: Arc<AtomicUsize>,
    most: Option<usize>,
}

impl Search {
    /// How soon the next source is opened.
    pub(crate) fn pace(&self) -> Pace {
        match self.plan {
            NextSource::OneByOne | NextSource::Find
                if self.deliveries.are_some() && !(self.in_streams && self.blocked.is_some()) =>
            {
                Pace::AtOnce
            }
            _ if self.blocked.is_some() => Pace::After(BLOCKED),
            _ => Pace::Usual,
        }
    }

    /// What comes after a connection that has ended like this.
    pub(crate) fn next(&mut self, last_end: LastEnd) -> NextSource {
        let has_delivered = self.deliveries.are_some();
        self.plan = match (self.plan, last_end) {
            (NextSource::OneByOne, LastEnd::Internal) if !has_delivered => NextSource::Find,
            (NextSource::OneByOne, LastEnd::Other) if self.deliveries.are_enough() => NextSource::Consume,
            (NextSource::Consume, LastEnd::Other) => NextSource::Consume,
            _ => NextSource::OneByOne,
        };
        if has_delivered {
            self.blocked = None;
        }
        self.deliveries = Deliveries::default();
        self.plan
    }

    /// The same where logs come from several streams, of which others may deliver something.
    pub(crate) fn next_in_streams(&mut self, last_end: LastEnd) -> NextSource {
        self.in_streams = true;
        let (before, blocked) = (self.plan, self.blocked.clone());
        self.next(last_end);
        if (before, last_end) == (NextSource::OneByOne, LastEnd::Internal) {
            self.plan = NextSource::Find;
        }
        if self.plan != NextSource::Consume {
            self.blocked = blocked;
        }
        self.plan
    }

    /// Notes that there was no message to look at.
    pub(crate) fn found_nothing(&mut self) {
        self.plan = NextSource::OneByOne;
        self.blocked = None;
    }

    /// Notes why none could be taken out; tells whether that is news.
    pub(crate) fn is_blocked(&mut self, cause: &str) -> bool {
        self.plan = NextSource::OneByOne;
        self.blocked.replace(cause.to_owned()).is_none_or(|last| last != cause)
    }

    /// The deliveries of the next source. If they come one by one, it may take `most`: then what was on its way when the
    /// connection ended has come.
    pub(crate) fn deliveries(&mut self, most: u16) -> Deliveries {
        let most = (self.plan == NextSource::OneByOne).then(|| usize::from(most));
        self.deliveries = Deliveries { most, ..Deliveries::default() };
        self.deliveries.clone()
    }
}

impl Deliveries {
    /// Notes that so many were taken.
    pub(crate) fn note(&self, taken: usize) {
        self.taken.fetch_add(taken, Ordering::Relaxed);
    }

    /// Whether they come one by one.
    pub(crate) fn are_one_by_one(&self) -> bool {
        self.most.is_some()
    }

    /// Whether the source is to be opened again.
    pub(crate) fn are_enough(&self) -> bool {
        self.most.is_some_and(|most| self.taken.load(Ordering::Relaxed) >= most)
    }

    fn are_some(&self) -> bool {
        self.taken.load(Ordering::Relaxed) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is planned after ends of connections with so many deliveries before each.
    fn plans(search: &mut Search, ends: &[(LastEnd, usize)]) -> Vec<NextSource> {
        let plan = |(end, taken): &(LastEnd, usize)| {
            search.deliveries.note(*taken);
            let plan = search.next(*end);
            search.deliveries(10);
            plan
        };
        ends.iter().map(plan).collect()
    }

    const INTERNAL: LastEnd = LastEnd::Internal;
    const OTHER: LastEnd = LastEnd::Other;

    #[test]
    fn an_end_without_a_delivery_has_it_look() {
        let mut search = Search::default();
        let plans = plans(&mut search, &[(OTHER, 0), (INTERNAL, 5), (INTERNAL, 1), (INTERNAL, 0)]);
        assert_eq!(
            plans,
            [NextSource::Consume, NextSource::OneByOne, NextSource::OneByOne, NextSource::Find]
        );
        assert_eq!(search.pace(), Pace::Usual);
    }

    #[test]
    fn other_ends_are_no_reason() {
        let ends = [(INTERNAL, 0), (OTHER, 0), (OTHER, 3), (OTHER, 10), (OTHER, 0)];
        let expected = [
            NextSource::OneByOne,
            NextSource::OneByOne,
            NextSource::OneByOne,
            NextSource::Consume,
            NextSource::Consume,
        ];
        assert_eq!(plans(&mut Search::default(), &ends), expected);
    }

    #[test]
    fn behind_one_there_may_be_another() {
        let mut search = Search { plan: NextSource::Find, ..Search::default() };
        let expected = [NextSource::OneByOne, NextSource::Find, NextSource::OneByOne];
        assert_eq!(plans(&mut search, &[(OTHER, 1), (INTERNAL, 0), (OTHER, 1)]), expected);
    }

    #[test]
    fn one_that_stays_is_looked_for_again_later() {
        let mut search = Search { plan: NextSource::Find, ..Search::default() };
        assert!(search.is_blocked("no plugin"));
        search.deliveries(10);
        assert_eq!(search.pace(), Pace::After(BLOCKED));
        assert_eq!(plans(&mut search, &[(INTERNAL, 0)]), [NextSource::Find]);
        assert!(!search.is_blocked("no plugin"), "it was said");
        search.deliveries(10).note(1);
        assert_eq!(search.pace(), Pace::AtOnce);
        assert_eq!(plans(&mut search, &[(INTERNAL, 0)]), [NextSource::OneByOne]);
        assert!(search.is_blocked("no plugin"), "something came between");
    }
}
