//! What was seen of an exchange.

use std::collections::BTreeMap;
use std::time::Duration;

use loghost_core::domain::Tally;
use loghost_rabbitmq::BindRule;

/// What was seen of an exchange.
#[derive(Clone, Debug)]
pub(crate) struct ObservedExchange {
    pub(crate) exchange: String,
    /// Its type, where that is known.
    pub(crate) kind: Option<String>,
    /// What the management API said is published there.
    pub(crate) published_per_second: Option<f64>,
    pub(crate) messages: u64,
    /// How many logs the messages had.
    pub(crate) logs: u64,
    /// How long it was looked at.
    pub(crate) period: Duration,
    /// Who has written how many of the logs.
    pub(crate) producers: BTreeMap<&'static str, u64>,
    pub(crate) severities: Tally,
    /// How many logs do not say how serious they are.
    pub(crate) undetermined: u64,
    /// What tells how serious its logs are, if anything does.
    pub(crate) teller: Option<SeveritySource>,
    pub(crate) bind: Bind,
}

/// What tells how serious logs are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SeveritySource {
    /// The exchange.
    Exchange,
    /// These words of the routing keys, and whether the rules have the broker select by them.
    Key { words: Vec<String>, selects: bool },
    /// Each message, alone or for some keys.
    Message,
}

/// How `loghost run` takes the logs of an exchange.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bind {
    /// It is loghost's own, and needs no rule.
    Own,
    /// By these.
    Rules(Vec<BindRule>),
    /// What came are no logs, as far as can be told, or nothing came.
    NoLogs,
}

/// An exchange that is not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotLookedAt {
    pub(crate) exchange: String,
    pub(crate) why: String,
}

impl ObservedExchange {
    /// Whether logs were seen.
    pub(crate) fn has_logs(&self) -> bool {
        self.messages > 0 && self.bind != Bind::NoLogs
    }

    /// How many logs there were in a second; none if no time has passed.
    pub(crate) fn logs_per_second(&self) -> Option<f64> {
        let seconds = self.period.as_secs_f64();
        // So many logs are not seen that it would not be exact.
        let logs = f64::from(u32::try_from(self.logs).unwrap_or(u32::MAX));
        (seconds > 0.0).then(|| logs / seconds)
    }
}
