//! How a command ends that does not end well.

use std::fmt;
use std::io;
use std::process::ExitCode;

use loghost_core::domain::ConsumerName;
use loghost_system::Refusal;

use crate::ui::terminal::OutputError;

/// The exit status: 0 to 2 as everywhere, the others from sysexits.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// A scenario differs, a log was not routed that had to be, or a dead letter is not there.
    Differs = 1,
    /// Wrong arguments.
    Usage = 2,
    /// A file that cannot be used (`EX_DATAERR`).
    BadInput = 65,
    /// No broker, or it went away (`EX_UNAVAILABLE`).
    Unavailable = 69,
    /// A fault of loghost (`EX_SOFTWARE`).
    Internal = 70,
    /// The system gives no more threads, open files or memory (`EX_OSERR`).
    System = 71,
    /// Something cannot be written, or a disk cannot be read (`EX_IOERR`).
    Io = 74,
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

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Threads | Refusal::Files | Refusal::Memory => Self::System,
            Refusal::Execution => Self::BadConfiguration,
            Refusal::Room | Refusal::ReadOnly | Refusal::FileSize | Refusal::Disk => Self::Io,
        }
    }
}

/// An error, and the exit status that it means.
#[derive(Debug)]
pub(crate) struct Failure {
    status: Status,
    /// What to tell; none if everything has been said.
    error: Option<anyhow::Error>,
    /// Whose it is, if it is one consumer's.
    consumer: Option<ConsumerName>,
}

impl Failure {
    /// A failure whose reasons have been shown already.
    pub(crate) fn silent(status: Status) -> Self {
        Self { status, error: None, consumer: None }
    }

    /// A failure that is described by `text`.
    pub(crate) fn new(status: Status, text: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self { status, error: Some(anyhow::Error::msg(text)), consumer: None }
    }

    /// A failure with `status`, unless the system's refusal is behind the error: that has a status of its own, whatever was
    /// being done. What the user may not do is a matter of configuration where it would otherwise help to start again.
    pub(crate) fn of(status: Status, error: impl Into<anyhow::Error>) -> Self {
        let error = error.into();
        let status = match Refusal::behind(error.as_ref()) {
            Some(refusal) => refusal.into(),
            None if matches!(status, Status::Io | Status::Unavailable) && is_denied(&error) => {
                Status::BadConfiguration
            }
            None => status,
        };
        Self { status, error: Some(error), consumer: None }
    }

    /// The same, of one consumer.
    pub(crate) fn of_consumer(self, consumer: ConsumerName) -> Self {
        Self { consumer: Some(consumer), ..self }
    }

    /// Whose it is, if it is one consumer's.
    pub(crate) fn consumer(&self) -> Option<&ConsumerName> {
        self.consumer.as_ref()
    }

    /// The exit status.
    pub(crate) fn status(&self) -> Status {
        self.status
    }

    /// Says before the reasons what they are the reasons of.
    pub(crate) fn context(self, context: impl fmt::Display + Send + Sync + 'static) -> Self {
        Self { error: self.error.map(|error| error.context(context)), ..self }
    }

    /// What to tell, and what to do about it; none if everything has been said.
    pub(crate) fn text(&self) -> Option<String> {
        let error = self.error.as_ref()?;
        let advice = Refusal::behind(error.as_ref()).map(|refusal| format!(": {refusal}"));
        Some(format!("{error:#}{}", advice.unwrap_or_default()))
    }
}

/// Whether the system does not let this user do it.
fn is_denied(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::PermissionDenied)
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        Self::of(Status::Io, error)
    }
}

/// Gives an error its exit status.
pub(crate) trait WithStatus<T> {
    /// Fails with `status`, as [`Failure::of`] does.
    fn status(self, status: Status) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> WithStatus<T> for Result<T, E> {
    fn status(self, status: Status) -> Result<T, Failure> {
        self.map_err(|error| Failure::of(status, error))
    }
}
