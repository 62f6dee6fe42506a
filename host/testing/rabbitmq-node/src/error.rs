//! What can go wrong with a node.

use std::io;

/// Why a node cannot be had, or does not do what it is told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This machine lacks what the version needs.
    #[error("{0}")]
    Unavailable(String),

    /// A file cannot be written, or a program not be started.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },

    /// The shell that watches over the node is no longer there.
    #[error("the shell that watches over RabbitMQ has ended")]
    Unwatched,

    /// It has ended, or does not answer in time.
    #[error("RabbitMQ does not start:\n{output}")]
    NotStarted {
        /// What it has printed.
        output: String,
    },

    /// `rabbitmqctl` has refused.
    #[error("rabbitmqctl {arguments:?}: {errors}")]
    Refused {
        /// What it was asked.
        arguments: Vec<String>,
        /// What it has printed.
        errors: String,
    },
}

impl Error {
    /// For `map_err`: what was tried, and why the system refuses it.
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}
