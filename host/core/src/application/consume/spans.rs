//! The spans of one call of the consumer: one for each log in it that comes with the context of a trace that is recorded.
//!
//! A log that the consumer publishes continues the trace of the log that it was shown. Where it was shown several together,
//! nobody knows which of them it is because of: then it continues the first trace, whose span has links to the others.

use std::time::Duration;

use tokio::time::Instant;

use super::progress::Progress;
use crate::application::ports::{ConsumerEvent, ProcessSpan, Reporter, Traced};
use crate::domain::{Log, Record, Severity, TraceContext, Tracing};

/// The spans of one call.
#[derive(Debug)]
pub(super) struct Spans {
    began: Instant,
    took: Duration,
    /// How many logs there were.
    logs: usize,
    /// Those that have a span, which is in `contexts`.
    traced: Vec<TracedLog>,
    contexts: Vec<TraceContext>,
    /// The context that goes on where no span is recorded.
    unrecorded: TraceContext,
    has_published: bool,
}

/// A log that has a span.
#[derive(Debug)]
struct TracedLog {
    /// Where it is among those that the consumer was shown.
    index: usize,
    parent: TraceContext,
    severity: Severity,
    attempt: u32,
}

/// The most links of a span, as a collector takes them.
const MOST_LINKS: usize = 128;

impl Spans {
    /// Those of a call with these records that has begun then and ends now; none if nothing is traced.
    pub(super) fn of(tracing: Option<&Tracing>, records: &[Record], began: Instant) -> Option<Self> {
        let tracing = tracing?;
        let unrecorded = records.iter().find_map(|record| record.trace.as_deref()).cloned()?;
        let span = |(index, record): (usize, &Record)| {
            let parent = record.trace.as_deref()?;
            let context = tracing.continued(parent)?;
            Some((
                TracedLog {
                    index,
                    parent: parent.clone(),
                    severity: record.severity,
                    attempt: record.attempt,
                },
                context,
            ))
        };
        let (traced, contexts) = records.iter().enumerate().filter_map(span).unzip();
        let (took, logs) = (began.elapsed(), records.len());
        Some(Self { began, took, logs, traced, contexts, unrecorded, has_published: false })
    }

    /// Has the trace go on in these logs, unless they say themselves which they belong to.
    pub(super) fn carry_on(&mut self, published: &mut [Log]) {
        let context = self.contexts.first().unwrap_or(&self.unrecorded);
        for log in &mut *published {
            log.trace(context);
        }
        self.has_published = !published.is_empty();
    }

    /// Tells that all of them come again, as not all that was published because of them is confirmed. What is confirmed of that
    /// has these spans above it.
    pub(super) fn tell_unpublished<R: Reporter>(&self, progress: &Progress<R>) {
        for TracedLog { index, .. } in &self.traced {
            self.tell(progress, *index, Traced::Retried("not all that it publishes was confirmed"));
        }
    }

    /// Tells what has become of the log with this index, if it has a span.
    pub(super) fn tell<R: Reporter>(&self, progress: &Progress<R>, index: usize, outcome: Traced<'_>) {
        let Ok(at) = self.traced.binary_search_by_key(&index, |traced| traced.index) else { return };
        let TracedLog { parent, severity, attempt, .. } = &self.traced[at];
        let others = if at == 0 && self.has_published { self.contexts.get(1..) } else { None };
        let links = others.unwrap_or_default();
        progress.tell(ConsumerEvent::Traced(ProcessSpan {
            context: &self.contexts[at],
            parent,
            severity: *severity,
            attempt: *attempt,
            outcome,
            began: self.began.into_std(),
            took: self.took,
            logs: self.logs,
            links: &links[..links.len().min(MOST_LINKS)],
        }));
    }
}
