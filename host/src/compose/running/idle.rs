//! When there is nothing left to do: `run --until-idle`.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use loghost_core::application::{ConsumerEvent, Event, Load, Observer, Report, ReportError, Reporter};
use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::QueueDepth;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::ui::terminal::TerminalReporter;

/// What the consumers of a run do, and when they last had something to do.
pub(crate) struct Activity {
    last: Instant,
    consumers: HashMap<ConsumerName, ConsumerWork>,
    /// Those that have ended, or could not begin: nothing is expected of them.
    ended: BTreeSet<ConsumerName>,
}

/// What one does.
struct ConsumerWork {
    queue: QueueUse,
    load: Load,
    /// Whether it is called for something else than logs.
    is_called: bool,
}

/// What a consumer does with its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum QueueUse {
    /// It has no queue: not yet, or its connection is lost.
    Away,
    /// It has given its queue back. Whoever has paused it may resume it.
    Paused,
    /// It has its queue.
    AtWork,
    /// Another host consumes from its queue.
    StandingBy,
    /// It was stopped because it keeps failing: its queue is left as it is.
    Stopped,
}

/// The most consumers that are named of those that do the same.
const MOST_NAMED: usize = 5;

impl Activity {
    /// Something to do now, and no consumers.
    pub(crate) fn now() -> Self {
        Self { last: Instant::now(), consumers: HashMap::new(), ended: BTreeSet::new() }
    }

    fn put(&mut self, consumer: &ConsumerName, queue: QueueUse) {
        self.last = Instant::now();
        self.ended.remove(consumer);
        let idle = ConsumerWork { queue, load: Load::default(), is_called: false };
        self.consumers.entry(consumer.clone()).or_insert(idle).queue = queue;
    }

    fn end(&mut self, consumer: &ConsumerName) {
        self.consumers.remove(consumer);
        self.ended.insert(consumer.clone());
    }

    /// Forgets one that has ended.
    pub(crate) fn forget(&mut self, consumer: &ConsumerName) {
        self.ended.remove(consumer);
    }

    /// Since when nobody has had anything to do; nothing while somebody has.
    fn quiet_since(&self) -> Option<Instant> {
        let busy = self.consumers.values().any(|doing| match doing.queue {
            QueueUse::Away | QueueUse::Paused => true,
            QueueUse::AtWork | QueueUse::StandingBy => doing.load != Load::default() || doing.is_called,
            QueueUse::Stopped => false,
        });
        (!busy).then_some(self.last)
    }

    /// Whether its queue is looked at: also while another host consumes from it, whose logs may come back.
    fn has_queue(&self, consumer: &ConsumerName) -> bool {
        let doing = self.consumers.get(consumer);
        doing.is_some_and(|doing| matches!(doing.queue, QueueUse::AtWork | QueueUse::StandingBy))
    }

    /// Whether each consumer has begun: its queue is its own or another host's, or was left as it is.
    pub(crate) fn is_begun(&self) -> bool {
        !self.consumers.is_empty() && self.consumers.values().all(|doing| doing.queue != QueueUse::Away)
    }

    /// How many consumers do what, in a line; those that are not at work by their names.
    pub(crate) fn summary(&self) -> String {
        let at = |queue| {
            let mut names: Vec<&str> = self
                .consumers
                .iter()
                .filter(|(_, it)| it.queue == queue)
                .map(|(name, _)| name.as_str())
                .collect();
            names.sort_unstable();
            names
        };
        let mut parts = Vec::new();
        let at_work = at(QueueUse::AtWork).len();
        if at_work > 0 {
            parts.push(format!("{at_work} consuming"));
        }
        let ended = self.ended.iter().map(ConsumerName::as_str).collect();
        for (names, word) in [
            (at(QueueUse::StandingBy), "standing by"),
            (at(QueueUse::Away), "being opened"),
            (at(QueueUse::Paused), "paused"),
            (at(QueueUse::Stopped), "stopped"),
            (ended, "ended"),
        ] {
            if !names.is_empty() {
                let more = if names.len() > MOST_NAMED { ", ..." } else { "" };
                let first = names[..names.len().min(MOST_NAMED)].join(", ");
                parts.push(format!("{} {word} ({first}{more})", names.len()));
            }
        }
        if parts.is_empty() { "starting".to_owned() } else { parts.join(", ") }
    }

    /// Those that stand by.
    fn standing_by(&self) -> Vec<ConsumerName> {
        let standing_by = self.consumers.iter().filter(|(_, doing)| doing.queue == QueueUse::StandingBy);
        standing_by.map(|(consumer, _)| consumer.clone()).collect()
    }
}

/// How many logs wait for each consumer of a run: for those that are there now.
#[derive(Clone, Default)]
pub(crate) struct RunDepths(Arc<Mutex<HashMap<ConsumerName, QueueDepth>>>);

impl RunDepths {
    pub(crate) fn put(&self, consumer: ConsumerName, depth: QueueDepth) {
        self.locked().insert(consumer, depth);
    }

    pub(crate) fn remove(&self, consumer: &ConsumerName) {
        self.locked().remove(consumer);
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<ConsumerName, QueueDepth>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Is ready when every consumer has had its queue, and nothing to do, for as long as `limit`, and the queues are
/// empty; never without a limit. Of a consumer that is stopped nothing is expected. Gives those that stand by.
pub(crate) async fn idle(
    mut activity: watch::Receiver<Activity>,
    depths: &RunDepths,
    limit: Option<Duration>,
) -> Vec<ConsumerName> {
    let Some(limit) = limit else { return std::future::pending().await };
    let mut looked = None;
    loop {
        let quiet_since = activity.borrow_and_update().quiet_since();
        let Some(since) = quiet_since else {
            // Without consumers there is nothing to wait for.
            if activity.changed().await.is_err() {
                return Vec::new();
            }
            continue;
        };
        // A queue that was not empty then is looked at again after as long.
        let quiet_at = looked.unwrap_or(since).max(since) + limit;
        if quiet_at > Instant::now() {
            sleep_until(quiet_at).await;
            continue;
        }
        if are_empty(depths, activity.clone()).await && activity.borrow().quiet_since() == Some(since) {
            return activity.borrow().standing_by();
        }
        looked = Some(Instant::now());
    }
}

/// Whether nothing waits in the queues of those who work.
async fn are_empty(depths: &RunDepths, mut activity: watch::Receiver<Activity>) -> bool {
    let depths = depths.locked().clone();
    for (consumer, depth) in &depths {
        let is_empty = tokio::select! {
            biased;
            // Its queue is not looked at any more.
            _ = activity.wait_for(|activity| !activity.has_queue(consumer)) => true,
            is_empty = depth.is_empty() => is_empty,
        };
        if !is_empty {
            return false;
        }
    }
    true
}

/// Notes what consumers do.
pub(crate) struct ActivityObserver(pub(crate) watch::Sender<Activity>);

impl Observer for ActivityObserver {
    fn observe(&self, event: &Event<'_>) {
        let Event::Consumer(consumer, event) = event else { return };
        self.0.send_modify(|activity| activity.note(consumer, event));
    }
}

impl Activity {
    fn note(&mut self, consumer: &ConsumerName, event: &ConsumerEvent<'_>) {
        let Some(doing) = self.consumers.get_mut(consumer) else { return };
        let stopped = doing.queue == QueueUse::Stopped;
        match event {
            // One log is tried of one that was stopped.
            ConsumerEvent::Consuming(_) | ConsumerEvent::StandingBy if stopped => {}
            ConsumerEvent::StandingBy => self.put(consumer, QueueUse::StandingBy),
            ConsumerEvent::Consuming(_) | ConsumerEvent::Recovered => self.put(consumer, QueueUse::AtWork),
            ConsumerEvent::Reloaded(..) if stopped => self.put(consumer, QueueUse::AtWork),
            ConsumerEvent::Paused => self.put(consumer, QueueUse::Paused),
            ConsumerEvent::Resumed => self.put(consumer, QueueUse::Away),
            ConsumerEvent::Reopening(_) if !stopped => self.put(consumer, QueueUse::Away),
            ConsumerEvent::Stopped(..) => self.put(consumer, QueueUse::Stopped),
            // What it only leaves behind in its streams is nothing that it does.
            ConsumerEvent::Acknowledged { deliveries: 0, load } if *load == doing.load => {}
            ConsumerEvent::Acknowledged { load, .. } => {
                doing.load = *load;
                if !stopped {
                    self.last = Instant::now();
                }
            }
            // It is no sign of life.
            ConsumerEvent::CallBegins => doing.is_called = true,
            ConsumerEvent::CallEnds => doing.is_called = false,
            _ => {}
        }
    }
}

/// A reporter of a consumer that something is expected of as long as it is there.
pub(crate) struct Expected {
    inner: TerminalReporter,
    consumer: ConsumerName,
    activity: watch::Sender<Activity>,
}

impl Expected {
    /// Reports to `inner`; in `activity`, `consumer` has no queue yet.
    pub(crate) fn new(
        inner: TerminalReporter,
        consumer: ConsumerName,
        activity: watch::Sender<Activity>,
    ) -> Self {
        activity.send_modify(|activity| activity.put(&consumer, QueueUse::Away));
        Self { inner, consumer, activity }
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        // Of one that has ended nothing is expected.
        self.activity.send_modify(|activity| activity.end(&self.consumer));
    }
}

impl Reporter for Expected {
    fn metric(&mut self, report: &Report<'_>) -> Result<(), ReportError> {
        self.inner.metric(report)
    }
}
