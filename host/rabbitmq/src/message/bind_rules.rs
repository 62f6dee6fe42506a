//! All rules by which a host reads exchanges of others.

use std::collections::BTreeSet;
use std::sync::Arc;

use loghost_core::domain::{Filter, Severity};
use loghost_decode::{Decoder, Format, Options, SeverityMap};

use crate::message::bind_rule::BindRule;
use crate::message::exchange_type::ExchangeType;
use crate::message::names::Names;
use crate::message::route_text::LONGEST;
use crate::topology::inspection::Binding;

/// How messages are decoded that no rule says it of.
#[derive(Clone, Debug)]
pub struct Decoding {
    /// What they are taken for; none: what says its severity is taken as it is, and everything else as `auto`.
    pub format: Option<Format>,
    /// What producers' levels are.
    pub severities: SeverityMap,
    /// What those are that do not say how serious they are.
    pub default_severity: Severity,
}

impl Default for Decoding {
    fn default() -> Self {
        Self { format: None, severities: SeverityMap::default(), default_severity: Severity::Info }
    }
}

/// All rules of a host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BindRules(pub(super) Arc<[Rule]>);

/// A rule, and what reads its messages.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    pub(crate) bind: BindRule,
    pub(crate) decoder: Decoder,
    /// Whether the bodies of its messages say something of their logs but the text.
    pub(crate) decodes_bodies: bool,
    pub(crate) default_severity: Severity,
}

impl BindRules {
    /// These rules; where several match a message, the first does.
    pub fn new(rules: Vec<BindRule>, decoding: &Decoding) -> Self {
        let rule = |bind: BindRule| {
            let usual = if bind.severity.is_some() { Format::None } else { Format::Auto };
            let format = bind.format.or(decoding.format).unwrap_or(usual);
            let options = Options { format, severities: decoding.severities.clone(), ..Options::default() };
            Rule {
                bind,
                decoder: Decoder::new(options),
                decodes_bodies: format != Format::None,
                default_severity: decoding.default_severity,
            }
        };
        Self(rules.into_iter().map(rule).collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rule for messages that were published there with this key.
    pub(crate) fn find(&self, exchange: &str, routing_key: &str) -> Option<&Rule> {
        self.0.iter().find(|Rule { bind, .. }| bind.exchange == exchange && bind.pattern.matches(routing_key))
    }

    /// The same for the exchange `stand_in`, where these are for `exchange`.
    #[must_use]
    pub fn with_stand_in(&self, exchange: &str, stand_in: &str) -> Self {
        let mut rules = self.0.to_vec();
        for Rule { bind, .. } in rules.iter_mut().filter(|rule| rule.bind.exchange == exchange) {
            stand_in.clone_into(&mut bind.exchange);
        }
        Self(rules.into())
    }

    /// Those that are for other exchanges than this one.
    pub fn of_others<'a>(&'a self, exchange: &'a str) -> impl Iterator<Item = &'a BindRule> {
        self.0.iter().map(|rule| &rule.bind).filter(move |bind| bind.exchange != exchange)
    }

    /// Whether a message that is published there with this key comes into the queue of a consumer with this filter, and is
    /// read; `kind` is the type of the exchange.
    pub fn bring(&self, (exchange, kind): (&str, ExchangeType), key: &str, filter: &Filter) -> bool {
        let brings = |bind: &BindRule| match kind {
            ExchangeType::Topic => bind.pattern.matches(key),
            ExchangeType::Direct => bind.pattern.as_str() == key,
            ExchangeType::Fanout => true,
        };
        let mut wanted = self.wanted(filter).filter(|bind| bind.exchange == exchange);
        wanted.any(brings) && self.find(exchange, key).is_some()
    }

    /// The exchanges that have what `filter` wants.
    pub fn exchanges(&self, filter: &Filter) -> BTreeSet<&str> {
        self.wanted(filter).map(|rule| &*rule.exchange).collect()
    }

    /// The streams of the exchanges that have what `filter` wants.
    pub(crate) fn streams(&self, names: &Names, filter: &Filter) -> impl Iterator<Item = String> {
        self.exchanges(filter).into_iter().map(|exchange| names.bound_stream(exchange))
    }

    /// The exchanges whose streams would have names that are too long.
    pub fn without_stream<'a>(&'a self, names: &'a Names) -> impl Iterator<Item = &'a str> {
        let exchanges = self.0.iter().map(|rule| &*rule.bind.exchange);
        exchanges.filter(|exchange| names.bound_stream(exchange).len() > LONGEST)
    }

    /// What an exchange is declared as if it is not there.
    pub fn declaration(&self, exchange: &str) -> Option<ExchangeType> {
        self.0.iter().find_map(|Rule { bind, .. }| bind.declare.filter(|_| bind.exchange == exchange))
    }

    /// What a queue is bound to for the logs that `filter` wants: where the severity lies in the message, to all of them.
    pub(crate) fn bindings(&self, filter: &Filter) -> Vec<Binding> {
        self.wanted(filter).map(BindRule::binding).collect()
    }

    /// What queues are bound to for all logs.
    pub(crate) fn all_bindings(&self) -> impl Iterator<Item = Binding> {
        self.0.iter().map(|rule| rule.bind.binding())
    }

    /// Whether the bodies of messages are decoded of what `filter` wants.
    pub(crate) fn decode_bodies(&self, filter: &Filter) -> bool {
        self.0.iter().any(|rule| rule.decodes_bodies && rule.bind.is_wanted(filter))
    }

    fn wanted(&self, filter: &Filter) -> impl Iterator<Item = &BindRule> {
        self.0.iter().map(|rule| &rule.bind).filter(|bind| bind.is_wanted(filter))
    }
}

#[cfg(test)]
mod tests {
    use loghost_core::domain::Severities;

    use super::*;

    fn rules(texts: &[&str]) -> BindRules {
        let parsed = texts.iter().map(|text| text.parse().expect("a rule"));
        BindRules::new(parsed.collect(), &Decoding::default())
    }

    #[test]
    fn a_queue_is_bound_to_what_its_filter_can_need() {
        let rules = rules(&["log/error=error", "log/info=info", "app", "log/#.debug=debug"]);
        let errors = Filter::new(Severities::from_iter([Severity::Error]), vec![]);
        let keys = |bindings: Vec<Binding>| -> Vec<String> {
            bindings.into_iter().map(|Binding { exchange, key }| format!("{exchange}/{key}")).collect()
        };
        assert_eq!(keys(rules.bindings(&errors)), ["log/error", "app/#"]);
        assert_eq!(keys(rules.all_bindings().collect()), ["log/error", "log/info", "app/#", "log/#.debug"]);
        assert!(rules.decode_bodies(&errors));
        assert_eq!(rules.find("log", "x.debug").and_then(|rule| rule.bind.severity), Some(Severity::Debug));
        assert!(rules.find("log", "x").is_none() && rules.find("other", "error").is_none());
    }

    #[test]
    fn what_a_rule_brings_depends_on_the_type_of_the_exchange() {
        use ExchangeType::{Direct, Fanout, Topic};
        let errors = Filter::new(Severities::from_iter([Severity::Error]), vec![]);
        let brings = |rule: &str, kind, key| {
            rules(&[rule]).with_stand_in("app", "other").bring(("other", kind), key, &errors)
        };
        assert!(
            brings("app/*.error=error", Topic, "db.error") && !brings("app/*.error=error", Topic, "error")
        );
        assert!(!brings("app/*.error=info", Topic, "db.error"), "the filter does not want it");
        assert!(brings("app/db", Direct, "db") && !brings("app", Direct, "db"));
        assert!(brings("app", Fanout, "db") && !brings("app/x", Fanout, "db"), "it comes, and is not read");
        let rules = rules(&["app", "log/error"]);
        assert_eq!(rules.of_others("app").map(ToString::to_string).collect::<Vec<_>>(), ["log/error"]);
    }

    #[test]
    fn what_says_its_severity_is_counted_without_its_body() {
        let all = Filter::new(Severities::from_iter(Severity::ALL), vec![]);
        assert!(!rules(&["log/error=error", "app/info=info"]).decode_bodies(&all));
        assert!(rules(&["log/error=error;decode=json"]).decode_bodies(&all));
    }
}
