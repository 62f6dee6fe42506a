//! The constants in a module's memory.

use std::fmt::Write;

/// The constants in a module's memory, from [`FIRST`] on.
#[derive(Default)]
pub(super) struct Constants(Vec<u8>);

/// Lower addresses are unused.
const FIRST: u32 = 1024;

/// A part of a record: four bytes, or a text (its address and its length).
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    Word(u32),
    Text(&'a str),
}

impl Constants {
    pub(super) fn end(&self) -> u32 {
        FIRST + u32::try_from(self.0.len()).expect("a small memory")
    }

    /// Adds a text; returns its address and its length, as two arguments of a call.
    pub(super) fn text(&mut self, text: &str) -> String {
        let at = self.end();
        self.0.extend(text.as_bytes());
        format!("(i32.const {at}) (i32.const {})", text.len())
    }

    /// Adds a record whose parts are aligned to four bytes, and which itself is to eight; returns its address.
    pub(super) fn record(&mut self, parts: &[Part<'_>]) -> u32 {
        let mut words = Vec::new();
        for part in parts {
            match part {
                Part::Word(word) => words.push(*word),
                Part::Text(text) => {
                    words.extend([self.end(), u32::try_from(text.len()).expect("a short text")]);
                    self.0.extend(text.as_bytes());
                }
            }
        }
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        let at = self.end();
        self.0.extend(words.into_iter().flat_map(u32::to_le_bytes));
        at
    }

    /// As a string of the text format.
    pub(super) fn escaped(&self) -> String {
        let mut text = String::with_capacity(self.0.len());
        for byte in &self.0 {
            if byte.is_ascii_alphanumeric() {
                text.push(char::from(*byte));
            } else {
                // Writing to a string cannot fail.
                let _ = write!(text, "\\{byte:02x}");
            }
        }
        text
    }
}
