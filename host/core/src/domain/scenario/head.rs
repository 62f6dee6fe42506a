//! Reads one line of a scenario from left to right: words, quotes, `key=value`.
//!
//! It knows how words are written, not which of them a log or an expectation has.

use super::error::SyntaxErrorKind as Kind;
use super::excerpt::shown;

/// What is wrong in a line, and where.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

/// Bytes of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) at: usize,
    pub(super) length: usize,
}

impl Span {
    /// `kind`, about these bytes.
    pub(super) fn fault(self, kind: impl Into<Kind>) -> Fault {
        Fault { kind: kind.into(), span: self }
    }
}

/// Whether a `:` ends the head of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colon {
    EndsHead,
    IsText,
}

/// A word of a head. The kinds are told apart by how they are written.
#[derive(Debug)]
pub(super) enum Word<'a> {
    /// `@source`
    Source(String),
    /// `key=value`
    Pair(&'a str, String),
    /// Anything else.
    Other(&'a str),
}

/// A position in a line.
pub(super) struct Head<'a> {
    line: &'a str,
    at: usize,
    colon: Colon,
}

impl<'a> Head<'a> {
    /// The start of `line`.
    pub(super) fn new(line: &'a str, colon: Colon) -> Self {
        Self { line, at: 0, colon }
    }

    /// The characters up to the next blank or `:`.
    pub(super) fn keyword(&mut self) -> &'a str {
        self.take_until(|c| is_blank(c) || c == ':')
    }

    /// Makes a `:` from here on mean what `colon` says.
    pub(super) fn set_colon(&mut self, colon: Colon) {
        self.colon = colon;
    }

    /// The next word and where it is, or none where the head ends.
    pub(super) fn word(&mut self) -> Result<Option<(Span, Word<'a>)>, Fault> {
        self.take_until(|c| !is_blank(c));
        if self.ends() {
            return Ok(None);
        }
        let (at, colon) = (self.at, self.colon);
        let word = if self.rest().starts_with('@') {
            self.at += 1;
            Word::Source(self.value()?.ok_or_else(|| self.since(at).fault(Kind::NoSource))?)
        } else {
            let key = self.take_until(|c| ends_word(c, colon) || c == '=' || c == '"');
            if !key.is_empty() && self.rest().starts_with('=') {
                self.at += 1;
                let missing = |head: &Self| head.since(at).fault(Kind::NoValue { key: shown(key) });
                Word::Pair(key, self.value()?.ok_or_else(|| missing(self))?)
            } else {
                self.take_until(|c| ends_word(c, colon));
                Word::Other(&self.line[at..self.at])
            }
        };
        Ok(Some((self.since(at), word)))
    }

    /// The next word as a mere text, in quotes or not, and where it is; none where the head ends.
    pub(super) fn text(&mut self) -> Result<Option<(Span, String)>, Fault> {
        self.take_until(|c| !is_blank(c));
        let at = self.at;
        Ok(self.value()?.map(|text| (self.since(at), text)))
    }

    /// What comes after the `:` and one space.
    pub(super) fn message(&self) -> Result<&'a str, Fault> {
        let message = self.rest().strip_prefix(':').ok_or_else(|| self.here().fault(Kind::NoColon))?;
        Ok(message.strip_prefix(' ').unwrap_or(message))
    }

    /// What is between byte `from` and here.
    pub(super) fn since(&self, from: usize) -> Span {
        Span { at: from, length: self.at - from }
    }

    /// What is written there.
    pub(super) fn text_of(&self, span: Span) -> &'a str {
        &self.line[span.at..span.at + span.length]
    }

    /// The end of what was read, where something is missing.
    pub(super) fn here(&self) -> Span {
        self.since(self.at)
    }

    /// A value with or without quotes; none where a word ends at once.
    fn value(&mut self) -> Result<Option<String>, Fault> {
        if self.rest().starts_with('"') {
            return self.quoted().map(Some);
        }
        let (at, colon) = (self.at, self.colon);
        let text = self.take_until(|c| ends_word(c, colon));
        if let Some(quote) = text.find('"') {
            return Err(Span { at: at + quote, length: 1 }.fault(Kind::QuoteInWord));
        }
        if text.is_empty() {
            return Ok(None);
        }
        if colon == Colon::EndsHead
            && self.rest().strip_prefix(':').is_some_and(|rest| !rest.is_empty() && !rest.starts_with(' '))
        {
            let colon = Span { at: self.at, length: 1 };
            return Err(colon.fault(Kind::UnclearColon { word: shown(text) }));
        }
        Ok(Some(text.to_owned()))
    }

    fn quoted(&mut self) -> Result<String, Fault> {
        let (opening, inside) = (self.at, self.at + 1);
        let mut text = String::new();
        let mut chars = self.line[inside..].char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at = inside + at + 1;
                    return if self.ends() || self.rest().starts_with(is_blank) {
                        Ok(text)
                    } else {
                        let length = self.rest().chars().next().map_or(0, char::len_utf8);
                        Err(Span { at: self.at, length }.fault(Kind::TextAfterQuote))
                    };
                }
                '\\' => match chars.next() {
                    Some((_, c @ ('"' | '\\'))) => text.push(c),
                    _ => return Err(Span { at: inside + at, length: 1 }.fault(Kind::UnknownEscape)),
                },
                c => text.push(c),
            }
        }
        Err(Span { at: opening, length: 1 }.fault(Kind::UnclosedQuote))
    }

    /// Whether the head ends here.
    fn ends(&self) -> bool {
        self.rest().chars().next().is_none_or(|c| c == ':' && self.colon == Colon::EndsHead)
    }

    fn rest(&self) -> &'a str {
        &self.line[self.at..]
    }

    fn take_until(&mut self, end: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken = &rest[..rest.find(end).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }
}

/// Whether `c` separates words.
pub(super) fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

fn ends_word(c: char, colon: Colon) -> bool {
    is_blank(c) || (c == ':' && colon == Colon::EndsHead)
}
