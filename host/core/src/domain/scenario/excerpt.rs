//! The part of a line that an error points at, ready to be shown. It knows no grammar.

use crate::domain::printable;

/// How many characters are shown of what comes before, of what is marked, and of what comes after.
const SHOWN: usize = 40;

/// A line with a mark in it, cut around the mark and without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    before: String,
    marked: String,
    after: String,
}

impl Excerpt {
    /// `line` with a mark on the `length` bytes from byte `at`.
    pub(super) fn new(line: &str, at: usize, length: usize) -> Self {
        let (before, rest) = line.split_at(at);
        let (marked, after) = rest.split_at(length);
        // Of a long mark the beginning says what it is; what follows it is then of no interest.
        let after = match cut(marked) {
            Some(_) => String::new(),
            None => shown(after),
        };
        Self { before: shown_end(before), marked: shown(marked), after }
    }

    /// The line.
    pub(super) fn text(&self) -> String {
        format!("{}{}{}", self.before, self.marked, self.after)
    }

    /// Carets, to be shown below the line.
    pub(super) fn carets(&self) -> String {
        " ".repeat(width(&self.before)) + &"^".repeat(width(&self.marked).max(1))
    }
}

/// The beginning of `text`, safe to show on one line.
pub(super) fn shown(text: &str) -> String {
    match cut(text) {
        Some(at) => one_line(&text[..at]) + "…",
        None => one_line(text),
    }
}

/// The end of `text`, safe to show on one line.
fn shown_end(text: &str) -> String {
    match text.char_indices().rev().nth(SHOWN - 1) {
        Some((at, _)) if at > 0 => format!("…{}", one_line(&text[at..])),
        _ => one_line(text),
    }
}

/// Where `text` is cut if it is long.
fn cut(text: &str) -> Option<usize> {
    text.char_indices().nth(SHOWN).map(|(at, _)| at)
}

fn one_line(text: &str) -> String {
    printable(text).replace(['\t', '\n'], " ")
}

/// How many columns of a terminal `text` takes. It is near enough to place a caret, not exact.
fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    match u32::from(c) {
        // Combining marks, joiners and variation selectors.
        0x0300..=0x036f
        | 0x0483..=0x0489
        | 0x0591..=0x05bd
        | 0x0610..=0x061a
        | 0x064b..=0x065f
        | 0x093a..=0x093c
        | 0x0941..=0x0948
        | 0x094d
        | 0x0e31
        | 0x0e34..=0x0e3a
        | 0x0e47..=0x0e4e
        | 0x1ab0..=0x1aff
        | 0x1dc0..=0x1dff
        | 0x200b..=0x200d
        | 0x20d0..=0x20ff
        | 0xfe00..=0xfe0f
        | 0xfe20..=0xfe2f
        | 0xe0100..=0xe01ef => 0,
        // East Asian wide characters and emoji.
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, at: usize, length: usize, expected: &str) {
        let excerpt = Excerpt::new(line, at, length);
        assert_eq!(format!("{}\n{}", excerpt.text(), excerpt.carets()), expected);
    }

    #[test]
    fn carets_are_below_what_is_marked() {
        check("eror: x", 0, 4, "eror: x\n^^^^");
        check("error", 5, 0, "error\n     ^");
        check("a\tb c", 4, 1, "a b c\n    ^");
        check("你é c", "你é ".len(), 1, "你é c\n    ^");
        check("\u{1b}[2J c", 5, 1, "\\u{1b}[2J c\n          ^");
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let line = format!("{}!{}", "a".repeat(100), "b".repeat(100));
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        check(&line, 100, 1, &format!("…{a}!{b}…\n{}^", " ".repeat(41)));
        check(&line, 0, 100, &format!("{a}…\n{}", "^".repeat(41)));
        check(&"a".repeat(41), 40, 1, &format!("{a}a\n{}^", " ".repeat(40)));
    }
}
