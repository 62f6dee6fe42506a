//! An exchange of others that a scenario is published to, and the rules that its consumers read it by.
//!
//! It is not the one of that name, which has consumers and producers of its own, but one that stands for it, and goes with
//! the connections of the scenario.

use loghost_core::application::UnboundLogs;
use loghost_core::domain::{Filter, Log, Severities, Severity, printable_line};
use loghost_rabbitmq::{
    BindRules, Connection, Destination, ExchangeType, KeyTemplate, Names, declare_temporary_exchange,
};

use crate::compose::failure::{Failure, Status};
use crate::compose::target::refused;

/// Where a scenario is published to, and how it is read there.
#[derive(Clone, Debug)]
pub(crate) struct ScenarioExchange {
    name: String,
    key: KeyTemplate,
    rules: BindRules,
}

/// How many routing keys are said that no rule matches.
const SHOWN: usize = 5;

impl ScenarioExchange {
    /// Publishing to the exchange `name` with such keys, and reading that by `rules`.
    ///
    /// # Errors
    /// If there is no rule for it, or one for another exchange, to which nothing is published.
    pub(crate) fn new(name: String, key: KeyTemplate, rules: BindRules) -> Result<Self, Failure> {
        let usage = |text| Err(Failure::new(Status::Usage, text));
        let shown = printable_line(&name).into_owned();
        if rules.is_empty() {
            return usage(format!(
                "--to: nobody reads what is published to `{shown}`: say with --bind which rules read it"
            ));
        }
        if let Some(rule) = rules.of_others(&name).next() {
            let rule = rule.to_string();
            return usage(format!(
                "--bind {}: the scenario is published to `{shown}` (--to), and to no other exchange",
                printable_line(&rule)
            ));
        }
        Ok(Self { name, key, rules })
    }

    /// The one that stands for it, beside exchanges of these names.
    pub(crate) fn stand_in(&self, names: &Names) -> Self {
        let name = format!("{}.to", names.prefix());
        let rules = self.rules.with_stand_in(&self.name, &name);
        Self { name, key: self.key.clone(), rules }
    }

    /// Declares it for as long as the connection lasts.
    pub(crate) async fn lend(&self, connection: &Connection) -> Result<(), Failure> {
        declare_temporary_exchange(connection, &self.name, self.kind()).await.map_err(refused)
    }

    pub(crate) fn rules(&self) -> BindRules {
        self.rules.clone()
    }

    pub(crate) fn destination(&self) -> Destination {
        Destination::Exchange { name: self.name.clone(), key: self.key.clone() }
    }

    /// Whether a consumer with this filter gets the log.
    pub(crate) fn brings(&self, log: &Log, filter: &Filter) -> bool {
        self.key.text(log).is_some_and(|key| self.rules.bring((&self.name, self.kind()), &key, filter))
    }

    /// Notes that `log` is sent so many `times`.
    pub(crate) fn note(&self, unbound: &mut UnboundLogs, log: &Log, times: u64) {
        unbound.of += times;
        let all = Filter::new(Severities::from_iter(Severity::ALL), Vec::new());
        if !self.brings(log, &all) {
            unbound.logs += times;
            if unbound.keys.len() < SHOWN {
                unbound.keys.extend(self.key.text(log));
            }
        }
    }

    fn kind(&self) -> ExchangeType {
        self.rules.declaration(&self.name).unwrap_or(ExchangeType::Topic)
    }
}
