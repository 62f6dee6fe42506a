//! How much matters what the operator is told.

/// How much a line of a log matters.
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
