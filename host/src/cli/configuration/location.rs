//! Where something stands in a file.

use std::fmt;

/// A location in a file; line and column begin at one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) struct FileLocation {
    file: String,
    line: usize,
    column: usize,
}

impl fmt::Display for FileLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Finds locations in a text.
pub(super) struct FileLocations<'a> {
    file: &'a str,
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'a> FileLocations<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { file, text, lines }
    }

    /// The location of the byte at `offset`.
    pub(super) fn at(&self, offset: usize) -> FileLocation {
        let line = self.lines.partition_point(|begin| *begin <= offset);
        let begin = self.lines[line - 1];
        let before = self.text.get(begin..offset).unwrap_or_default();
        FileLocation { file: self.file.to_owned(), line, column: before.chars().count() + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_characters() {
        let locations = FileLocations::new("f", "a = 1\n\"ä\" = x\n");
        for (offset, expected) in [(0, "f:1:1"), (5, "f:1:6"), (6, "f:2:1"), (13, "f:2:7"), (15, "f:3:1")] {
            assert_eq!(locations.at(offset).to_string(), expected);
        }
        assert_eq!(FileLocations::new("f", "").at(0).to_string(), "f:1:1");
    }
}
