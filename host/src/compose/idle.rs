//! When there is nothing left to do: `run --until-idle`.

use std::collections::HashMap;
use std::time::Duration;

use loghost_core::application::{Aside, Load, Report, ReportError, Reporter, State};
use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::QueueDepth;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::ui::terminal::TerminalReporter;

/// What the consumers of a run do, and when they last had something to do.
pub(crate) struct Activity {
    last: Instant,
    consumers: HashMap<ConsumerName, Doing>,
}

/// What one does.
struct Doing {
    place: Place,
    load: Load,
    aside: Aside,
}

/// Where a consumer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It has no queue: not yet, or its connection is lost.
    Away,
    /// It has its queue.
    AtWork,
    /// Another host consumes from its queue.
    StandingBy,
    /// It was stopped because it keeps failing: its queue is left as it is.
    Stopped,
}

impl Activity {
    /// Something to do now, and no consumers.
    pub(crate) fn now() -> Self {
        Self { last: Instant::now(), consumers: HashMap::new() }
    }

    /// Notes that a consumer has its queue.
    pub(crate) fn opened(&mut self, consumer: &ConsumerName) {
        self.put(consumer, Place::AtWork);
    }

    fn put(&mut self, consumer: &ConsumerName, place: Place) {
        self.last = Instant::now();
        let idle = Doing { place, load: Load::default(), aside: Aside::Ends };
        self.consumers.entry(consumer.clone()).or_insert(idle).place = place;
    }

    /// Since when nobody has had anything to do; nothing while somebody has.
    fn quiet_since(&self) -> Option<Instant> {
        let busy = self.consumers.values().any(|doing| match doing.place {
            Place::Away => true,
            Place::AtWork | Place::StandingBy => {
                doing.load != Load::default() || doing.aside == Aside::Begins
            }
            Place::Stopped => false,
        });
        (!busy).then_some(self.last)
    }

    /// Whether its queue is looked at: also while another host consumes from it, whose logs may come back.
    fn has_queue(&self, consumer: &ConsumerName) -> bool {
        let doing = self.consumers.get(consumer);
        doing.is_some_and(|doing| matches!(doing.place, Place::AtWork | Place::StandingBy))
    }

    /// Those that stand by.
    fn standing_by(&self) -> Vec<ConsumerName> {
        let standing_by = self.consumers.iter().filter(|(_, doing)| doing.place == Place::StandingBy);
        standing_by.map(|(consumer, _)| consumer.clone()).collect()
    }
}

/// Is ready when every consumer has had its queue, and nothing to do, for as long as `limit`, and the queues are
/// empty; never without a limit. Of a consumer that is stopped nothing is expected. Gives those that stand by.
pub(crate) async fn idle(
    mut activity: watch::Receiver<Activity>,
    depths: &HashMap<ConsumerName, QueueDepth>,
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
async fn are_empty(
    depths: &HashMap<ConsumerName, QueueDepth>,
    mut activity: watch::Receiver<Activity>,
) -> bool {
    for (consumer, depth) in depths {
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

/// A reporter that notes what its consumer does.
pub(crate) struct Watched {
    inner: TerminalReporter,
    consumer: ConsumerName,
    activity: watch::Sender<Activity>,
}

impl Watched {
    /// Reports to `inner`, and notes in `activity` what `consumer` does, which has no queue yet.
    pub(crate) fn new(
        inner: TerminalReporter,
        consumer: ConsumerName,
        activity: watch::Sender<Activity>,
    ) -> Self {
        activity.send_modify(|activity| activity.put(&consumer, Place::Away));
        Self { inner, consumer, activity }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Of one that has ended nothing is expected.
        self.activity.send_modify(|activity| {
            activity.consumers.remove(&self.consumer);
        });
    }
}

impl Reporter for Watched {
    fn metric(&mut self, report: &Report<'_>) -> Result<(), ReportError> {
        self.inner.metric(report)
    }

    fn state(&mut self, consumer: &ConsumerName, state: &State<'_>) {
        self.activity.send_modify(|activity| {
            let stopped = activity.consumers.get(consumer).is_some_and(|doing| doing.place == Place::Stopped);
            match state {
                // One log is tried of one that was stopped.
                State::Consuming | State::StandingBy if stopped => {}
                State::StandingBy => activity.put(consumer, Place::StandingBy),
                State::Consuming | State::Recovered => {
                    activity.put(consumer, Place::AtWork);
                }
                State::Reloaded(..) if stopped => activity.put(consumer, Place::AtWork),
                State::Reopening(_) if !stopped => activity.put(consumer, Place::Away),
                State::Stopped(..) => activity.put(consumer, Place::Stopped),
                _ => {}
            }
        });
        self.inner.state(consumer, state);
    }

    fn progress(&mut self, consumer: &ConsumerName, finished: usize, load: Load) {
        self.activity.send_modify(|activity| {
            let Some(doing) = activity.consumers.get_mut(consumer) else { return };
            doing.load = load;
            if doing.place != Place::Stopped {
                activity.last = Instant::now();
            }
        });
        self.inner.progress(consumer, finished, load);
    }

    fn aside(&mut self, consumer: &ConsumerName, aside: Aside) {
        // It is no sign of life.
        self.activity.send_modify(|activity| {
            if let Some(doing) = activity.consumers.get_mut(consumer) {
                doing.aside = aside;
            }
        });
    }
}
