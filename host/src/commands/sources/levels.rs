//! Whether the routing keys of an exchange tell the levels of its logs, and by which patterns a broker selects by them then.

use std::collections::BTreeMap;

use loghost_core::domain::{Pattern, Severity};
use loghost_decode::{KeyLevel, SeverityMap};

/// The levels that were seen in routing keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Levels {
    /// The words for them.
    words: BTreeMap<String, Severity>,
    /// Where they are, as far as all keys agree.
    position: Option<WordPosition>,
    /// Not every key tells.
    is_refuted: bool,
}

/// Where a level is, in all keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct WordPosition {
    /// Each key is one word.
    is_alone: bool,
    is_last: bool,
    /// So many words are before it; none if that differs.
    before: Option<usize>,
}

/// The levels of a library, which are all that there are.
struct Vocabulary {
    /// Who is known to have these.
    producers: &'static [&'static str],
    levels: &'static [(&'static str, Severity)],
}

const VOCABULARIES: [Vocabulary; 4] = [
    Vocabulary {
        producers: &["python-logging-rabbitmq", "Python logging"],
        levels: &[
            ("debug", Severity::Debug),
            ("info", Severity::Info),
            ("warning", Severity::Info),
            ("error", Severity::Error),
            ("critical", Severity::Critical),
        ],
    },
    Vocabulary {
        producers: &["RabbitMQ's log", "Monolog"],
        levels: &[
            ("debug", Severity::Debug),
            ("info", Severity::Info),
            ("notice", Severity::Info),
            ("warning", Severity::Info),
            ("error", Severity::Error),
            ("critical", Severity::Critical),
            ("alert", Severity::Critical),
            ("emergency", Severity::Critical),
        ],
    },
    Vocabulary {
        producers: &["pino", "Bunyan", "Logback", "Log4j 2", "Spring AMQP"],
        levels: &[
            ("trace", Severity::Debug),
            ("debug", Severity::Debug),
            ("info", Severity::Info),
            ("warn", Severity::Info),
            ("error", Severity::Error),
            ("fatal", Severity::Critical),
        ],
    },
    Vocabulary {
        producers: &["winston-amqp-transport"],
        levels: &[
            ("silly", Severity::Debug),
            ("debug", Severity::Debug),
            ("verbose", Severity::Debug),
            ("http", Severity::Debug),
            ("info", Severity::Info),
            ("warn", Severity::Info),
            ("error", Severity::Error),
        ],
    },
];

/// More words are no levels of a library.
const MOST_WORDS: usize = 32;

impl Levels {
    /// Notes the key of a log of this severity.
    pub(super) fn note(&mut self, key: &str, severity: Option<Severity>) {
        let level = KeyLevel::find(key, &SeverityMap::default());
        let Some(level) =
            level.filter(|level| Some(level.severity) == severity && self.words.len() < MOST_WORDS)
        else {
            self.is_refuted = true;
            return;
        };
        let words = key.split('.').count();
        let here = WordPosition {
            is_alone: words == 1,
            is_last: level.index + 1 == words,
            before: Some(level.index),
        };
        self.position = Some(self.position.map_or(here, |position| position.and(here)));
        self.words.insert(level.word.to_owned(), level.severity);
    }

    /// Whether all keys tell, and where.
    fn position(&self) -> Option<WordPosition> {
        self.position.filter(|position| !self.is_refuted && (position.is_last || position.before.is_some()))
    }

    /// The words for levels, if all keys have one.
    pub(super) fn words(&self) -> Option<Vec<String>> {
        self.position().map(|_| self.words.keys().cloned().collect())
    }

    /// The pattern of each level and what it is, also of those that were not seen: if it is known of these `producers`, or
    /// told by the words that were seen, which levels there are.
    pub(super) fn patterns(&self, producers: &[&str]) -> Option<Vec<(Pattern, Severity)>> {
        let position = self.position()?;
        let first = self.words.keys().next()?;
        let cases = [str::to_lowercase, str::to_uppercase, capitalized];
        let case = cases.into_iter().find(|case| case(first) == *first)?;
        let levels = self.vocabulary(producers, case)?.levels;
        levels.iter().map(|(word, severity)| Some((position.pattern(&case(word))?, *severity))).collect()
    }

    /// The one vocabulary that has all words that were seen.
    fn vocabulary(&self, producers: &[&str], case: fn(&str) -> String) -> Option<&'static Vocabulary> {
        let has_all = |vocabulary: &&Vocabulary| {
            self.words.keys().all(|seen| vocabulary.levels.iter().any(|(word, _)| case(word) == *seen))
        };
        let fitting: Vec<&Vocabulary> = VOCABULARIES.iter().filter(has_all).collect();
        let is_theirs =
            |vocabulary: &&Vocabulary| producers.iter().all(|name| vocabulary.producers.contains(name));
        if let Some(theirs) = fitting.iter().copied().find(is_theirs) {
            return Some(theirs);
        }
        let is_part = |vocabulary: &Vocabulary| {
            let mut others = fitting.iter().filter(|other| other.levels.len() > vocabulary.levels.len());
            others.any(|other| vocabulary.levels.iter().all(|level| other.levels.contains(level)))
        };
        let mut whole = fitting.iter().copied().filter(|vocabulary| !is_part(vocabulary));
        whole.next().filter(|_| whole.next().is_none())
    }
}

impl WordPosition {
    /// What both have in common.
    fn and(self, other: Self) -> Self {
        Self {
            is_alone: self.is_alone && other.is_alone,
            is_last: self.is_last && other.is_last,
            before: self.before.filter(|_| self.before == other.before),
        }
    }

    /// The pattern of the keys that have this word there.
    fn pattern(self, word: &str) -> Option<Pattern> {
        let pattern = match self.before {
            _ if self.is_alone => word.to_owned(),
            _ if self.is_last => format!("#.{word}"),
            before => format!("{}{word}.#", "*.".repeat(before?)),
        };
        Pattern::new(pattern).ok()
    }
}

fn capitalized(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    first.to_uppercase() + &rest.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The patterns for logs with these keys, of this producer, each of the severity that its key says.
    fn patterns(keys: &[&str], producer: &str) -> Option<String> {
        let mut levels = Levels::default();
        for key in keys {
            let said = KeyLevel::find(key, &SeverityMap::default()).map(|level| level.severity);
            levels.note(key, said);
        }
        let patterns = levels.patterns(&[producer])?;
        let texts = patterns.iter().map(|(pattern, severity)| format!("{pattern}={severity}"));
        Some(texts.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_pattern_is_where_the_level_is() {
        let all = "debug=debug info=info notice=info warning=info error=error critical=critical alert=critical \
                   emergency=critical";
        assert_eq!(patterns(&["info", "error"], "RabbitMQ's log").unwrap(), all);
        let last = patterns(&["shop.ERROR", "INFO", "shop.cart.INFO"], "python-logging-rabbitmq").unwrap();
        assert_eq!(last, "#.DEBUG=debug #.INFO=info #.WARNING=info #.ERROR=error #.CRITICAL=critical");
        let first = patterns(&["error.shop", "notice.shop.cart"], "Monolog").unwrap();
        assert!(first.starts_with("debug.#=debug info.#=info notice.#=info"), "{first}");
        let between = patterns(&["logs.error.web", "logs.fatal.web.1"], "text").unwrap();
        assert_eq!(
            between,
            "*.trace.#=debug *.debug.#=debug *.info.#=info *.warn.#=info *.error.#=error *.fatal.#=critical"
        );
        assert!(patterns(&["Error.Shop", "Fatal.Shop"], "JSON").unwrap().contains("Trace.#=debug"));
    }

    #[test]
    fn where_levels_may_be_missed_there_is_none() {
        // It may be warn or warning.
        assert_eq!(patterns(&["info", "error"], "text"), None);
        assert_eq!(patterns(&["shop.warn", "shop.fatal", "shop.verbose"], "text"), None);
        assert_eq!(patterns(&["shop.TRACE", "shop.WARNING"], "python-logging-rabbitmq"), None);
        assert_eq!(patterns(&["shop.ERROR", "shop.Level 35"], "python-logging-rabbitmq"), None);
        assert_eq!(patterns(&["error.a", "b.c.error.a"], "Monolog"), None);
        assert_eq!(patterns(&["shop.warning", "shop"], "Monolog"), None);
        assert_eq!(patterns(&[], "Monolog"), None);
    }

    #[test]
    fn a_message_may_say_something_else_than_its_key() {
        let mut levels = Levels::default();
        levels.note("logs.error.web", Some(Severity::Info));
        levels.note("logs.fatal.web", Some(Severity::Critical));
        assert_eq!((levels.words(), levels.patterns(&["text"])), (None, None));
    }
}
