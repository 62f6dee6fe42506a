//! How sending metrics and traces to a collector goes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What was sent to a collector, and what was not: counted by whoever sends.
#[derive(Debug, Default)]
pub struct Exports {
    has_begun: AtomicBool,
    spans_waiting: AtomicU64,
    spans_exported: AtomicU64,
    spans_dropped: AtomicU64,
    metrics_failed: AtomicU64,
    traces_failed: AtomicU64,
}

/// What was sent until now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportFigures {
    /// Spans that the collector has taken.
    pub spans_exported: u64,
    /// Spans that were dropped: the collector was slower than they came, or refused them, or they were left at the end.
    pub spans_dropped: u64,
    /// Attempts to send metrics that failed.
    pub metrics_failed: u64,
    /// Attempts to send spans that failed.
    pub traces_failed: u64,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Metrics.
    Metrics,
    /// Traces.
    Traces,
}

impl Exports {
    /// Something is sent from now on.
    pub fn begin(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// A span waits from now on to be sent.
    pub fn waits(&self) {
        self.spans_waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// There is no room for a span that would wait; returns how many were dropped before.
    pub fn no_room(&self) -> u64 {
        self.spans_dropped.fetch_add(1, Ordering::Relaxed)
    }

    /// Spans that waited were sent: the collector has taken so many, and so many it has not.
    pub fn sent(&self, taken: u64, refused: u64) {
        self.spans_waiting.fetch_sub(taken + refused, Ordering::Relaxed);
        self.spans_exported.fetch_add(taken, Ordering::Relaxed);
        self.spans_dropped.fetch_add(refused, Ordering::Relaxed);
    }

    /// Nothing is sent any more: what waits is dropped.
    pub fn end(&self) {
        let left = self.spans_waiting.swap(0, Ordering::Relaxed);
        self.spans_dropped.fetch_add(left, Ordering::Relaxed);
    }

    /// An attempt to send has failed.
    pub fn failed(&self, signal: Signal) {
        let failed = match signal {
            Signal::Metrics => &self.metrics_failed,
            Signal::Traces => &self.traces_failed,
        };
        failed.fetch_add(1, Ordering::Relaxed);
    }

    /// What was sent until now; none where nothing is to be sent.
    pub fn figures(&self) -> Option<ExportFigures> {
        self.has_begun.load(Ordering::Relaxed).then(|| ExportFigures {
            spans_exported: self.spans_exported.load(Ordering::Relaxed),
            spans_dropped: self.spans_dropped.load(Ordering::Relaxed),
            metrics_failed: self.metrics_failed.load(Ordering::Relaxed),
            traces_failed: self.traces_failed.load(Ordering::Relaxed),
        })
    }
}
