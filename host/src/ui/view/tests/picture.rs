//! A screen as an SVG.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// The size of a character, in pixels.
const COLUMN: usize = 8;
const ROW: usize = 17;

/// What is around the screen.
const MARGIN: usize = 12;

const BACKGROUND: &str = "#16181d";
const TEXT: &str = "#d5d8de";

/// The screen in a picture.
pub(super) fn svg(buffer: &Buffer) -> String {
    let (columns, rows) = (usize::from(buffer.area.width), usize::from(buffer.area.height));
    let (width, height) = (columns * COLUMN + 2 * MARGIN, rows * ROW + 2 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n"
    );
    for (y, cells) in buffer.content.chunks(columns).enumerate() {
        let mut x = 0;
        for run in cells.chunk_by(|one, other| style(one) == style(other)) {
            // Writing to a string cannot fail.
            let _ = write_run(&mut svg, run, (x, y));
            x += run.len();
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Characters of one style.
fn write_run(svg: &mut String, run: &[Cell], (x, y): (usize, usize)) -> std::fmt::Result {
    let text: String = run.iter().map(Cell::symbol).collect();
    let (x, top, width) = (x * COLUMN + MARGIN, y * ROW + MARGIN, run.len() * COLUMN);
    let (colour, modifier) = style(&run[0]);
    let is_reversed = modifier.contains(Modifier::REVERSED);
    if is_reversed {
        writeln!(svg, "<rect x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{ROW}\" fill=\"{TEXT}\"/>")?;
    }
    if text.trim().is_empty() {
        return Ok(());
    }
    let colour = if is_reversed { BACKGROUND } else { colour };
    let weight = if modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
    let opacity = if modifier.contains(Modifier::DIM) { " opacity=\"0.6\"" } else { "" };
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    writeln!(
        svg,
        "<text x=\"{x}\" y=\"{}\" textLength=\"{width}\" xml:space=\"preserve\" fill=\"{colour}\"{weight}{opacity}>{text}</text>",
        top + 13
    )
}

fn style(cell: &Cell) -> (&'static str, Modifier) {
    let colour = match cell.fg {
        Color::Red => "#f2777a",
        Color::Green => "#99cc99",
        Color::Yellow => "#ffcc66",
        Color::Cyan => "#66cccc",
        _ => TEXT,
    };
    (colour, cell.modifier)
}
