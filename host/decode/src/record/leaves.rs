//! A record as a flat list of its values, with their paths: `err.stack`.

use std::borrow::Cow;

use super::roles::{self, Role};
use crate::level;
use crate::options::Bounds;
use crate::plain;
use crate::time;
use crate::value::{Table, Value};

/// A value of a record.
pub(super) struct Leaf<'r, 'a> {
    /// Its name, behind those of the objects that it is in.
    pub(super) path: Cow<'r, str>,
    pub(super) value: &'r Value<'a>,
    /// What it may be, and how well: the lowest rank is best.
    pub(super) role: Option<(Role, u8)>,
}

/// The longest path: that of an attribute.
const LONGEST_PATH: usize = 128;

/// How many values with a role are looked at.
const MOST_ROLES: usize = 256;

/// The values of a record, in several tables: all that may have a role, and as many others as there may be attributes.
pub(super) fn of<'r, 'a: 'r>(
    tables: impl Iterator<Item = &'r Table<'a>> + Clone,
    bounds: &Bounds,
) -> Vec<Leaf<'r, 'a>> {
    let length: usize = tables.clone().map(Vec::len).sum();
    let mut leaves = Leaves { list: Vec::with_capacity(length.min(64)), others: 0, bounds };
    for table in tables {
        leaves.walk(table, "", bounds.depth);
    }
    leaves.list
}

/// The level that a record names with a word that nobody knows.
pub(super) fn unknown_level<'l>(leaves: &'l [Leaf<'l, '_>]) -> Option<Cow<'l, str>> {
    let words = leaves.iter().filter(|leaf| leaf.is_level()).filter_map(|leaf| {
        let text = leaf.value.as_text()?;
        let is_word = leaf.value.as_number().is_none() && !text.trim().is_empty() && text.len() <= 64;
        is_word.then_some((leaf.rank(), text))
    });
    words.min_by_key(|(rank, _)| *rank).map(|(_, text)| text)
}

struct Leaves<'r, 'a, 'b> {
    list: Vec<Leaf<'r, 'a>>,
    others: usize,
    bounds: &'b Bounds,
}

impl<'r, 'a> Leaves<'r, 'a, '_> {
    fn walk(&mut self, record: &'r Table<'a>, prefix: &str, depth: usize) {
        for (name, value) in record {
            let length = prefix.len() + 1 + name.len();
            if matches!(value, Value::Null) || length > LONGEST_PATH + 1 || name.is_empty() {
                continue;
            }
            let path = if prefix.is_empty() {
                Cow::Borrowed(&**name)
            } else {
                let mut path = String::with_capacity(length);
                path.extend([prefix, ".", name]);
                Cow::Owned(path)
            };
            let role = roles::of(&path);
            let is_whole = |inner| match role {
                Some((Role::Message | Role::Stack, _)) => true,
                Some((Role::Time, _)) => time::seconds_of(inner).is_some(),
                _ => false,
            };
            match value {
                Value::Table(inner) if depth > 0 && !is_whole(inner) => self.walk(inner, &path, depth - 1),
                _ => self.push(Leaf { path, value, role }),
            }
        }
    }

    fn push(&mut self, leaf: Leaf<'r, 'a>) {
        let has_room = if leaf.role.is_some() {
            self.list.len() - self.others < MOST_ROLES
        } else {
            let has_room = self.others < self.bounds.attributes;
            self.others += usize::from(has_room);
            has_room
        };
        if has_room {
            self.list.push(leaf);
        }
    }
}

impl Leaf<'_, '_> {
    /// Which value of the record it is: no two have the same index.
    pub(super) fn index(&self) -> usize {
        std::ptr::from_ref(self.value).addr()
    }

    pub(super) fn is_level(&self) -> bool {
        matches!(self.role, Some((Role::Level(_), _)))
    }

    /// Whether it would be the message, if it said anything.
    pub(super) fn is_empty_message(&self) -> bool {
        matches!(self.role, Some((Role::Message | Role::Text, _)))
            && self.value.as_text().is_some_and(|text| text.trim().is_empty())
    }

    pub(super) fn rank(&self) -> u8 {
        self.role.map_or(u8::MAX, |(_, rank)| rank)
    }

    /// Whether it is the level that this word names, in another spelling or as a number.
    pub(super) fn is_named(&self, word: Option<&str>) -> bool {
        let Some((Role::Level(scale), _)) = self.role else { return false };
        let canonical = |word: &str| level::canonical(&plain::uncoloured(word).trim().to_ascii_lowercase());
        let name = match self.value.as_number() {
            Some(number) => level::name_of(number, scale),
            None => self.value.as_text().and_then(|text| canonical(&text)),
        };
        name.is_some() && name == word.and_then(canonical)
    }

    /// Whether it is the level, and this is its word.
    pub(super) fn is_level_of(&self, word: Option<&str>) -> bool {
        self.is_level() && word.is_some_and(|word| self.value.to_text().ends_with(word))
    }
}
