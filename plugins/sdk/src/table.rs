//! Aligned lines of text.

use std::fmt::{self, Display};

/// Lines of a label and a value, the values aligned. Written with [`ToString::to_string`], without a
/// line end after the last line.
///
/// ```
/// let table = loghost_plugin::Table::new().row("error", 12).row("total", 12);
/// assert_eq!(table.to_string(), "error     12\ntotal     12");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<(String, String)>,
}

impl Table {
    /// The column in which values begin, if the labels are short enough for it.
    const COLUMN: usize = 10;

    /// A table without lines.
    pub const fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// Adds a line.
    #[must_use]
    pub fn row(mut self, label: impl Into<String>, value: impl Display) -> Self {
        self.rows.push((label.into(), value.to_string()));
        self
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = self.rows.iter().map(|(label, _)| label.chars().count() + 1).max();
        let width = longest.unwrap_or(0).max(Self::COLUMN);
        for (number, (label, value)) in self.rows.iter().enumerate() {
            let line_end = if number == 0 { "" } else { "\n" };
            write!(f, "{line_end}{label:width$}{value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_aligned() {
        assert_eq!(Table::new().to_string(), "");
        assert_eq!(
            Table::new().row("критично", 1).row("p99", "2 ms").to_string(),
            "критично  1\np99       2 ms"
        );
        assert_eq!(
            Table::new().row("slowest source", 1).row("a", 2).to_string(),
            "slowest source 1\na              2"
        );
    }
}
