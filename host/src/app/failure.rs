//! How a command ends that does not end well.

use std::fmt;
use std::process::ExitCode;

/// The exit status: 0 to 2 as everywhere, the others from sysexits.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// A scenario differs, or a log was not routed that had to be.
    Differs = 1,
    /// Wrong arguments.
    Usage = 2,
    /// A file that cannot be used (`EX_DATAERR`).
    BadInput = 65,
    /// No broker, or it went away (`EX_UNAVAILABLE`).
    Unavailable = 69,
    /// A fault of loghost or of the system (`EX_SOFTWARE`).
    Internal = 70,
    /// A consumer was stopped because it kept failing (`EX_TEMPFAIL`).
    Stopped = 75,
    /// A setting that cannot be used (`EX_CONFIG`).
    BadConfiguration = 78,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}

/// An error, and the exit status that it means.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit status.
    pub(crate) status: Status,
    /// What to tell; none if everything has been said.
    pub(crate) error: Option<anyhow::Error>,
}

impl Failure {
    /// A failure whose reasons have been shown already.
    pub(crate) fn silent(status: Status) -> Self {
        Self { status, error: None }
    }

    /// A failure that is described by `text`.
    pub(crate) fn new(status: Status, text: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self { status, error: Some(anyhow::Error::msg(text)) }
    }
}

/// Gives an error its exit status.
pub(crate) trait WithStatus<T> {
    /// Fails with `status`.
    fn status(self, status: Status) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> WithStatus<T> for Result<T, E> {
    fn status(self, status: Status) -> Result<T, Failure> {
        self.map_err(|error| Failure { status, error: Some(error.into()) })
    }
}
