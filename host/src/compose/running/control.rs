//! Controlling the consumers of a run: pausing, resuming and reloading each, having its dead letters replayed, and asking each
//! for what it measures.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, join_all};
use loghost_board::Measuring;
use loghost_core::application::{Control, Request, RequestError, RunControl};
use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::Lifetime;
use loghost_wasm::WasmConsumer;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How many requests wait for one consumer, which may be in a long call of its plugin.
const WAITING: usize = 16;

/// The consumers of a run, as they are told what to do.
pub(crate) struct Controls {
    consumers: Mutex<BTreeMap<ConsumerName, Controlled>>,
    reloads: Sender<ReloadTarget>,
    replays: Sender<ConsumerName>,
    lifetime: Lifetime,
}

/// What is asked of a run that no running consumer does itself.
pub(crate) struct Requests {
    /// Which plugins are to be loaded again.
    pub(crate) reloads: Receiver<ReloadTarget>,
    /// Whose dead letters are to be replayed.
    pub(crate) replays: Receiver<ConsumerName>,
}

/// A consumer that is told what to do.
struct Controlled {
    control: Sender<Control<WasmConsumer>>,
    /// Whether it was asked to pause, and not to resume.
    is_paused: bool,
}

/// Which plugins are loaded again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReloadTarget {
    /// Those whose files are no longer what they were.
    Changed,
    /// All: whoever asks may have changed what they depend on.
    All,
    /// This one.
    One(ConsumerName),
}

/// How a consumer is told what to do.
pub(crate) struct ControlChannel {
    /// Where it is told from.
    pub(crate) controls: Receiver<Control<WasmConsumer>>,
    /// Who else may tell it.
    pub(crate) control: Sender<Control<WasmConsumer>>,
    /// Whether it begins paused: the one of its name before it was.
    pub(crate) is_paused: bool,
}

impl Controls {
    /// Of no consumers yet, whose queues will live as long as `lifetime` says; and what else is asked of the run.
    pub(crate) fn new(lifetime: Lifetime) -> (Arc<Self>, Requests) {
        let (reload, reloads) = mpsc::channel(WAITING);
        let (replay, replays) = mpsc::channel(WAITING);
        let controls = Self { consumers: Mutex::default(), reloads: reload, replays: replay, lifetime };
        (Arc::new(controls), Requests { reloads, replays })
    }

    /// Adds a consumer, which takes the place of the one of its name.
    pub(crate) fn add(&self, name: ConsumerName) -> ControlChannel {
        let (control, controls) = mpsc::channel(WAITING);
        let mut consumers = self.locked();
        let is_paused = consumers.get(&name).is_some_and(|former| former.is_paused);
        consumers.insert(name, Controlled { control: control.clone(), is_paused });
        ControlChannel { controls, control, is_paused }
    }

    /// Forgets a consumer that runs no longer, as `others` do meanwhile; not if another one has taken its place.
    pub(crate) fn forget(
        &self,
        name: &ConsumerName,
        control: &Sender<Control<WasmConsumer>>,
        others: impl FnOnce(),
    ) {
        let mut consumers = self.locked();
        if consumers.get(name).is_some_and(|known| known.control.same_channel(control)) {
            consumers.remove(name);
            others();
        }
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<ConsumerName, Controlled>> {
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reload(&self, which: ReloadTarget) -> Result<(), RequestError> {
        self.reloads.try_send(which).map_err(|error| reason(&error))
    }
}

impl RunControl for Controls {
    fn request(&self, name: &ConsumerName, request: Request) -> Result<(), RequestError> {
        let mut consumers = self.locked();
        let controlled = consumers.get_mut(name).ok_or(RequestError::Unknown)?;
        let (told, is_paused) = match request {
            Request::Pause => (Control::Pause, true),
            Request::Resume => (Control::Resume, false),
            Request::Reload => return self.reload(ReloadTarget::One(name.clone())),
            Request::ReplayDeadLetters if self.lifetime == Lifetime::Exclusive => {
                return Err(RequestError::NoDeadLetters);
            }
            Request::ReplayDeadLetters => {
                return self.replays.try_send(name.clone()).map_err(|error| reason(&error));
            }
        };
        controlled.control.try_send(told).map_err(|error| reason(&error))?;
        controlled.is_paused = is_paused;
        Ok(())
    }

    fn reload_all(&self) -> Result<(), RequestError> {
        self.reload(ReloadTarget::All)
    }
}

impl Measuring for Controls {
    fn measure(&self, names: Vec<ConsumerName>, within: Duration) -> BoxFuture<'_, ()> {
        let asked: Vec<oneshot::Receiver<()>> = {
            let consumers = self.locked();
            let controls = names.iter().filter_map(|name| Some(&consumers.get(name)?.control));
            // Half of the places are for what people ask.
            let free = controls.filter(|control| control.capacity() > WAITING / 2);
            let ask = |control: &Sender<Control<WasmConsumer>>| {
                let (done, asked) = oneshot::channel();
                control.try_send(Control::Measure(done)).ok().map(|()| asked)
            };
            free.filter_map(ask).collect()
        };
        // Who cannot answer is not waited for.
        timeout(within, join_all(asked)).map(drop).boxed()
    }
}

fn reason<T>(error: &TrySendError<T>) -> RequestError {
    match error {
        TrySendError::Full(_) => RequestError::Busy,
        TrySendError::Closed(_) => RequestError::Ended,
    }
}
