//! Rules that bring nothing, whatever producers publish.

use loghost_core::domain::{Filter, Pattern};

use crate::message::bind_rule::BindRule;
use crate::message::bind_rules::BindRules;
use crate::message::names::Names;

impl BindRules {
    /// Those that are never used, each with the one before it that matches all that it does.
    pub fn behind_others(&self) -> impl Iterator<Item = (&BindRule, &BindRule)> {
        let all = || self.0.iter().map(|rule| &rule.bind);
        all().enumerate().filter_map(move |(n, rule)| {
            let covers = |other: &&BindRule| {
                other.exchange == rule.exchange
                    && (other.pattern == Pattern::everything() || other.pattern == rule.pattern)
            };
            let other = all().take(n).find(covers)?;
            // Without `;type`, which holds for the exchange, they may say the same.
            let differs = other.severity != rule.severity || other.format != rule.format;
            differs.then_some((rule, other))
        })
    }

    /// Those that no consumer wants which has one of these filters.
    pub fn unwanted<'a>(&'a self, filters: &'a [&'a Filter]) -> impl Iterator<Item = &'a BindRule> {
        let rules = self.0.iter().map(|rule| &rule.bind);
        rules.filter(|rule| !filters.iter().any(|filter| rule.is_wanted(filter)))
    }

    /// Those in whose patterns `*` or `#` is a part of a word, and that word.
    pub fn with_wildcards_in_words(&self) -> impl Iterator<Item = (&BindRule, &str)> {
        let rules = self.0.iter().map(|rule| &rule.bind);
        rules.filter_map(|rule| Some((rule, rule.pattern.word_with_wildcard()?)))
    }

    /// The first exchange that is a severity's own: what comes through it is a log already, which no rule reads.
    pub fn own_exchange<'a>(&'a self, names: &Names) -> Option<&'a str> {
        self.0.iter().map(|rule| &*rule.bind.exchange).find(|exchange| names.severity(exchange).is_some())
    }
}
