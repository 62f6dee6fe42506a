//! What `tracing` calls for each span and event.

use std::cell::Cell;
use std::sync::Arc;

use loghost_core::application::{Clock, SystemClock};
use loghost_core::domain::Source;
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, Scope};

use crate::fields::{Fields, log};
use crate::queue::Queue;

/// The layer, which hands events over to be published.
#[derive(Clone)]
pub struct LogLayer {
    queue: Arc<Queue>,
    source: Source,
}

/// The crates that logs are published with.
const PUBLISHING: [&str; 8] = [
    "lapin",
    "amq_protocol",
    "async_rs",
    "loghost_core",
    "loghost_rabbitmq",
    "loghost_tracing",
    "rustls",
    "tokio_rustls",
];

thread_local! {
    /// Whether this thread publishes.
    static PUBLISHES: Cell<bool> = const { Cell::new(false) };
}

/// Marks this thread as the one that publishes: what is logged on it is not published.
pub(crate) fn mark_thread() {
    PUBLISHES.set(true);
}

impl LogLayer {
    pub(crate) fn new(queue: Arc<Queue>, source: Source) -> Self {
        Self { queue, source }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().replace(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let root = event.metadata().target().split("::").next().unwrap_or_default();
        if PUBLISHES.get() || PUBLISHING.contains(&root) {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let scope: Vec<_> = context.event_scope(event).into_iter().flat_map(Scope::from_root).collect();
        let extensions: Vec<_> = scope.iter().map(|span| (span.name(), span.extensions())).collect();
        let none = Fields::default();
        let spans =
            extensions.iter().map(|(name, extensions)| (*name, extensions.get::<Fields>().unwrap_or(&none)));
        self.queue.push(log(event.metadata(), fields, spans, &self.source, SystemClock.now()));
    }
}
