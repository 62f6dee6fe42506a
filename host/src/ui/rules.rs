//! What is said of the rules of `--bind` that cannot be meant as they are.

use loghost_core::domain::Filter;
use loghost_rabbitmq::BindRules;

use crate::ui::terminal;

/// Warns of those that bring nothing to consumers with these filters.
pub(crate) fn warn_of(rules: &BindRules, filters: &[&Filter]) {
    for (rule, other) in rules.behind_others() {
        terminal::warning(&format!(
            "--bind: `{rule}` is never used: `{other}`, which is before it, takes all that it matches; the first of several counts"
        ));
    }
    for (rule, word) in rules.with_wildcards_in_words() {
        terminal::warning(&format!(
            "--bind: in `{rule}`, `{word}` is taken as it is: `*` stands for one word between dots and `#` for any number of \
             them, not for a part of a word"
        ));
    }
    for rule in rules.unwanted(filters) {
        terminal::warning(&format!(
            "--bind: `{rule}` brings nothing: no consumer here wants logs of that severity"
        ));
    }
}
