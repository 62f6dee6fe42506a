//! Text that somebody else wrote, made safe to show.

use std::borrow::Cow;
use std::fmt::Write;

/// What is shown instead of a secret.
pub const HIDDEN: &str = "***";

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

/// A URL without user, password, query and fragment: what may be secret in it. Where it cannot be told which part is which,
/// nothing but the scheme.
pub fn without_login(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return HIDDEN.to_owned() };
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // One of these in a password ends the host, as a parser sees it.
    if rest.contains('@') {
        return format!("{scheme}://{HIDDEN}");
    }
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
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

    #[test]
    fn nothing_of_a_url_that_may_be_secret_is_left() {
        for (url, shown) in [
            ("https://bob:s3cret@host:4318/v1/traces?key=s3cret", "https://host:4318/v1/traces"),
            ("http://bob@[::1]:1#s3cret", "http://[::1]:1"),
            ("http://bob:s3@cret@host", "http://host"),
            ("http://bob:s3/cret@host/", "http://***"),
            ("http://bob:s3?cret@host", "http://***"),
            ("bob:s3cret@host", "***"),
            ("http://host:15672/", "http://host:15672/"),
        ] {
            assert_eq!(without_login(url), shown, "{url}");
        }
    }
}
