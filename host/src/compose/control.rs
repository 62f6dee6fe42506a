//! Controlling the consumers of a run: pausing, resuming and reloading each, and asking each for what it measures.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, join_all};
use loghost_board::Measuring;
use loghost_core::application::{Control, Request, RequestError, RunControl};
use loghost_core::domain::ConsumerName;
use loghost_wasm::WasmConsumer;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How many requests wait for one consumer, which may be in a long call of its plugin.
const WAITING: usize = 16;

/// The consumers of a run, as they are told what to do.
pub(crate) struct Controls {
    consumers: Mutex<BTreeMap<ConsumerName, Sender<Control<WasmConsumer>>>>,
    reloads: Sender<ConsumerName>,
}

impl Controls {
    /// Of no consumers yet; and whose plugins are to be loaded again.
    pub(crate) fn new() -> (Arc<Self>, Receiver<ConsumerName>) {
        let (reloads, requests) = mpsc::channel(WAITING);
        (Arc::new(Self { consumers: Mutex::default(), reloads }), requests)
    }

    /// Adds a consumer: where it is told from, and by whom else.
    pub(crate) fn add(
        &self,
        name: ConsumerName,
    ) -> (Receiver<Control<WasmConsumer>>, Sender<Control<WasmConsumer>>) {
        let (control, controls) = mpsc::channel(WAITING);
        let mut consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        consumers.insert(name, control.clone());
        (controls, control)
    }

    /// Forgets a consumer that runs no longer.
    pub(crate) fn forget(&self, name: &ConsumerName) {
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

impl RunControl for Controls {
    fn request(&self, name: &ConsumerName, request: Request) -> Result<(), RequestError> {
        let consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        let control = consumers.get(name).ok_or(RequestError::Unknown)?;
        let refused = match request {
            Request::Pause => control.try_send(Control::Pause).err().map(|error| reason(&error)),
            Request::Resume => control.try_send(Control::Resume).err().map(|error| reason(&error)),
            Request::Reload if control.is_closed() => Some(RequestError::Ended),
            Request::Reload => self.reloads.try_send(name.clone()).err().map(|error| reason(&error)),
        };
        refused.map_or(Ok(()), Err)
    }
}

impl Measuring for Controls {
    fn measure(&self, names: Vec<ConsumerName>, within: Duration) -> BoxFuture<'_, ()> {
        let asked: Vec<oneshot::Receiver<()>> = {
            let consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
            let controls = names.iter().filter_map(|name| consumers.get(name));
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
