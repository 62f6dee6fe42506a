//! How many messages wait in queues, which only the broker knows: it is asked when somebody wants to know, at most once a
//! second, and not waited for long.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::future::BoxFuture;
use loghost_core::domain::ConsumerName;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// How many messages wait in the queues of these consumers.
pub type Depths = BTreeMap<ConsumerName, u32>;

/// Knows how many messages wait in queues.
pub trait QueueDepths: Send + Sync {
    /// How many messages wait in the queue of each of these consumers, in their order; none where it is not known `within`
    /// this time.
    fn ready(&self, consumers: Vec<ConsumerName>, within: Duration) -> BoxFuture<'_, Vec<Option<u32>>>;
}

/// There is one already who is asked.
#[derive(Debug, thiserror::Error)]
#[error("somebody else is asked for the depths of queues")]
pub struct TooLate;

/// How long an answer is good.
const FRESH: Duration = Duration::from_secs(1);

/// How long an answer is waited for: no scrape fails because a broker is slow.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many queues are asked for at once.
const MOST: usize = 256;

/// Asks, and remembers the last answer.
#[derive(Default)]
pub(crate) struct KnownDepths {
    source: OnceLock<Box<dyn QueueDepths>>,
    last: Mutex<Option<(Instant, Depths)>>,
}

impl fmt::Debug for KnownDepths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownDepths").finish_non_exhaustive()
    }
}

impl KnownDepths {
    /// Has `source` asked from now on.
    pub(crate) fn ask(&self, source: Box<dyn QueueDepths>) -> Result<(), TooLate> {
        self.source.set(source).map_err(|_| TooLate)
    }

    /// What is known of the queues of these consumers. Several who want to know it wait for one answer.
    pub(crate) async fn of(&self, mut consumers: Vec<ConsumerName>) -> Depths {
        let Some(source) = self.source.get() else { return Depths::new() };
        consumers.truncate(MOST);
        if consumers.is_empty() {
            return Depths::new();
        }
        let mut last = self.last.lock().await;
        if let Some((at, depths)) = &*last
            && at.elapsed() < FRESH
        {
            return depths.clone();
        }
        let known = source.ready(consumers.clone(), PATIENCE);
        // It has a moment to say what it knows by then.
        let known = timeout(PATIENCE * 2, known).await.unwrap_or_default();
        let depths: Depths =
            consumers.into_iter().zip(known).filter_map(|(name, ready)| Some((name, ready?))).collect();
        *last = Some((Instant::now(), depths.clone()));
        depths
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::FutureExt;
    use futures_util::future::join;

    use super::*;

    /// Answers with how often it was asked, or not at all.
    struct Asked(Arc<AtomicU32>, bool);

    impl QueueDepths for Asked {
        fn ready(&self, consumers: Vec<ConsumerName>, _: Duration) -> BoxFuture<'_, Vec<Option<u32>>> {
            let asked = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            if self.1 { async move { vec![Some(asked); consumers.len()] }.boxed() } else { pending().boxed() }
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
        let (one, other) = join(depths.of(consumers()), depths.of(consumers())).await;
        assert_eq!((one.values().next(), &one), (Some(&1), &other));
        tokio::time::advance(FRESH).await;
        assert_eq!(depths.of(consumers()).await.values().next(), Some(&2));
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_broker_that_does_not_answer_is_not_waited_for() {
        let depths = KnownDepths::default();
        depths.ask(Box::new(Asked(Arc::default(), false))).expect("the first");
        let begin = Instant::now();
        assert_eq!(depths.of(consumers()).await, Depths::new());
        assert_eq!(begin.elapsed(), PATIENCE * 2);
    }
}
