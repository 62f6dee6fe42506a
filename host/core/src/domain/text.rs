//! Text that somebody else wrote, made safe to show.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` with its control characters written out (`\u{1b}`), so that a terminal shows it and obeys
/// nothing in it: C0, DEL, C1, and the characters that change the direction of what follows. Line ends
/// and tabs stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    written_out(text, |c| is_unsafe(c) && c != '\n')
}

/// [`printable`] text that stays on one line, whatever it says: its line ends are written out as well.
pub fn printable_line(text: &str) -> Cow<'_, str> {
    written_out(text, is_unsafe)
}

fn written_out(text: &str, hidden: fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if hidden(c) {
            // Writing to a string cannot fail.
            let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

fn is_unsafe(c: char) -> bool {
    let direction =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    direction || (c.is_control() && c != '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(printable("\u{1b}[2Jgone\r\u{9b}1m\u{202e}"), "\\u{1b}[2Jgone\\u{d}\\u{9b}1m\\u{202e}");
        assert_eq!(printable_line("one\nline"), "one\\u{a}line");
        assert!(matches!(printable("база\tнедоступна ☠\nline"), Cow::Borrowed(_)));
    }
}
