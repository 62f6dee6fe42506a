//! How sending metrics and traces to a collector goes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What was sent to a collector, and what was not: counted by whoever sends.
#[derive(Debug, Default)]
pub struct Exports {
    has_begun: AtomicBool,
    spans_exported: AtomicU64,
    spans_dropped: AtomicU64,
    metrics_failed: AtomicU64,
    traces_failed: AtomicU64,
}

/// What was sent until now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Spans that the collector has taken.
    pub spans_exported: u64,
    /// Spans that were dropped: the collector was slower than they came, or refused them.
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

    /// The collector has taken so many spans.
    pub fn exported(&self, spans: usize) {
        self.spans_exported.fetch_add(spans as u64, Ordering::Relaxed);
    }

    /// So many spans were dropped; returns how many were before.
    pub fn dropped(&self, spans: usize) -> u64 {
        self.spans_dropped.fetch_add(spans as u64, Ordering::Relaxed)
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
    pub fn figures(&self) -> Option<Figures> {
        self.has_begun.load(Ordering::Relaxed).then(|| Figures {
            spans_exported: self.spans_exported.load(Ordering::Relaxed),
            spans_dropped: self.spans_dropped.load(Ordering::Relaxed),
            metrics_failed: self.metrics_failed.load(Ordering::Relaxed),
            traces_failed: self.traces_failed.load(Ordering::Relaxed),
        })
    }
}
