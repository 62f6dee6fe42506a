//! What was observed of an exchange, and the rules that follow from it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use loghost_core::domain::{Pattern, Severity, Tally};
use loghost_decode::Format;
use loghost_rabbitmq::{BindRule, Names, Sample};

use super::MOST_SAMPLES;
use super::candidates::Candidate;
use super::levels::Levels;
use crate::ui::sources::{Bind, ObservedExchange, SeveritySource};

/// What was observed of an exchange.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    kind: Option<String>,
    published_per_second: Option<f64>,
    /// What was bound; nothing if its messages came through another exchange.
    keys: BTreeSet<String>,
    messages: u64,
    logs: u64,
    /// When so many messages had been seen that no more were looked at.
    enough_after: Option<Duration>,
    producers: BTreeMap<&'static str, u64>,
    formats: BTreeSet<Format>,
    severities: Tally,
    undetermined: u64,
    levels: Levels,
    /// Of the keys of messages that say how serious they are: what the key says, if that is the same.
    told: BTreeMap<String, Option<Severity>>,
}

/// More keys are not noted.
const MOST_KEYS: usize = 100;

impl Observed {
    /// Nothing yet.
    pub(super) fn of(candidate: &Candidate) -> Self {
        let Candidate { kind, published_per_second, keys, .. } = candidate;
        let (kind, keys) = (kind.clone(), keys.clone());
        Self { kind, published_per_second: *published_per_second, keys, ..Self::default() }
    }

    /// How many messages were looked at, of [`MOST_SAMPLES`].
    pub(super) fn messages(&self) -> usize {
        usize::try_from(self.messages).map_or(MOST_SAMPLES, |messages| messages.min(MOST_SAMPLES))
    }

    /// Notes a message that came after so long.
    pub(super) fn note(&mut self, sample: &Sample, after: Duration) {
        let Sample { routing_key, producer, logs, .. } = sample;
        self.messages += 1;
        if self.messages == MOST_SAMPLES as u64 {
            self.enough_after = Some(after);
        }
        let number = logs.len() as u64;
        self.logs += number;
        *self.producers.entry(producer.name).or_default() += number;
        self.formats.insert(producer.format);
        for log in logs {
            match log.severity {
                Some(severity) => self.severities[severity] += 1,
                None => self.undetermined += 1,
            }
        }
        // By a rule with a severity, a message is of that one.
        let one = match &logs[..] {
            [log] => log.severity,
            _ => None,
        };
        self.levels.note(routing_key, one);
        if logs.iter().any(|log| log.severity.is_some())
            && (self.told.len() < MOST_KEYS || self.told.contains_key(routing_key))
        {
            let mut of_key = Levels::default();
            of_key.note(routing_key, one);
            let said = one.filter(|_| of_key.words().is_some());
            let told = self.told.entry(routing_key.clone()).or_insert(said);
            *told = told.filter(|_| *told == said);
        }
    }

    /// What was seen, in `period` at most.
    pub(super) fn seen(self, exchange: String, names: &Names, period: Duration) -> ObservedExchange {
        let own = names.severity(&exchange);
        let mut severities = self.severities;
        if let Some(severity) = own {
            severities = Tally::default();
            severities[severity] = self.logs;
        }
        let (bind, teller) = match own {
            Some(_) => (Bind::Own, Some(SeveritySource::Exchange)),
            None if severities.total() == 0 => (Bind::NoLogs, None),
            None => {
                let words = self.levels.words();
                let (rules, selects) = self.rules(&exchange);
                let teller =
                    words.map_or(SeveritySource::Message, |words| SeveritySource::Key { words, selects });
                (Bind::Rules(rules), Some(teller))
            }
        };
        ObservedExchange {
            exchange,
            kind: self.kind,
            published_per_second: self.published_per_second,
            messages: self.messages,
            logs: self.logs,
            period: self.enough_after.unwrap_or(period),
            producers: self.producers,
            severities,
            undetermined: if own.is_some() { 0 } else { self.undetermined },
            teller,
            bind,
        }
    }

    /// The rules that take its logs, and whether the broker selects by severity then.
    fn rules(&self, exchange: &str) -> (Vec<BindRule>, bool) {
        let rule = |pattern: Pattern, severity: Option<Severity>| BindRule {
            exchange: exchange.to_owned(),
            pattern,
            severity,
            format: severity.and_then(|_| self.format()),
            declare: None,
        };
        let everything = Pattern::everything();
        let is_of_all = self.keys.is_empty() || self.keys.contains(everything.as_str());
        if !is_of_all {
            let is_literal = |key: &&String| !key.split('.').any(|word| matches!(word, "*" | "#"));
            let literal = self.told.iter().filter(|(key, _)| self.keys.contains(*key));
            let literal =
                literal.filter_map(|(key, said)| Some(rule(Pattern::new(key.clone()).ok()?, *said)));
            let patterns = self.keys.iter().filter(|key| !is_literal(key));
            let patterns = patterns.filter_map(|key| Some(rule(Pattern::new(key.clone()).ok()?, None)));
            let rules: Vec<BindRule> = literal.chain(patterns).collect();
            let selects = rules.iter().all(|rule| rule.severity.is_some());
            return (rules, selects);
        }
        let is_topic = self.kind.as_deref().is_none_or(|kind| kind == "topic");
        let producers: Vec<&str> = self.producers.keys().copied().collect();
        match self.levels.patterns(&producers).filter(|_| is_topic) {
            Some(patterns) => {
                let rules = patterns.into_iter().map(|(pattern, severity)| rule(pattern, Some(severity)));
                (rules.collect(), true)
            }
            None => (vec![rule(everything, None)], false),
        }
    }

    /// How messages are decoded that a rule tells the severity of: text is taken as it is.
    fn format(&self) -> Option<Format> {
        let mut formats = self.formats.iter();
        match (formats.next(), formats.next()) {
            (Some(Format::Text) | None, None) => None,
            (Some(format), None) => Some(*format),
            _ => Some(Format::Auto),
        }
    }
}
