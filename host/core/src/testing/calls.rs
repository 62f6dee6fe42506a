//! What the fakes record.

use std::sync::{Arc, Mutex};

/// The calls that the fakes which share it were given, in order; or nothing, as benchmarks need.
#[derive(Clone, Debug, Default)]
pub struct Calls(Option<Arc<Mutex<Vec<String>>>>);

impl Calls {
    /// Records every call.
    pub fn recorded() -> Self {
        Self(Some(Arc::default()))
    }

    /// Records one, if any are.
    ///
    /// # Panics
    /// If another thread panicked while it did so.
    pub fn record<C: Into<String>>(&self, call: impl FnOnce() -> C) {
        if let Some(calls) = &self.0 {
            calls.lock().expect("no panic").push(call().into());
        }
    }

    /// The calls so far.
    ///
    /// # Panics
    /// If another thread panicked while it recorded one.
    pub fn lines(&self) -> Vec<String> {
        self.0.as_ref().map_or(Vec::new(), |calls| calls.lock().expect("no panic").clone())
    }
}
