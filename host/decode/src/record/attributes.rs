//! The attributes of a log, within their bounds.

use loghost_core::domain::Attributes as Domain;

use crate::options::Bounds;
use crate::value::Value;

/// Keys and values, each key once.
pub(super) struct Attributes {
    list: Vec<(String, String)>,
    most: usize,
    /// How many bytes are left.
    left: usize,
}

/// The longest key (AMQP 0-9-1, section 4.2.5.5).
const LONGEST_KEY: usize = 128;

impl Attributes {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self { list: Vec::with_capacity(8), most: bounds.attributes, left: bounds.attribute_bytes }
    }

    /// Adds a value as text.
    pub(super) fn push_value(&mut self, key: &str, value: &Value<'_>) {
        if self.takes(key) && !value.is_empty() {
            self.push(key, &value.to_text());
        }
    }

    /// Adds a key and a value; a value that is too long is cut. Keys that a broker acts on are left out, and those that are
    /// there already.
    pub(super) fn push(&mut self, key: &str, value: &str) {
        if !self.takes(key) {
            return;
        }
        let mut end = value.len().min(self.left - key.len());
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        self.left -= key.len() + end;
        self.list.push((key.to_owned(), value[..end].to_owned()));
    }

    fn takes(&self, key: &str) -> bool {
        self.list.len() < self.most
            && key.len() < self.left
            && (1..=LONGEST_KEY).contains(&key.len())
            && !Domain::is_reserved(key)
            && !self.list.iter().any(|(other, _)| other == key)
    }

    pub(super) fn into_list(self) -> Vec<(String, String)> {
        self.list
    }
}
