//! Starting the consumers of a run: at its beginning, and while it goes on.

use std::sync::Arc;
use std::time::Duration;

use loghost_board::Board;
use loghost_core::application::{
    Consumer, Control, Event, Finished, Observer, Opening, RunEvent, SystemClock,
};
use loghost_core::domain::{ConsumerName, Descriptor};
use loghost_wasm::WasmConsumer;
use tokio::sync::{mpsc, watch};

use crate::compose::consumer_builder::{ConsumerAdapters, ConsumerBuilder, HostConsumer};
use crate::compose::consumer_options::ConsumerOptions;
use crate::compose::failure::Failure;
use crate::compose::running::control::Controls;
use crate::compose::running::idle::{Activity, Expected, RunDepths};
use crate::compose::running::service::Service;
use crate::compose::running::supervise::not_opened;
use crate::ui::terminal::{OutputFormat, TerminalReporter};

/// What it takes to start a consumer of a run.
pub(crate) struct Starter {
    pub(crate) builder: ConsumerBuilder,
    pub(crate) format: OutputFormat,
    pub(crate) active: watch::Sender<Activity>,
    pub(crate) observer: Arc<dyn Observer>,
    /// How many logs wait for each.
    pub(crate) depths: RunDepths,
    /// What is known of each.
    pub(crate) board: Arc<Board>,
    /// How each is told what to do.
    pub(crate) controls: Arc<Controls>,
    /// Who tells whoever manages the run as a service what consumers do.
    pub(crate) service: Arc<Service>,
    /// Whether all consumers are to stop.
    pub(crate) stopped: watch::Receiver<bool>,
}

/// A consumer that is to be started.
pub(crate) struct Start {
    pub(crate) consumer: WasmConsumer,
    pub(crate) options: ConsumerOptions,
    /// Where it is told from what to do.
    pub(crate) controls: mpsc::Receiver<Control<WasmConsumer>>,
    /// Whether it begins paused.
    pub(crate) is_paused: bool,
    /// Whether it alone is to stop. Whoever waits until nobody listens to that waits for its end.
    pub(crate) stopped: watch::Receiver<bool>,
}

/// A consumer whose source is open, or will be.
pub(crate) struct OpenedConsumer {
    pub(crate) descriptor: Descriptor,
    pub(crate) opening: Opening,
    consume: HostConsumer<Expected>,
    /// How long a call of it may take.
    call_limit: Duration,
    service: Arc<Service>,
    stopped: watch::Receiver<bool>,
    all_stopped: watch::Receiver<bool>,
}

impl Starter {
    /// Builds a consumer, and opens its source; one whose queue cannot be had yet opens it later. From now on it is expected to
    /// have something to do.
    pub(crate) fn open(
        &self,
        start: Start,
    ) -> impl Future<Output = Result<OpenedConsumer, Failure>> + Send + '_ {
        let Start { consumer, options, controls, is_paused, stopped } = start;
        let (descriptor, call_limit) = (consumer.descriptor().clone(), consumer.call_limit());
        let reporter =
            Expected::new(TerminalReporter(self.format), descriptor.name.clone(), self.active.clone());
        async move {
            let builder = self.builder.with(options);
            let source_factory = builder.source_factory(SystemClock);
            self.depths.put(descriptor.name.clone(), source_factory.depth());
            let (clock, observer) = (SystemClock, Arc::clone(&self.observer));
            let controls = Some(controls);
            let own = ConsumerAdapters { consumer, source_factory, clock, reporter, observer, controls };
            let mut consume = builder.build(own).await?;
            if is_paused {
                consume = consume.paused();
            }
            let opening = Box::pin(consume.open()).await.map_err(|end| not_opened(&descriptor.name, &end))?;
            let (service, all_stopped) = (Arc::clone(&self.service), self.stopped.clone());
            Ok(OpenedConsumer { descriptor, opening, consume, call_limit, service, stopped, all_stopped })
        }
    }

    /// Tells what happens in the run.
    pub(crate) fn tell(&self, event: RunEvent<'_>) {
        self.observer.observe(&Event::Run(event));
    }

    /// Forgets a consumer that runs no longer and was told by this `control` what to do, unless there is another one of its
    /// name.
    pub(crate) fn forget(&self, name: &ConsumerName, control: &mpsc::Sender<Control<WasmConsumer>>) {
        self.controls.forget(name, control, || {
            self.depths.remove(name);
            self.board.forget(name);
            self.active.send_modify(|activity| activity.forget(name));
        });
    }
}

impl OpenedConsumer {
    /// Runs it until it, or all of them, are stopped.
    pub(crate) async fn run(self) -> Finished {
        let Self { descriptor, consume, call_limit, service, stopped, all_stopped, .. } = self;
        // It has ended when nobody listens any more.
        let listening = stopped.clone();
        let running = Box::pin(consume.run(either(stopped, all_stopped)));
        let finished = service.watched(&descriptor.name, call_limit, running).await;
        drop(listening);
        finished
    }
}

/// Is ready when one of them says so, or nobody is there who could: the host has gone, which is a reason to stop as well.
async fn either(mut one: watch::Receiver<bool>, mut other: watch::Receiver<bool>) {
    tokio::select! {
        _ = one.wait_for(|stop| *stop) => {}
        _ = other.wait_for(|stop| *stop) => {}
    }
}
