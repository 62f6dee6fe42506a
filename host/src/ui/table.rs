//! A table for people: what belongs together stands below each other, whatever its style.

use anstyle::Style;

/// A cell of a table.
pub(crate) struct Cell {
    text: String,
    style: Style,
    side: Side,
    /// How far it is from the one before.
    gap: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl Cell {
    /// A word.
    pub(crate) fn word(text: String, style: Style) -> Self {
        Self { text, style, side: Side::Left, gap: 2 }
    }

    /// A number, which is apart from what is before it.
    pub(crate) fn number(text: String) -> Self {
        Self { text, style: Style::new(), side: Side::Right, gap: 3 }
    }

    /// What belongs to a number: its unit.
    pub(crate) fn unit(unit: &str) -> Self {
        Self { text: unit.to_owned(), style: Style::new(), side: Side::Left, gap: 1 }
    }

    /// What is to be said of it.
    pub(crate) fn remark(text: String, style: Style) -> Self {
        Self { text, style, side: Side::Right, gap: 1 }
    }
}

/// The rows, with what belongs together below each other.
pub(crate) fn align(rows: &[Vec<Cell>]) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..rows.iter().map(Vec::len).max().unwrap_or(0)).map(width).collect();
    let show = |(n, (cell, width)): (usize, (&Cell, &usize))| {
        let Cell { text, style, side, gap } = cell;
        let gap = " ".repeat(if n == 0 || *width == 0 { 0 } else { *gap });
        let padding = " ".repeat(width - text.chars().count());
        match side {
            _ if text.is_empty() => gap + &padding,
            Side::Left => format!("{gap}{style}{text}{style:#}{padding}"),
            Side::Right => format!("{gap}{padding}{style}{text}{style:#}"),
        }
    };
    let line = |row: &Vec<Cell>| {
        let line: String = row.iter().zip(&widths).enumerate().map(show).collect();
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::terminal::DIM;

    #[test]
    fn numbers_stand_below_each_other() {
        let row = |name: &str, number: &str| {
            vec![
                Cell::word(name.to_owned(), Style::new()),
                Cell::number(number.to_owned()),
                Cell::unit("µs"),
                Cell::remark(String::new(), DIM),
            ]
        };
        assert_eq!(align(&[row("a", "7"), row("long", "1,234")]), "a          7 µs\nlong   1,234 µs");
    }
}
