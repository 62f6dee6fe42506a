//! What the operator is told while something runs.

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For whoever looks for a fault.
    Debug,
    /// All is as it should be.
    Info,
    /// Something is not, and may pass or cost something.
    Warning,
    /// Something has ended, or does not pass by itself.
    Error,
}

/// A line for the operator.
#[derive(Clone, Copy, Debug)]
pub struct Notice<'a> {
    /// How much it matters.
    pub level: Level,
    /// The name of the consumer that it is about, if it is about one.
    pub consumer: Option<&'a str>,
    /// What is said.
    pub text: &'a str,
}

impl<'a> Notice<'a> {
    /// A notice that is about no consumer.
    #[must_use]
    pub fn new(level: Level, text: &'a str) -> Self {
        Self { level, consumer: None, text }
    }

    /// That something is as it should be.
    #[must_use]
    pub fn info(text: &'a str) -> Self {
        Self::new(Level::Info, text)
    }

    /// That something is not, and may pass or cost something.
    #[must_use]
    pub fn warning(text: &'a str) -> Self {
        Self::new(Level::Warning, text)
    }

    /// The same, about a consumer.
    #[must_use]
    pub fn of(self, consumer: &'a str) -> Self {
        Self { consumer: Some(consumer), ..self }
    }
}
