//! Where logs are published, and as whose.

use std::io;

use loghost_core::domain::Source;
use loghost_rabbitmq::{Address, Names, Prefix};

use crate::publisher::Publisher;
use crate::queue::Limits;

/// Where logs are published, and as whose.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) addresses: Vec<Address>,
    pub(crate) source: Source,
    pub(crate) names: Names,
    pub(crate) limits: Limits,
}

/// Why logs cannot be published with these options.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// It is no URL of a broker.
    #[error("the broker's URL is not valid: {0}")]
    Broker(String),
    /// It cannot be the source of a log.
    #[error("the source is not valid: {0}")]
    Source(String),
    /// It cannot begin the names of exchanges.
    #[error("the prefix is not valid: {0}")]
    Prefix(String),
}

impl Options {
    /// Publishes to the broker at `url` (`amqp://user:password@host:port/vhost`, or `amqps`), with `source` as the source of all
    /// logs: the name of the program, such as `shop`, at most 255 bytes.
    pub fn new(url: &str, source: &str) -> Result<Self, OptionsError> {
        let source = Source::new(source).map_err(|error| OptionsError::Source(error.to_string()))?;
        let names = Names::new(Prefix::default());
        Self { addresses: Vec::new(), source, names, limits: Limits::default() }.or(url)
    }

    /// Another broker of the cluster: the first that answers is taken.
    pub fn or(mut self, url: &str) -> Result<Self, OptionsError> {
        let address = url.parse::<Address>().map_err(|error| OptionsError::Broker(error.to_string()))?;
        self.addresses.push(address);
        Ok(self)
    }

    /// The beginning of the exchanges' names, which is `logs` otherwise.
    pub fn prefix(mut self, prefix: &str) -> Result<Self, OptionsError> {
        let prefix = prefix.parse::<Prefix>().map_err(|error| OptionsError::Prefix(error.to_string()))?;
        self.names = Names::new(prefix);
        Ok(self)
    }

    /// How many logs may wait to be confirmed, 10,000 otherwise, and how many bytes they may have, 64 MiB otherwise. What is
    /// logged beyond is dropped, and counted.
    #[must_use]
    pub fn queue(mut self, logs: usize, bytes: usize) -> Self {
        self.limits = Limits { logs, bytes };
        self
    }

    /// Starts the thread that publishes. It does not wait for the broker.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start(self) -> io::Result<Publisher> {
        Publisher::start(self)
    }
}
