//! Spans, made of events: of a log that a consumer was shown, and of a log that was published.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::event::ExportEvent;
use crate::proto::KeyValue;
use crate::proto::trace::{CONSUMER, ERROR, Link, PRODUCER, Span, Status};
use crate::waiting::WaitingSpans;
use loghost_board::Exports;
use loghost_core::application::{ConsumerEvent, Event, Observer, ProcessSpan, PublisherEvent, Traced};
use loghost_core::domain::{ConsumerName, Log, TraceContext};

/// Makes spans, which go to the collector; an observer of a run, and of what is published.
pub struct Spans {
    waiting: Arc<WaitingSpans>,
    exports: Arc<Exports>,
    /// Is told when spans are dropped for the first time.
    observer: Arc<dyn Observer>,
    /// When logs began to be published that are not answered, by the ids of their spans.
    published: Mutex<HashMap<[u8; 8], Instant>>,
}

/// The most characters of a reason.
const MOST_REASON: usize = 1000;

/// How a span is marked whose parent is known to be elsewhere: `SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK` and
/// `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK`.
const REMOTE: u32 = 0x300;

impl Spans {
    pub(crate) fn new(
        waiting: Arc<WaitingSpans>,
        exports: Arc<Exports>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self { waiting, exports, observer, published: Mutex::default() }
    }

    /// Notes that a log is published from now on that begins this trace: its span ends when the log is answered.
    pub fn begin(&self, context: &TraceContext) {
        if context.is_sampled() {
            let mut all = self.published.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(context.span_id(), Instant::now());
        }
    }

    /// Sends what `span` makes, if there is room.
    fn send(&self, span: impl FnOnce() -> Span) {
        let waiting = || {
            self.exports.waits();
            span()
        };
        if !self.waiting.add(waiting) && self.exports.no_room() == 0 {
            self.observer.observe(&Event::Adapter(None, &ExportEvent::SpansDropped));
        }
    }

    fn has_published(&self, log: &Log, refused: Option<&str>) {
        let Some(context) = log.traced() else { return };
        let begun = {
            let mut all = self.published.lock().unwrap_or_else(PoisonError::into_inner);
            all.remove(&context.span_id())
        };
        // A consumer may have published it, whose span is another.
        let Some(since) = begun else { return };
        self.send(|| publish_span(&context, log, since, refused));
    }
}

impl Observer for Spans {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Consumer(consumer, ConsumerEvent::Traced(span)) => {
                self.send(|| process_span(consumer, span));
            }
            Event::Publisher(_, PublisherEvent::Confirmed(log)) => self.has_published(log, None),
            Event::Publisher(_, PublisherEvent::GivenUp(_, log, why)) => self.has_published(log, Some(why)),
            _ => {}
        }
    }
}

fn process_span(consumer: &ConsumerName, span: &ProcessSpan<'_>) -> Span {
    let ProcessSpan { context, parent, severity, attempt, outcome, began, took, logs, links } = span;
    let (start, end) = times(*began, *took);
    let mut attributes = vec![
        KeyValue::text("messaging.system", "rabbitmq"),
        KeyValue::text("messaging.operation.name", "process"),
        KeyValue::text("messaging.operation.type", "process"),
        KeyValue::text("messaging.consumer.group.name", consumer.as_str()),
        KeyValue::text("loghost.consumer", consumer.as_str()),
        KeyValue::text("loghost.severity", severity.as_str()),
        KeyValue::text("loghost.outcome", name(*outcome)),
    ];
    if *logs > 1 {
        attributes.push(KeyValue::whole("messaging.batch.message_count", *logs));
    }
    if *attempt > 1 {
        attributes.push(KeyValue::whole("loghost.attempt", usize::try_from(*attempt).unwrap_or(usize::MAX)));
    }
    let status = match outcome {
        Traced::Accepted | Traced::Skipped | Traced::Retried(_) => None,
        Traced::GivenUp(_, reason) => Some(failed(reason)),
    };
    if let Traced::Retried(reason) = outcome {
        attributes.push(KeyValue::text("loghost.reason", beginning(reason)));
    }
    let link = |context: &TraceContext| Link {
        trace_id: context.trace_id().into(),
        span_id: context.span_id().into(),
        trace_state: context.state().to_owned(),
        flags: context.flags().into(),
    };
    Span {
        parent_id: parent.span_id().into(),
        name: format!("process {consumer}"),
        kind: CONSUMER,
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        attributes,
        links: links.iter().map(link).collect(),
        status,
        flags: u32::from(context.flags()) | REMOTE,
        ..of(context)
    }
}

fn publish_span(context: &TraceContext, log: &Log, since: Instant, refused: Option<&str>) -> Span {
    let (start, end) = times(since, since.elapsed());
    let mut attributes = vec![
        KeyValue::text("messaging.system", "rabbitmq"),
        KeyValue::text("messaging.operation.name", "publish"),
        KeyValue::text("messaging.operation.type", "send"),
        KeyValue::text("loghost.severity", log.severity.as_str()),
    ];
    if let Some(source) = &log.source {
        attributes.push(KeyValue::text("messaging.rabbitmq.destination.routing_key", source.as_str()));
    }
    Span {
        name: format!("publish {}", log.severity),
        kind: PRODUCER,
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        attributes,
        status: refused.map(failed),
        flags: context.flags().into(),
        ..of(context)
    }
}

/// A span with nothing but where it belongs.
fn of(context: &TraceContext) -> Span {
    Span {
        trace_id: context.trace_id().into(),
        id: context.span_id().into(),
        trace_state: context.state().to_owned(),
        ..Span::default()
    }
}

fn failed(reason: &str) -> Status {
    Status { message: beginning(reason), code: ERROR }
}

fn beginning(text: &str) -> String {
    text.chars().take(MOST_REASON).collect()
}

fn name(outcome: Traced<'_>) -> &'static str {
    match outcome {
        Traced::Accepted => "accepted",
        Traced::Skipped => "skipped",
        Traced::Retried(_) => "retried",
        Traced::GivenUp(cause, _) => cause.as_str(),
    }
}

/// When something began and ended, in nanoseconds since the Unix epoch.
fn times(began: Instant, took: Duration) -> (u64, u64) {
    let start = SystemTime::now().checked_sub(began.elapsed()).unwrap_or(UNIX_EPOCH);
    (nanos(start), nanos(start + took))
}

/// A time in nanoseconds since the Unix epoch.
pub(crate) fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
