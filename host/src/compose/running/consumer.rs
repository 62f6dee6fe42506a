//! A consumer of the run, as long as it can be told what to do.

use std::sync::Arc;

use loghost_core::application::{ConsumerEvent, Control, Event, ReloadRefusal, RunEvent};
use loghost_wasm::WasmConsumer;
use tokio::sync::{mpsc, watch};

use crate::compose::running::control::{ControlChannel, Controls};
use crate::compose::running::member::Member;
use crate::compose::running::starter::{Start, Starter};

/// A consumer of the run.
pub(crate) struct Running {
    pub(crate) member: Member,
    /// Where it is told from what to do.
    pub(crate) control: mpsc::Sender<Control<WasmConsumer>>,
    /// Stops it. Nobody listens when it has ended.
    pub(crate) stop: watch::Sender<bool>,
}

impl Running {
    /// One of the run from now on, which is to be started.
    pub(crate) fn new(member: Member, consumer: WasmConsumer, all: &Controls) -> (Self, Start) {
        let (control, stop) = (mpsc::channel(1).0, watch::channel(false).0);
        let mut running = Self { member, control, stop };
        let start = running.begin(consumer, all);
        (running, start)
    }

    /// Whether it has ended, or could not begin.
    pub(crate) fn has_ended(&self) -> bool {
        self.stop.is_closed()
    }

    /// Begins it, or begins it again when it has ended.
    pub(crate) fn begin(&mut self, consumer: WasmConsumer, all: &Controls) -> Start {
        let options = self.member.options.clone();
        let ControlChannel { controls, control, is_paused } = all.add(self.member.name().clone());
        let (stop, stopped) = watch::channel(false);
        (self.control, self.stop) = (control, stop);
        Start { consumer, options, controls, is_paused, stopped }
    }

    /// Tells that it goes on as it is, and why.
    pub(crate) fn refused(&self, starter: &Starter, why: ReloadRefusal<'_>) {
        let event = ConsumerEvent::ReloadRefused(why);
        starter.observer.observe(&Event::Consumer(self.member.name(), event));
    }
}

/// Stops a consumer that is not in the configuration any more.
pub(crate) fn remove(Running { member, control, stop }: Running, starter: Arc<Starter>) {
    starter.tell(RunEvent::Removed(member.name()));
    stop.send_replace(true);
    tokio::spawn(async move {
        stop.closed().await;
        starter.forget(member.name(), &control);
    });
}
