//! Logs that are processed together.

use std::iter;

use super::window::{Handle, Task};
use crate::domain::Record;

/// Logs that are processed together; apart, because the consumer is shown the records in one piece.
#[derive(Debug, Default)]
pub(in crate::application) struct Batch {
    handles: Vec<Handle>,
    records: Vec<Record>,
}

impl Batch {
    pub(in crate::application) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    #[inline]
    pub(in crate::application) fn push(&mut self, handle: Handle, record: Record) {
        self.handles.push(handle);
        self.records.push(record);
    }

    /// In parts of at most `most` logs, in their order.
    pub(super) fn into_parts(self, most: usize) -> impl Iterator<Item = Self> {
        let mut rest = Some(self).filter(|batch| !batch.is_empty());
        let (mut handles, mut records) = (Vec::new().into_iter(), Vec::new().into_iter());
        iter::from_fn(move || {
            // As a rule it is one part, which is not touched.
            if let Some(batch) = rest.take() {
                if batch.records.len() <= most {
                    return Some(batch);
                }
                (handles, records) = (batch.handles.into_iter(), batch.records.into_iter());
            }
            let handles: Vec<Handle> = handles.by_ref().take(most).collect();
            let records = records.by_ref().take(most).collect();
            (!handles.is_empty()).then_some(Self { handles, records })
        })
    }

    /// The records, in one piece.
    pub(in crate::application) fn records(&self) -> &[Record] {
        &self.records
    }

    /// What the logs are known by, and their records.
    pub(in crate::application) fn logs(&self) -> impl Iterator<Item = (Handle, &Record)> {
        self.handles.iter().copied().zip(&self.records)
    }

    pub(in crate::application) fn split_off(&mut self, at: usize) -> Self {
        Self { handles: self.handles.split_off(at), records: self.records.split_off(at) }
    }
}

impl Extend<Task> for Batch {
    fn extend<T: IntoIterator<Item = Task>>(&mut self, tasks: T) {
        tasks.into_iter().for_each(|Task { handle, record }| self.push(handle, record));
    }
}
