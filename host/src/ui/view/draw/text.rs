//! Lines of texts, and between them.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::palette::Palette;
use crate::ui::text::{fit, width, wrap};

/// Wrapped lines of one style, after a margin.
pub(super) fn wrapped(text: &str, margin: usize, columns: u16, style: Style) -> Vec<Line<'static>> {
    let margin_text = " ".repeat(margin);
    let lines = wrap(text, usize::from(columns).saturating_sub(margin));
    lines.into_iter().map(|line| Line::styled(format!("{margin_text}{line}"), style)).collect()
}

/// A line across the screen with a title.
pub(super) fn rule(title: &str, columns: u16) -> Line<'static> {
    let title = fit(title, usize::from(columns).saturating_sub(6));
    let rest = usize::from(columns).saturating_sub(width(&title) + 4);
    Line::from(vec![
        Span::styled("── ", Palette::DIM),
        Span::styled(title, Palette::TITLE),
        Span::styled(format!(" {}", "─".repeat(rest)), Palette::DIM),
    ])
}
