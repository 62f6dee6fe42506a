//! Where a run keeps its counts: in a folder, or as long as it lasts.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use loghost_core::application::{BoxError, Consumer, Event, Observer, OwnState, RunEvent};

use crate::compose::consumer_options::Positions;
use crate::compose::failure::{Failure, Status};
use loghost_rabbitmq::{Binding, RecordBindings};
pub(crate) use loghost_store::state::StateLedger;
use loghost_store::state::{Settings, StateError, StateFolder};
use loghost_wasm::WasmConsumer;

/// Opens the state in `folder`, if one is named. Tells if it is a new one.
pub(crate) fn open(folder: Option<&Path>, observer: &dyn Observer) -> Result<Option<StateFolder>, Failure> {
    let Some(folder) = folder else { return Ok(None) };
    let is_new = StateFolder::is_missing(folder);
    let state = StateFolder::open(folder).map_err(unusable)?;
    if is_new {
        observer.observe(&Event::Run(RunEvent::StateBegins(folder)));
    }
    Ok(Some(state))
}

/// The ledger of `consumer`, which takes from `queue`. Tells if the consumer begins anew, or if what is in it was kept with
/// other settings.
pub(crate) async fn ledger(
    state: Option<&StateFolder>,
    consumer: &WasmConsumer,
    queue: &str,
    positions: Positions,
    observer: &dyn Observer,
) -> Result<StateLedger, Failure> {
    let Some(state) = state else { return Ok(StateLedger::Volatile) };
    let name = &consumer.descriptor().name;
    let mut ledger = state.ledger(name, queue, Settings::of(consumer.settings()));
    match positions {
        Positions::GoOn => {}
        Positions::Refuse if !ledger.has_position().await.map_err(unusable)? => {}
        Positions::Refuse => {
            let text = "what --state has of it goes on from its position in the streams: leave out --from; or give \
                        --restart as well, and it begins there with counts of zero";
            return Err(Failure::new(Status::Usage, text).of_consumer(name.clone()));
        }
        Positions::Discard => {
            let former = ledger.restart().await.map_err(unusable)?.total();
            observer.observe(&Event::Run(RunEvent::Restarted(name, former)));
            return Ok(ledger);
        }
    }
    let changed = ledger.changed_settings().await.map_err(unusable)?;
    if !changed.is_empty() {
        let own = if consumer.keeps_state() { OwnState::Checkpoint } else { OwnState::None };
        observer.observe(&Event::Run(RunEvent::SettingsChanged(name, &changed, own)));
    }
    Ok(ledger)
}

/// Keeps in a state what queues are bound to.
#[derive(Debug)]
pub(crate) struct BindingsOfState(pub(crate) Arc<StateFolder>);

impl RecordBindings for BindingsOfState {
    fn load<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<BTreeSet<Binding>, BoxError>> {
        let loading = self.0.bindings(queue);
        async {
            let recorded = loading.await.map_err(BoxError::from)?;
            Ok(recorded.into_iter().map(|(exchange, key)| Binding { exchange, key }).collect())
        }
        .boxed()
    }

    fn record<'a>(
        &'a self,
        queue: &'a str,
        bindings: BTreeSet<Binding>,
    ) -> BoxFuture<'a, Result<(), BoxError>> {
        let bindings = bindings.into_iter().map(|Binding { exchange, key }| (exchange, key));
        let keeping = self.0.keep_bindings(queue, bindings.collect());
        async { keeping.await.map_err(BoxError::from) }.boxed()
    }
}

/// What it means that a state cannot be used.
pub(crate) fn unusable(error: StateError) -> Failure {
    let status = match error {
        StateError::Io { .. } | StateError::Displaced(_) => Status::Io,
        StateError::Thread(_) => Status::System,
        StateError::Closed => Status::Internal,
        _ => Status::BadInput,
    };
    Failure::of(status, error)
}
