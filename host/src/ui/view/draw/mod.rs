//! Drawing a view: the same for every terminal from 60 columns on, with more where there is room.

mod consumer;
mod foot;
mod head;
mod help;
mod log;
mod table;
mod text;

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::Line;

use super::model::{Model, Page};
use super::palette::Palette;

/// The least size that there is something to see at.
const LEAST: (u16, u16) = (40, 8);

/// The most lines of the log beside the consumers.
const LOG_LINES: u16 = 6;

/// Draws all, `up` since the run began.
pub(super) fn draw(frame: &mut Frame<'_>, model: &mut Model, palette: Palette, up: Duration) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text = format!("the terminal is too small: {}x{} at least", LEAST.0, LEAST.1);
        render(frame, area, &text::wrapped(&text, 0, area.width, Style::new()));
        return;
    }
    let head_lines = head::lines(model, palette, up, area.width);
    let head_height = u16::try_from(head_lines.len()).unwrap_or(u16::MAX);
    let rows = Layout::vertical([Constraint::Length(head_height), Constraint::Min(1), Constraint::Length(1)]);
    let [head, body, foot] = rows.areas(area);
    render(frame, head, &head_lines);
    match model.page {
        Page::Overview | Page::Filter => overview(frame, body, model, palette),
        Page::Consumer => {
            let lines = consumer::lines(model, palette, body.width);
            scrolled(frame, body, model, &lines);
        }
        Page::Log => {
            let lines = log::lines(model, palette, body.width);
            scrolled(frame, body, model, &lines);
        }
        Page::Help => {
            let lines = help::lines(body.width);
            scrolled(frame, body, model, &lines);
        }
    }
    frame.render_widget(foot::line(model, palette, foot.width), foot);
}

/// The consumers; beneath them, where there is room, the one that is selected, and what was said last.
fn overview(frame: &mut Frame<'_>, body: Rect, model: &mut Model, palette: Palette) {
    let log = if body.height < 12 { 0 } else { LOG_LINES.min(body.height / 4) };
    let rows = u16::try_from(model.rows.len().max(1)).unwrap_or(u16::MAX);
    let rest = body.height - log;
    // Its title and its header belong to it.
    let table = if rest < 12 { rest } else { rows.saturating_add(2).clamp(4, rest / 2) };
    let areas = Layout::vertical([Constraint::Length(table), Constraint::Min(0), Constraint::Length(log)]);
    let [table, selected, log] = areas.areas(body);
    table::draw(frame, table, model, palette);
    if selected.height > 1 {
        let mut lines = consumer::lines(model, palette, selected.width);
        let room = usize::from(selected.height);
        if lines.len() > room {
            lines.truncate(room - 1);
            lines.push(Line::styled("Enter shows all", Palette::DIM));
        }
        render(frame, selected, &lines);
    }
    if log.height > 0 {
        let mut lines = vec![text::rule("log", log.width)];
        lines.extend(log::last(model, palette, log.width, usize::from(log.height) - 1));
        render(frame, log, &lines);
    }
}

/// Shows as many of these lines as there is room for, from where the model is scrolled to.
fn scrolled(frame: &mut Frame<'_>, area: Rect, model: &mut Model, lines: &[Line<'_>]) {
    let room = usize::from(area.height);
    model.scroll = model.scroll.min(lines.len().saturating_sub(room));
    render(frame, area, &lines[model.scroll..]);
}

/// Shows as many of these lines as there is room for.
fn render(frame: &mut Frame<'_>, area: Rect, lines: &[Line<'_>]) {
    for (line, row) in lines.iter().zip(area.rows()) {
        frame.render_widget(line, row);
    }
}

/// A line of one style.
fn styled(text: String, style: Style) -> Line<'static> {
    Line::styled(text, style)
}
