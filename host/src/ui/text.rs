//! Texts in a given width: wrapped between words, or cut there.

use ratatui::text::Span;

/// How many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// A text in no more than so many columns; what is cut is cut after a word, if there is one, and marked.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut head = String::new();
    for c in text.chars() {
        head.push(c);
        if width(&head) + 1 > columns {
            head.pop();
            break;
        }
    }
    // Half of a line is too much to lose for a long word.
    let end = head.rfind(' ').filter(|end| *end * 2 > head.len()).unwrap_or(head.len());
    format!("{}…", head[..end].trim_end())
}

/// A text in lines of no more than so many columns; a word that is longer is split.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut current = String::new();
        for word in line.split_inclusive(' ') {
            if !current.is_empty() && width(&current) + width(word.trim_end()) > columns {
                lines.push(std::mem::take(&mut current));
            }
            for c in word.chars() {
                if width(&current) >= columns && c != ' ' {
                    lines.push(std::mem::take(&mut current));
                }
                current.push(c);
            }
        }
        lines.push(current);
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_after_words() {
        assert_eq!(fit("one two three", 13), "one two three");
        assert_eq!(fit("one two three", 12), "one two…");
        assert_eq!(fit("a-long-name", 6), "a-lon…");
        assert_eq!(fit("日本語", 5), "日本…");
    }

    #[test]
    fn texts_are_wrapped_between_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("error     1\n\n  critical  2", 20), ["error     1", "", "  critical  2"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("", 3), Vec::<String>::new());
    }
}
