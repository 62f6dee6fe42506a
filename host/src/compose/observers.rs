//! Several who are told what happens.

use std::sync::Arc;

use loghost_core::application::{Event, Observer};

/// Tells each of them, in this order.
pub(crate) struct Observers(pub(crate) Vec<Arc<dyn Observer>>);

impl Observer for Observers {
    fn observe(&self, event: &Event<'_>) {
        self.0.iter().for_each(|observer| observer.observe(event));
    }
}
