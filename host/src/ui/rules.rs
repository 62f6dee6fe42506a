//! What is said of the rules of `--bind` that cannot be meant as they are.

use loghost_core::domain::Filter;
use loghost_rabbitmq::BindRules;

use crate::ui::events::command::RuleEvent;
use crate::ui::terminal;

/// Warns of those that bring nothing to consumers with these filters.
pub(crate) fn warn_of(rules: &BindRules, filters: &[&Filter]) {
    for (rule, other) in rules.behind_others() {
        terminal::tell(RuleEvent::Unused { rule: rule.to_string(), other: other.to_string() });
    }
    for (rule, word) in rules.with_wildcards_in_words() {
        terminal::tell(RuleEvent::WildcardInWord { rule: rule.to_string(), word: word.to_owned() });
    }
    for rule in rules.unwanted(filters) {
        terminal::tell(RuleEvent::Unwanted(rule.to_string()));
    }
}
