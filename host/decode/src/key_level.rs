//! The level that a routing key names.

use loghost_core::domain::Severity;

use crate::level::{self, SeverityMap};
use crate::plain;

/// A word of a routing key that names a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyLevel<'k> {
    /// What it stands for.
    pub severity: Severity,
    /// The word as it is in the key.
    pub word: &'k str,
    /// Which of the words between dots it is, from 0.
    pub index: usize,
}

impl<'k> KeyLevel<'k> {
    /// The last word of a key that names a level, or else the first, or one between.
    pub fn find(key: &'k str, severities: &SeverityMap) -> Option<Self> {
        let words: Vec<&str> = key.split('.').collect();
        let last = words.len() - 1;
        let order = [last, 0].into_iter().chain(1..last.max(1));
        order.into_iter().find_map(|index| {
            let word = words[index];
            let plain = plain::uncoloured(word);
            let severity = severities.word(&plain)?;
            let is_named =
                level::is_plain_level(&plain) || level::canonical(&plain.to_ascii_lowercase()).is_none();
            is_named.then_some(Self { severity, word, index })
        })
    }
}
