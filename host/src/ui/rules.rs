//! What is said of the rules of `--bind` that cannot be meant as they are.

use loghost_core::application::Observer;
use loghost_core::domain::Filter;
use loghost_rabbitmq::BindRules;

use crate::ui::events::command::{RuleEvent, tell};

/// Warns the `observer` of those that bring nothing to consumers with these filters.
pub(crate) fn warn_of(rules: &BindRules, filters: &[&Filter], observer: &dyn Observer) {
    for (rule, other) in rules.behind_others() {
        tell(observer, RuleEvent::Unused { rule: rule.to_string(), other: other.to_string() });
    }
    for (rule, word) in rules.with_wildcards_in_words() {
        tell(observer, RuleEvent::WildcardInWord { rule: rule.to_string(), word: word.to_owned() });
    }
    for rule in rules.unwanted(filters) {
        tell(observer, RuleEvent::Unwanted(rule.to_string()));
    }
}
