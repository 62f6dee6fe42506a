//! What can be wrong with a scenario, and where.

use std::fmt;

use super::excerpt::{Excerpt, shown};
use super::head::Span;
use crate::domain::{AttributesError, SourceNameError, printable};

/// What is wrong with a scenario, and where. It shows as the position, the reason, and the line with a
/// caret below; whoever knows the file's name puts it and a `:` in front. Nothing in it can command a
/// terminal, whatever the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    line: u64,
    column: u32,
    kind: SyntaxErrorKind,
    excerpt: Box<Excerpt>,
}

impl SyntaxError {
    /// `kind`, seen in `text`, which is line `line`, in these bytes.
    pub(super) fn new(kind: SyntaxErrorKind, line: u64, text: &str, span: Span) -> Self {
        let column = text[..span.at].chars().count().saturating_add(1);
        let column = u32::try_from(column).unwrap_or(u32::MAX);
        Self { line, column, kind, excerpt: Box::new(Excerpt::new(text, span.at, span.length)) }
    }

    /// The line, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The column in characters, from 1; one past the last where something is missing at the end.
    pub fn column(&self) -> u32 {
        self.column
    }

    /// What is wrong.
    pub fn kind(&self) -> &SyntaxErrorKind {
        &self.kind
    }
}

impl std::error::Error for SyntaxError {}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{}: {}", self.line, self.column, printable(&self.kind.to_string()))?;
        let number = self.line.to_string();
        writeln!(f, "  {number} | {}", self.excerpt.text())?;
        write!(f, "  {:1$} | {2}", "", number.len(), self.excerpt.carets())
    }
}

/// What is wrong. Words of the scenario in it are cut if they are long.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxErrorKind {
    /// The line is longer than [`super::MAX_BYTES`].
    #[error("the line has more than 16 MiB")]
    LongLine,
    /// The line is not text.
    #[error("this is not UTF-8: a scenario is text in UTF-8")]
    NotUtf8,
    /// The line begins with a blank.
    #[error("a line begins in the first column: with a severity, `expect`, `|` or `#`")]
    Indented,
    /// The first word is no severity.
    #[error("`{word}` is no severity: expected debug, info, error or critical{}", did_you_mean(*.suggestion))]
    UnknownSeverity {
        /// The word.
        word: String,
        /// What was probably meant.
        suggestion: Option<&'static str>,
    },
    /// A log comes after an expectation.
    #[error("a log after an `expect`: all logs come first, and a line of a metric begins with `| `")]
    LogAfterExpect,
    /// A `|` line is not directly below a log, an `expect` or another `|` line.
    #[error("this continues nothing: a `|` line is directly below a log or an `expect`")]
    NothingToContinue,
    /// The head of a log does not end.
    #[error("the message is missing: a `:` comes before it, even if it is empty")]
    NoColon,
    /// A `:` may belong to the word before it or end the head.
    #[error(
        "is this `:` part of `{word}`, or does the message begin here? \
         write the former in quotes, the latter with a space after the `:`"
    )]
    UnclearColon {
        /// The source or value before it.
        word: String,
    },
    /// A word in the head of a log is none that is expected there.
    #[error(
        "`{word}` is not expected here: only xN, @source and key=value come before the `:`; is that missing before \
         the message?"
    )]
    StrayWord {
        /// The word.
        word: String,
    },
    /// A word after `expect` is no setting.
    #[error("`{word}` is no setting: expected key=value")]
    NoSetting {
        /// The word.
        word: String,
    },
    /// How many times a log is sent is zero or beyond counting.
    #[error("`{word}` is no number of times: expected x1 to x{max}", max = u64::MAX)]
    NoTimes {
        /// The word.
        word: String,
    },
    /// How many times a log is sent is said twice.
    #[error("how many times the log is sent is said twice")]
    TimesTwice,
    /// The source is given twice.
    #[error("a log has one source: this is the second")]
    SourceTwice,
    /// There is nothing after `@`.
    #[error("the source is missing after the `@`")]
    NoSource,
    /// There is nothing after `key=`.
    #[error("the value of `{key}` is missing: an empty one is written {key}=\"\"")]
    NoValue {
        /// The key.
        key: String,
    },
    /// A quote is not closed on its line.
    #[error("this quote is not closed on its line")]
    UnclosedQuote,
    /// A backslash in quotes is followed by something else than `"` or `\`.
    #[error(r#"a backslash in quotes is written `\\`, and only `\"` and `\\` begin with one"#)]
    UnknownEscape,
    /// A quote is inside a word.
    #[error("a quote inside a word: what has a quote in it is in quotes as a whole, with `\\\"` inside")]
    QuoteInWord,
    /// Something follows a closing quote directly.
    #[error("a closing quote ends the word: expected a blank or the end of the head after it")]
    TextAfterQuote,
    /// A source that AMQP cannot carry.
    #[error(transparent)]
    Source(SourceNameError),
    /// An attribute that cannot travel with a log.
    #[error(transparent)]
    Attribute(AttributesError),
    /// `expect` is followed by nothing.
    #[error("`expect` is followed by a bundled plugin's name or the path of a plugin")]
    NoConsumer,
    /// A consumer that is neither a name nor a path.
    #[error(
        "`{word}` is neither a bundled plugin's name (of a-z, 0-9 and `-`) nor a path \
         (with a `/` in it, or `.wasm` at its end)"
    )]
    UnknownConsumer {
        /// The word.
        word: String,
    },
    /// A setting is given twice.
    #[error("the setting `{key}` is given twice")]
    SettingTwice {
        /// Its key.
        key: String,
    },
    /// A consumer is expected twice with equal settings.
    #[error("`{consumer}` is expected twice with the same settings, first in line {first}")]
    ExpectedTwice {
        /// The consumer.
        consumer: String,
        /// The line of the first expectation.
        first: u64,
    },
    /// A message or an expected text is longer than [`super::MAX_BYTES`].
    #[error("with this line the text has more than 16 MiB")]
    LongText,
    /// The logs are beyond counting.
    #[error("with this line the scenario has more than {max} logs", max = u64::MAX)]
    TooManyLogs,
}

impl From<SourceNameError> for SyntaxErrorKind {
    fn from(error: SourceNameError) -> Self {
        Self::Source(error)
    }
}

impl From<AttributesError> for SyntaxErrorKind {
    fn from(error: AttributesError) -> Self {
        Self::Attribute(match error {
            AttributesError::LongKey(key) => AttributesError::LongKey(shown(&key)),
            other => other,
        })
    }
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |word| format!(" (did you mean `{word}`?)"))
}
