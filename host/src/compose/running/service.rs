//! A run as a service: tells whoever manages services that it is ready, reads its configuration again or ends, what its
//! consumers do, and that they go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use loghost_core::application::{Event, Observer, RunEvent};
use loghost_core::domain::ConsumerName;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use crate::compose::running::idle::Activity;
use crate::compose::running::loops::Loops;
use crate::platform::service_manager::{self, Notification};

/// What a service manager knows of a run.
pub(crate) struct Service {
    watchdog: Option<Watchdog>,
    phase: Mutex<Phase>,
    /// Whether it was said that it cannot be told.
    is_unreachable: AtomicBool,
    /// Is told what the manager cannot be, or not any more.
    observer: Arc<dyn Observer>,
}

/// Who ends the process unless it says at least this often that it goes on.
struct Watchdog {
    within: Duration,
    loops: Loops,
}

/// What was told last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Ready,
    Reloading,
    Stopping,
}

/// The least time between two looks at what consumers do.
const PAUSE: Duration = Duration::from_millis(100);

impl Service {
    /// Tells the manager that has started this process, if one has, what consumers do: that the run is ready when none of them is
    /// still being opened, and for its watchdog that each goes on. It is told so for as long as the tasks are there.
    pub(crate) fn start(
        activity: watch::Receiver<Activity>,
        observer: Arc<dyn Observer>,
    ) -> (Arc<Self>, JoinSet<()>) {
        let watchdog =
            service_manager::watchdog().map(|within| Watchdog { within, loops: Loops::new(within / 2) });
        let service = Arc::new(Self {
            watchdog,
            phase: Mutex::new(Phase::Starting),
            is_unreachable: AtomicBool::new(false),
            observer,
        });
        let mut tasks = JoinSet::new();
        if service_manager::is_there() {
            tasks.spawn(Arc::clone(&service).tell_status(activity));
            tasks.spawn(Arc::clone(&service).tell_alive());
        }
        (service, tasks)
    }

    /// A configuration is read again from now on, or plugins are loaded.
    pub(crate) fn reloading(&self) {
        self.step(Phase::Ready, Phase::Reloading, &[Notification::Reloading]);
    }

    /// It goes on as before.
    pub(crate) fn reloaded(&self) {
        self.step(Phase::Reloading, Phase::Ready, &[Notification::Ready]);
    }

    /// The run ends.
    pub(crate) fn stopping(&self) {
        let mut phase = self.phase();
        if *phase != Phase::Stopping {
            *phase = Phase::Stopping;
            self.tell(&[Notification::Stopping, Notification::Status("ending: what is in hand is finished")]);
        }
    }

    /// Waits for `running`, the loop of a consumer whose calls are limited to this time; meanwhile it is known whether its
    /// thread comes back to it.
    pub(crate) async fn watched<T>(
        &self,
        consumer: &ConsumerName,
        call_limit: Duration,
        running: impl Future<Output = T>,
    ) -> T {
        let Some(Watchdog { within, loops }) = &self.watchdog else { return running.await };
        let coming_back = async {
            let mut often = every(*within / 8);
            loop {
                often.tick().await;
                loops.goes_on(consumer, Instant::now());
            }
        };
        loops.begin(consumer, call_limit, Instant::now());
        let done = tokio::select! {
            biased;
            done = running => done,
            never = coming_back => never,
        };
        loops.end(consumer);
        done
    }

    async fn tell_status(self: Arc<Self>, mut activity: watch::Receiver<Activity>) {
        let mut told = String::new();
        loop {
            let (text, is_begun) = {
                let activity = activity.borrow_and_update();
                (activity.summary(), activity.is_begun())
            };
            if is_begun {
                self.step(Phase::Starting, Phase::Ready, &[Notification::Ready]);
            }
            if text != told && *self.phase() != Phase::Stopping {
                self.tell(&[Notification::Status(&text)]);
                told = text;
            }
            // Each batch changes it.
            sleep(PAUSE).await;
            if activity.changed().await.is_err() {
                return;
            }
        }
    }

    async fn tell_alive(self: Arc<Self>) {
        let Some(Watchdog { within, loops }) = &self.watchdog else { return };
        let mut often = every(*within / 2);
        let mut said = None;
        loop {
            often.tick().await;
            let stuck = loops.stuck(Instant::now());
            match &stuck {
                None => self.tell(&[Notification::Alive]),
                Some(consumer) if said != stuck => {
                    self.observer.observe(&Event::Run(RunEvent::Stuck(consumer)));
                }
                Some(_) => {}
            }
            said = stuck;
        }
    }

    /// Goes from one phase to another, and tells that; not if another phase has begun meanwhile.
    fn step(&self, from: Phase, to: Phase, notifications: &[Notification<'_>]) {
        let mut phase = self.phase();
        if *phase == from {
            *phase = to;
            self.tell(notifications);
        }
    }

    fn tell(&self, notifications: &[Notification<'_>]) {
        if let Err(error) = service_manager::tell(notifications)
            && !self.is_unreachable.swap(true, Ordering::Relaxed)
        {
            let why = error.to_string();
            self.observer.observe(&Event::Run(RunEvent::ServiceManagerUnreachable(&why)));
        }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each event is a sign that the loop goes on that tells it.
impl Observer for Service {
    fn observe(&self, event: &Event<'_>) {
        if let (Event::Consumer(consumer, _), Some(watchdog)) = (event, &self.watchdog) {
            watchdog.loops.goes_on(consumer, Instant::now());
        }
    }
}

/// At once, and then each time that this has passed.
fn every(period: Duration) -> Interval {
    let mut interval = interval(period.max(Duration::from_millis(1)));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
