//! Who is told what happens in a run, and shows it.

use std::sync::Arc;

use loghost_board::Board;
use loghost_core::application::Observer;
use loghost_rabbitmq::Lifetime;
use tokio::sync::watch;

use super::options::{Detail, Display, Options};
use crate::compose::consumer_builder::ConsumerBuilder;
use crate::compose::depths::BrokerDepths;
use crate::compose::observers::Observers;
use crate::compose::running::control::Controls;
use crate::compose::running::idle::{Activity, ActivityObserver};
use crate::compose::running::listen::Listening;
use crate::compose::running::measure_kinds::MeasureKindsObserver;
use crate::compose::running::service::Service;
use crate::compose::running::telemetry::Telemetry;
use crate::ui::events::Queues;
use crate::ui::events::command::{HostEvent, tell};
use crate::ui::terminal::{DetailObserver, LogObserver};
use crate::ui::view::{View, ViewSubject};

/// Who is told what happens in a run.
pub(super) fn observer(
    options: &Options,
    active: &watch::Sender<Activity>,
    service: &Arc<Service>,
    (board, listening, telemetry): (&Arc<Board>, Option<&Listening>, Option<&Telemetry>),
) -> Arc<dyn Observer> {
    let queues = match options.consumer.lifetime {
        Lifetime::Named => Queues::Named,
        Lifetime::Exclusive => Queues::Copies,
    };
    let mut observers: Vec<Arc<dyn Observer>> = vec![
        Arc::new(ActivityObserver(active.clone())),
        Arc::new(LogObserver { queues }),
        Arc::clone(service) as _,
    ];
    if options.detail == Detail::All {
        observers.push(Arc::new(DetailObserver));
    }
    let sends_metrics = options.telemetry.as_ref().is_some_and(|options| options.metrics.is_some());
    let shows_figures = listening.is_some() || options.display == Display::Screen || sends_metrics;
    if shows_figures {
        observers.push(Arc::clone(board) as _);
    }
    observers.extend(telemetry.and_then(Telemetry::observer));
    observers.extend(listening.map(|listening| listening.observer(queues)));
    let observers = Arc::new(Observers(observers));
    if shows_figures {
        let kinds = MeasureKindsObserver::new(Arc::clone(&observers) as _);
        return Arc::new(Observers(vec![observers, Arc::new(kinds)]));
    }
    observers
}

/// Has the broker asked how much waits for the consumers, if their queues can be named.
pub(super) fn ask_depths(options: &Options, board: &Board, builder: &ConsumerBuilder) {
    if options.consumer.lifetime == Lifetime::Named {
        // A run has one broker.
        let _ = board.ask_depths(Box::new(BrokerDepths::new(builder)));
    }
}

/// Shows the run on the screen, if that is wanted and possible.
pub(super) fn view(
    options: &Options,
    board: &Arc<Board>,
    control: &Arc<Controls>,
    observer: &Arc<dyn Observer>,
) -> Option<View> {
    if options.display == Display::Lines {
        return None;
    }
    let (board, control) = (Arc::clone(board), Arc::clone(control) as _);
    let view = View::start(ViewSubject { board, control }, Arc::clone(observer));
    view.inspect_err(|error| tell(&**observer, HostEvent::NoView(error.to_string()))).ok()
}
