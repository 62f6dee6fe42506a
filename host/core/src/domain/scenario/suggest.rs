//! What somebody probably meant to write.

/// The one of `words` that `written` is most like, if it is like any.
pub(super) fn suggest(written: &str, words: &[&'static str]) -> Option<&'static str> {
    if !(2..=16).contains(&written.chars().count()) {
        return None;
    }
    let written = written.to_lowercase();
    let like = |word: &&&str| {
        let short = written.len() >= 3 && word.starts_with(&written);
        short || distance(&written, word) * 2 <= written.chars().count()
    };
    words.iter().filter(like).min_by_key(|word| distance(&written, word)).copied()
}

/// How many characters must be added, removed or replaced to make one text of the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.chars().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[row.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_recognised_and_other_words_are_not() {
        let words = ["debug", "info", "error", "critical", "expect"];
        for (written, meant) in [
            ("eror", Some("error")),
            ("ERROR", Some("error")),
            ("inof", Some("info")),
            ("crit", Some("critical")),
            ("expects", Some("expect")),
            ("warning", None),
            ("x3", None),
            ("", None),
        ] {
            assert_eq!(suggest(written, &words), meant, "{written}");
        }
    }
}
