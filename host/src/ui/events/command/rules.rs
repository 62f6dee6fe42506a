//! What there is to say of rules of `--bind` that cannot be meant as they are.

use loghost_core::application::Level;
use serde_json::{Value, json};

use super::CommandEvent;

/// Something about a rule of `--bind`.
#[derive(Debug)]
pub(crate) enum RuleEvent {
    /// It is never used, as another that is before it takes all that it matches.
    Unused {
        /// The rule.
        rule: String,
        /// The other.
        other: String,
    },
    /// A word of its pattern has a wildcard in it, which is taken as it is.
    WildcardInWord {
        /// The rule.
        rule: String,
        /// The word.
        word: String,
    },
    /// No consumer wants logs of its severity.
    Unwanted(String),
}

impl CommandEvent for RuleEvent {
    fn level(&self) -> Level {
        Level::Warning
    }

    fn told(&self) -> (&'static str, String, Value) {
        match self {
            Self::Unused { rule, other } => {
                let text = format!(
                    "--bind: `{rule}` is never used: `{other}`, which is before it, takes all that it matches; the first of several counts"
                );
                ("rule_unused", text, json!({ "rule": rule, "other": other }))
            }
            Self::WildcardInWord { rule, word } => {
                let text = format!(
                    "--bind: in `{rule}`, `{word}` is taken as it is: `*` stands for one word between dots and `#` for any number of \
                     them, not for a part of a word"
                );
                ("rule_with_wildcard_in_word", text, json!({ "rule": rule, "word": word }))
            }
            Self::Unwanted(rule) => {
                let text =
                    format!("--bind: `{rule}` brings nothing: no consumer here wants logs of that severity");
                ("rule_unwanted", text, json!({ "rule": rule }))
            }
        }
    }
}
