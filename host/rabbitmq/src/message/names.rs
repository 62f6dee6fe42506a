//! What exchanges and queues are called.

use std::fmt;
use std::str::FromStr;

use loghost_core::domain::{ConsumerName, Severity};

/// What the names of the exchanges begin with; `logs` by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

/// A text that cannot be a prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot be a prefix: expected 1 to 64 characters of A-Z, a-z, 0-9, `-` and `_`, not `amq`")]
pub struct PrefixError(String);

impl Default for Prefix {
    fn default() -> Self {
        Self("logs".to_owned())
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && text != "amq";
        if valid { Ok(Self(text.to_owned())) } else { Err(PrefixError(text.to_owned())) }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The names under one prefix.
#[derive(Clone, Debug)]
pub struct Names {
    prefix: Prefix,
    exchanges: [String; 4],
    bound_prefix: String,
}

impl Names {
    /// The names under `prefix`.
    pub fn new(prefix: Prefix) -> Self {
        let exchanges = Severity::ALL.map(|severity| format!("{}.{severity}", prefix.0));
        let bound_prefix = format!("{}.bound.", prefix.0);
        Self { prefix, exchanges, bound_prefix }
    }

    /// The prefix.
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// The exchange of `severity`: `logs.error`.
    pub fn exchange(&self, severity: Severity) -> &str {
        &self.exchanges[severity as usize]
    }

    /// The severity whose exchange is called `exchange`.
    pub fn severity(&self, exchange: &str) -> Option<Severity> {
        Severity::ALL.into_iter().find(|severity| self.exchange(*severity) == exchange)
    }

    /// The stream of what is published to `exchange`, which is one of others: `logs.bound.app`. No severity is called `bound`.
    pub fn bound_stream(&self, exchange: &str) -> String {
        format!("{}{exchange}", self.bound_prefix)
    }

    /// The exchange of others whose stream is called `stream`.
    pub(crate) fn bound_exchange<'a>(&self, stream: &'a str) -> Option<&'a str> {
        stream.strip_prefix(&self.bound_prefix)
    }

    /// Whether a stream of logs is called so: that of a severity, or of an exchange of others.
    pub fn is_stream(&self, name: &str) -> bool {
        self.severity(name).is_some() || self.bound_exchange(name).is_some()
    }

    /// The queue of `consumer`: `loghost.error`, and `loghost.<prefix>.error` under a prefix of its own.
    /// No consumer is called `dead`, and no prefix has a dot, so all these names are different.
    pub fn queue(&self, consumer: &ConsumerName) -> String {
        if self.prefix == Prefix::default() {
            format!("loghost.{consumer}")
        } else {
            format!("loghost.{}.{consumer}", self.prefix.0)
        }
    }

    /// The queue that the active host holds as its lock while it consumes: `loghost.error._lock`. No consumer's name has
    /// an underscore.
    pub(crate) fn lock(&self, consumer: &ConsumerName) -> String {
        format!("{}._lock", self.queue(consumer))
    }

    /// The queue that a host which stands by holds meanwhile, so that others see it: `loghost.error._standby.1f`.
    pub(crate) fn standby(&self, consumer: &ConsumerName, host: u64) -> String {
        format!("{}._standby.{host:x}", self.queue(consumer))
    }

    /// Whether a host that stands by for `consumer` holds the queue of this name.
    pub fn is_standby_of(&self, queue: &str, consumer: &ConsumerName) -> bool {
        queue.strip_prefix(&self.queue(consumer)).is_some_and(|rest| rest.starts_with("._standby."))
    }

    /// The queue that has a copy of a message which the broker may not be able to deliver, as long as that is tried:
    /// `loghost.error._undeliverable`.
    pub(crate) fn undeliverable(&self, consumer: &ConsumerName) -> String {
        format!("{}._undeliverable", self.queue(consumer))
    }

    /// The queue that a command on the dead letters holds as its lock: `loghost.error.dead._lock`.
    pub(crate) fn dead_lock(&self, consumer: &ConsumerName) -> String {
        format!("{}._lock", self.dead_queue(consumer))
    }

    /// The exchange of the dead letters: `logs.dead`.
    pub fn dead_exchange(&self) -> String {
        format!("{}.dead", self.prefix.0)
    }

    /// The queue of the consumer's dead letters: `loghost.error.dead`.
    pub fn dead_queue(&self, consumer: &ConsumerName) -> String {
        format!("{}.dead", self.queue(consumer))
    }

    /// The consumer of a queue, or of dead letters, of this name.
    pub fn consumer_of(&self, queue: &str) -> Option<ConsumerName> {
        let name = queue.strip_suffix(".dead").unwrap_or(queue).rsplit('.').next()?;
        let consumer = ConsumerName::new(name).ok()?;
        (self.queue(&consumer) == queue || self.dead_queue(&consumer) == queue).then_some(consumer)
    }

    /// Whether the dead letters in `dead_queue` are those of the consumer of `queue`.
    pub(crate) fn is_dead_queue_of(dead_queue: &str, queue: &str) -> bool {
        dead_queue.strip_suffix(".dead") == Some(queue)
    }
}
