//! What the operator is told beside events.

use loghost_core::application::Level;

/// A line for the operator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notice<'a> {
    /// How much it matters.
    pub(crate) level: Level,
    /// The name of the consumer that it is about, if it is about one.
    pub(crate) consumer: Option<&'a str>,
    /// What is said.
    pub(crate) text: &'a str,
}

impl<'a> Notice<'a> {
    /// A notice that is about no consumer.
    pub(crate) fn new(level: Level, text: &'a str) -> Self {
        Self { level, consumer: None, text }
    }

    /// That something is as it should be.
    pub(crate) fn info(text: &'a str) -> Self {
        Self::new(Level::Info, text)
    }

    /// That something is not, and may pass or cost something.
    pub(crate) fn warning(text: &'a str) -> Self {
        Self::new(Level::Warning, text)
    }

    /// The same, about a consumer.
    pub(crate) fn of(self, consumer: &'a str) -> Self {
        Self { consumer: Some(consumer), ..self }
    }
}
