//! Sending metrics and traces of a command to a collector of `OpenTelemetry`.

use std::sync::Arc;

use loghost_board::{Board, Measuring};
use loghost_core::application::{Event, Observer, RunEvent};
use loghost_core::domain::{Log, Sampler, Tracing};
use loghost_otlp::{Exporter, Exports, Options, Spans};
use uuid::Uuid;

/// What a command sends.
pub(crate) struct Telemetry {
    exporter: Exporter,
    sampler: Sampler,
}

impl Telemetry {
    /// Begins to send what the `options` ask for, and tells the `observer` so: the figures of the board and what plugins measure, and the spans
    /// of events.
    pub(crate) fn start(
        options: Options,
        board: Arc<Board>,
        measuring: Arc<dyn Measuring>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let named = [("metrics", &options.metrics), ("traces", &options.traces)];
        let signals: Vec<(&str, String)> = named
            .into_iter()
            .filter_map(|(signal, endpoint)| Some((signal, endpoint.as_ref()?.address())))
            .collect();
        observer.observe(&Event::Run(RunEvent::Exporting(&signals)));
        let sampler = options.sampler;
        let exports = Exports {
            board,
            measuring,
            observer,
            version: env!("CARGO_PKG_VERSION"),
            instance: Uuid::new_v4().to_string(),
        };
        Self { exporter: Exporter::start(options, exports), sampler }
    }

    /// Who makes spans of events, if traces are sent.
    pub(crate) fn spans(&self) -> Option<Arc<Spans>> {
        self.exporter.spans()
    }

    /// The same, to be told what happens.
    pub(crate) fn observer(&self) -> Option<Arc<dyn Observer>> {
        self.spans().map(|spans| spans as _)
    }

    /// Who continues traces, if they are sent.
    pub(crate) fn tracing(&self) -> Option<Tracing> {
        self.spans().map(|_| tracing(self.sampler))
    }

    /// Sends what there is, and ends.
    pub(crate) async fn end(self) {
        self.exporter.end().await;
    }
}

/// Begins and continues traces, with ids that nobody else has.
pub(crate) fn tracing(sampler: Sampler) -> Tracing {
    Tracing::new(sampler, Uuid::new_v4().as_u64_pair().0)
}

/// Begins a trace with each log that is published.
pub(crate) struct NewTraces {
    tracing: Tracing,
    spans: Option<Arc<Spans>>,
}

impl NewTraces {
    /// Those that `telemetry` sends; without it, they are for whoever looks at the logs.
    pub(crate) fn new(telemetry: Option<&Telemetry>) -> Self {
        let sampler = telemetry.map_or(Sampler::parent_or_ratio(1.0), |telemetry| telemetry.sampler);
        Self { tracing: tracing(sampler), spans: telemetry.and_then(Telemetry::spans) }
    }

    /// Begins those of logs that are published now and belong to none yet.
    pub(crate) fn begin(&self, logs: &mut [Log]) {
        for log in logs {
            let context = self.tracing.begin();
            log.trace(&context);
            if let Some(spans) = &self.spans
                && log.traced().as_ref() == Some(&context)
            {
                spans.begin(&context);
            }
        }
    }
}
