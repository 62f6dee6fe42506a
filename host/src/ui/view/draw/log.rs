//! What was said last.

use loghost_core::application::Level;
use ratatui::text::{Line, Span};

use super::super::model::Model;
use super::super::palette::Palette;
use super::consumer::time_of_day;
use super::text::rule;
use crate::ui::terminal::Said;
use crate::ui::text::{fit, wrap};

/// What stands before a line: the time, and a space.
const MARGIN: usize = 9;

/// All that is kept of it, wrapped.
pub(super) fn lines(model: &Model, palette: Palette, columns: u16) -> Vec<Line<'static>> {
    let mut lines = vec![rule("log, in UTC", columns)];
    for said in &model.said {
        let text = wrap(&text(said), usize::from(columns).saturating_sub(MARGIN));
        for (at, text) in text.into_iter().enumerate() {
            let head = if at == 0 { time_of_day(said.at) } else { " ".repeat(MARGIN - 1) };
            lines.push(line(head, text, said.level, palette));
        }
    }
    lines
}

/// So many of the last, each in a line.
pub(super) fn last(model: &Model, palette: Palette, columns: u16, lines: usize) -> Vec<Line<'static>> {
    let said = &model.said[model.said.len().saturating_sub(lines)..];
    let room = usize::from(columns).saturating_sub(MARGIN);
    said.iter().map(|said| line(time_of_day(said.at), fit(&text(said), room), said.level, palette)).collect()
}

fn line(head: String, text: String, level: Level, palette: Palette) -> Line<'static> {
    Line::from(vec![
        Span::styled(head, Palette::DIM),
        Span::raw(" "),
        Span::styled(text, palette.level(level)),
    ])
}

fn text(said: &Said) -> String {
    match &said.consumer {
        Some(name) => format!("[{name}] {}", said.text),
        None => said.text.clone(),
    }
}
