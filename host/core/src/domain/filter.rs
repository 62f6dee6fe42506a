//! Which logs a consumer wants.

use std::fmt;

use super::{Severities, Severity};

/// Severities and sources that a consumer wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    severities: Severities,
    sources: Vec<Pattern>,
}

impl Filter {
    /// A filter for `severities` from `sources`; without a pattern, from all of them.
    pub fn new(severities: Severities, mut sources: Vec<Pattern>) -> Self {
        if sources.is_empty() {
            sources.push(Pattern::everything());
        }
        Self { severities, sources }
    }

    /// Whether a log of `severity` from `source` (empty: unnamed) is wanted.
    pub fn wants(&self, severity: Severity, source: &str) -> bool {
        self.severities.contains(severity) && self.sources.iter().any(|pattern| pattern.matches(source))
    }

    /// The severities wanted.
    pub fn severities(&self) -> Severities {
        self.severities
    }

    /// The patterns of which a source matches one; never empty.
    pub fn sources(&self) -> &[Pattern] {
        &self.sources
    }
}

/// A topic pattern: words separated by dots, where `*` stands for one word and `#` for any number of
/// them (AMQP 0-9-1, section 3.1.3.3). At most 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

/// Why a text cannot be a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It has no character, and would match only unnamed sources.
    #[error("a source pattern must not be empty")]
    Empty,
    /// It is longer than AMQP can carry.
    #[error("a source pattern has at most 255 bytes, this one has {0}")]
    TooLong(usize),
}

impl Pattern {
    /// Takes `text` as a pattern.
    pub fn new(text: impl Into<String>) -> Result<Self, PatternError> {
        let text = text.into();
        match text.len() {
            0 => Err(PatternError::Empty),
            1..=255 => Ok(Self(text)),
            length => Err(PatternError::TooLong(length)),
        }
    }

    /// The pattern that every source matches, also the unnamed one.
    pub fn everything() -> Self {
        Self("#".to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A word that has `*` or `#` in it and is neither: there, they stand for themselves.
    pub fn word_with_wildcard(&self) -> Option<&str> {
        self.0.split('.').find(|word| word.len() > 1 && word.contains(['*', '#']))
    }

    /// Whether `source` matches.
    pub fn matches(&self, source: &str) -> bool {
        if self.0 == "#" {
            return true;
        }
        let pattern: Vec<&str> = self.0.split('.').collect();
        let words: Vec<&str> = if source.is_empty() { Vec::new() } else { source.split('.').collect() };
        words_match(&pattern, &words)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Matches greedily, and goes back to the last `#` where that fails: linear in memory, and never
/// exponential however many `#` there are.
fn words_match(pattern: &[&str], words: &[&str]) -> bool {
    let (mut p, mut w) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while w < words.len() {
        if pattern.get(p) == Some(&"#") {
            retry = Some((p, w));
            p += 1;
        } else if pattern.get(p).is_some_and(|word| *word == "*" || *word == words[w]) {
            p += 1;
            w += 1;
        } else if let Some((hash, from)) = retry {
            retry = Some((hash, from + 1));
            p = hash + 1;
            w = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|word| *word == "#")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let pattern = Pattern::new(pattern).unwrap();
        for source in matching {
            assert!(pattern.matches(source), "{pattern} should match {source:?}");
        }
        for source in others {
            assert!(!pattern.matches(source), "{pattern} should not match {source:?}");
        }
    }

    #[test]
    fn patterns_match_words() {
        check("#", &["", "a", "a.b"], &[]);
        check("*", &["a"], &["", "a.b"]);
        check("a.*", &["a.b", "a."], &["a", "a.b.c", "b.a"]);
        check("a.#", &["a", "a.b", "a.b.c"], &["", "b", "ab"]);
        check("#.c", &["c", "a.c", "a.b.c"], &["", "c.a"]);
        check("a.#.b.#.c", &["a.b.c", "a.x.b.y.z.c", "a.b.b.c"], &["a.c", "a.b", "a.c.b"]);
        check("#.#", &["", "a", "a.b"], &[]);
        check("db-1", &["db-1"], &["db-10", "db.1"]);
    }

    #[test]
    fn a_filter_wants_severity_and_source() {
        let errors = Severities::from_iter([Severity::Error]);
        assert!(Filter::new(errors, vec![]).wants(Severity::Error, ""));
        assert!(!Filter::new(errors, vec![]).wants(Severity::Info, ""));
        let from_web = Filter::new(errors, vec![Pattern::new("web.*").unwrap()]);
        assert!(from_web.wants(Severity::Error, "web.1"));
        assert!(!from_web.wants(Severity::Error, "db.1"));
    }
}
