//! Topic patterns: words between dots, `*` for exactly one, `#` for any number of them.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    words: Vec<Word>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Exactly(Box<str>),
    One,
    Any,
}

impl Pattern {
    pub(crate) fn new(pattern: &str) -> Self {
        let words = words(pattern)
            .map(|word| match word {
                "*" => Word::One,
                "#" => Word::Any,
                word => Word::Exactly(word.into()),
            })
            .collect();
        Self { words }
    }

    pub(crate) fn matches(&self, routing_key: &str) -> bool {
        if self.words == [Word::Any] {
            return true;
        }
        let mut key = words(routing_key);
        let mut at = 0;
        // The last `#`, and the words that it has not matched yet. It is enough to backtrack to the last one, so
        // matching takes at most pattern times key.
        let mut last_any = None;
        loop {
            let rest = key.clone();
            match (self.words.get(at), key.next()) {
                (Some(Word::Any), _) => {
                    at += 1;
                    last_any = Some((at, rest.clone()));
                    key = rest;
                }
                (None, None) => return true,
                (Some(Word::One), Some(_)) => at += 1,
                (Some(Word::Exactly(expected)), Some(word)) if **expected == *word => at += 1,
                _ => {
                    let Some((after, mut untaken)) = last_any else {
                        return false;
                    };
                    if untaken.next().is_none() {
                        return false;
                    }
                    at = after;
                    key = untaken.clone();
                    last_any = Some((after, untaken));
                }
            }
        }
    }
}

/// The words of a key or pattern. The empty one has none, as `RabbitMQ` has it.
fn words(text: &str) -> impl Iterator<Item = &str> + Clone {
    text.split('.').take(if text.is_empty() { 0 } else { usize::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let compiled = Pattern::new(pattern);
        for key in matching {
            assert!(compiled.matches(key), "'{pattern}' must match '{key}'");
        }
        for key in others {
            assert!(!compiled.matches(key), "'{pattern}' must not match '{key}'");
        }
    }

    #[test]
    fn words_are_compared_whole() {
        check("a.b", &["a.b"], &["a", "a.b.c", "a.bc", "", "a.b.", "*.b"]);
        check("", &[""], &["a", "."]);
        check("a.", &["a."], &["a"]);
    }

    #[test]
    fn star_is_exactly_one_word() {
        check("*", &["a", "abc"], &["", "a.b", "."]);
        check("*.b", &["a.b", ".b"], &["b", "a.a.b"]);
        check("a.*.c", &["a.b.c", "a..c"], &["a.c", "a.b.b.c"]);
        check("a*", &["a*"], &["ab"]);
    }

    #[test]
    fn hash_is_any_number_of_words() {
        check("#", &["", "a", "a.b.c", "."], &[]);
        check("a.#", &["a", "a.b", "a.b.c"], &["", "b.a", "ab"]);
        check("#.a", &["a", "b.a", "a.a", "c.b.a"], &["", "a.b"]);
        check("a.#.b", &["a.b", "a.x.b", "a.b.b", "a.b.x.b"], &["a", "b", "a.b.x"]);
        check("#.#", &["", "a", "a.b"], &[]);
        check("#.*", &["a", "a.b"], &[""]);
        check("*.#", &["a", "a.b"], &[""]);
        check("#.a.#.b.#", &["a.b", "x.a.y.b.z", "b.a.b"], &["b.a", "a"]);
    }

    #[test]
    fn many_hashes_take_no_exponential_time() {
        let pattern = "#.a.".repeat(30) + "#.b";
        check(&pattern, &[], &[&"a.".repeat(100)]);
    }
}
