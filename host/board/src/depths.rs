//! How many messages wait in queues and where streams end, which only the broker knows: it is asked when somebody wants to
//! know, at most once a second, and not waited for long.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::{BoxFuture, join};
use loghost_core::domain::ConsumerName;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// What is known of queues and streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Depths {
    /// How many messages wait in the queues of these consumers.
    pub queues: BTreeMap<ConsumerName, u32>,
    /// The offset behind the last log of each of these streams.
    pub ends: BTreeMap<Arc<str>, u64>,
}

/// Knows how many messages wait in queues, and where streams end.
pub trait SourceDepths: Send + Sync {
    /// How many messages wait in the queue of each of these consumers, in their order; none where it is not known `within`
    /// this time.
    fn ready(&self, consumers: Vec<ConsumerName>, within: Duration) -> BoxFuture<'_, Vec<Option<u32>>>;

    /// The offset behind the last log of each of these streams, in their order; none where it is not known `within` this
    /// time.
    fn ends(&self, streams: Vec<Arc<str>>, within: Duration) -> BoxFuture<'_, Vec<Option<u64>>>;
}

/// There is one already who is asked.
#[derive(Debug, thiserror::Error)]
#[error("somebody else is asked for the depths of queues")]
pub struct TooLate;

/// How long an answer is good.
const FRESH: Duration = Duration::from_secs(1);

/// How long an answer is waited for: no scrape fails because a broker is slow.
const TIMEOUT: Duration = Duration::from_secs(1);

/// How many queues, and how many streams, are asked for at once.
const MOST: usize = 256;

/// Asks, and remembers the last answer.
#[derive(Default)]
pub(crate) struct KnownDepths {
    source: OnceLock<Box<dyn SourceDepths>>,
    last: Mutex<Option<(Instant, Depths)>>,
}

impl fmt::Debug for KnownDepths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownDepths").finish_non_exhaustive()
    }
}

impl KnownDepths {
    /// Has `source` asked from now on.
    pub(crate) fn ask(&self, source: Box<dyn SourceDepths>) -> Result<(), TooLate> {
        self.source.set(source).map_err(|_| TooLate)
    }

    /// What is known of the queues of these consumers, and of these streams. Several who want to know it wait for one answer.
    pub(crate) async fn of(&self, mut consumers: Vec<ConsumerName>, streams: BTreeSet<Arc<str>>) -> Depths {
        let Some(source) = self.source.get() else { return Depths::default() };
        consumers.truncate(MOST);
        let streams: Vec<Arc<str>> = streams.into_iter().take(MOST).collect();
        if consumers.is_empty() && streams.is_empty() {
            return Depths::default();
        }
        let mut last = self.last.lock().await;
        if let Some((at, depths)) = &*last
            && at.elapsed() < FRESH
        {
            return depths.clone();
        }
        // It has a moment to say what it knows by then.
        let ready = timeout(TIMEOUT * 2, source.ready(consumers.clone(), TIMEOUT));
        let ends = timeout(TIMEOUT * 2, source.ends(streams.clone(), TIMEOUT));
        let (ready, ends) = join(ready, ends).await;
        let (ready, ends) = (ready.unwrap_or_default(), ends.unwrap_or_default());
        let depths = Depths { queues: known(consumers, ready), ends: known(streams, ends) };
        *last = Some((Instant::now(), depths.clone()));
        depths
    }
}

/// Those of which something is known.
fn known<K: Ord, V>(keys: Vec<K>, values: Vec<Option<V>>) -> BTreeMap<K, V> {
    keys.into_iter().zip(values).filter_map(|(key, value)| Some((key, value?))).collect()
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::FutureExt;

    use super::*;

    /// Answers with how often it was asked, or not at all.
    struct Asked(Arc<AtomicU32>, bool);

    impl SourceDepths for Asked {
        fn ready(&self, consumers: Vec<ConsumerName>, _: Duration) -> BoxFuture<'_, Vec<Option<u32>>> {
            let asked = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            if self.1 { async move { vec![Some(asked); consumers.len()] }.boxed() } else { pending().boxed() }
        }

        fn ends(&self, streams: Vec<Arc<str>>, _: Duration) -> BoxFuture<'_, Vec<Option<u64>>> {
            if self.1 { async move { vec![Some(9); streams.len()] }.boxed() } else { pending().boxed() }
        }
    }

    fn consumers() -> Vec<ConsumerName> {
        vec![ConsumerName::new("a").expect("a name")]
    }

    #[tokio::test(start_paused = true)]
    async fn the_broker_is_asked_at_most_once_a_second() {
        let asked = Arc::new(AtomicU32::new(0));
        let depths = KnownDepths::default();
        depths.ask(Box::new(Asked(Arc::clone(&asked), true))).expect("the first");
        let of = || depths.of(consumers(), BTreeSet::from([Arc::from("s")]));
        let (one, other) = join(of(), of()).await;
        assert_eq!((one.queues.values().next(), one.ends.get("s"), &one), (Some(&1), Some(&9), &other));
        tokio::time::advance(FRESH).await;
        assert_eq!(of().await.queues.values().next(), Some(&2));
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_broker_that_does_not_answer_is_not_waited_for() {
        let depths = KnownDepths::default();
        depths.ask(Box::new(Asked(Arc::default(), false))).expect("the first");
        let begin = Instant::now();
        assert_eq!(depths.of(consumers(), BTreeSet::from([Arc::from("s")])).await, Depths::default());
        assert_eq!(begin.elapsed(), TIMEOUT * 2);
    }
}
