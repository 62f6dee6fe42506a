//! The consumers, a row each: as many columns as there is room for, the most important first.

use loghost_core::domain::Severity;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{RenderDirection, Sparkline};

use super::super::figures::{Row, STEPS, state_text};
use super::super::model::{Model, Page};
use super::super::number::compact;
use super::super::palette::Palette;
use super::text::rule;
use crate::ui::text::{fit, width};

/// A column beside the name.
#[derive(Clone, Copy)]
struct Column {
    title: &'static str,
    columns: usize,
    is: ColumnContent,
}

/// What is in a column.
#[derive(Clone, Copy)]
enum ColumnContent {
    State,
    Severity(Severity),
    Rate,
    Queue,
    Lag,
    Rejected,
    Retried,
}

/// All of them, the most important first: those that there is no room for are left out.
const COLUMNS: [Column; 10] = [
    Column { title: "state", columns: 11, is: ColumnContent::State },
    Column { title: "debug", columns: 5, is: ColumnContent::Severity(Severity::Debug) },
    Column { title: "info", columns: 5, is: ColumnContent::Severity(Severity::Info) },
    Column { title: "error", columns: 5, is: ColumnContent::Severity(Severity::Error) },
    Column { title: "crit", columns: 5, is: ColumnContent::Severity(Severity::Critical) },
    Column { title: "logs/s", columns: 6, is: ColumnContent::Rate },
    Column { title: "queue", columns: 5, is: ColumnContent::Queue },
    Column { title: "lag", columns: 5, is: ColumnContent::Lag },
    Column { title: "rejected", columns: 8, is: ColumnContent::Rejected },
    Column { title: "retried", columns: 7, is: ColumnContent::Retried },
];

/// What names may take: less cannot be told apart, more is for what is in the other columns.
const NAME: (usize, usize) = (12, 40);

/// What the history takes, where it is shown: the least.
const LEAST_HISTORY: usize = 10;

/// Draws the rows, so that the selected one is seen.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &mut Model, palette: Palette) {
    let room = usize::from(area.height).saturating_sub(2);
    let selected_index = model.selected_index().unwrap_or(0);
    model.offset = model.offset.min(selected_index).max((selected_index + 1).saturating_sub(room));
    model.offset = model.offset.min(model.rows.len().saturating_sub(room));
    let shown = &model.rows[model.offset..model.rows.len().min(model.offset + room)];

    let total = usize::from(area.width);
    let gap = if total < 100 { 1 } else { 2 };
    let longest = model.rows.iter().map(|row| width(row.name.as_str())).max().unwrap_or(0);
    let wanted = longest.clamp(NAME.0, NAME.1);
    let mut taken = wanted;
    let reads_streams = model.rows.iter().any(|row| row.lag.is_some());
    let columns: Vec<Column> = COLUMNS
        .into_iter()
        .filter(|column| !matches!(column.is, ColumnContent::Lag) || reads_streams)
        .take_while(|column| {
            taken += gap + column.columns;
            taken <= total || taken - wanted + NAME.0 <= total
        })
        .collect();
    let taken: usize = columns.iter().map(|column| gap + column.columns).sum();
    let name = wanted.min(total.saturating_sub(taken));
    let left = total.saturating_sub(name + taken + gap);
    let history = if left < LEAST_HISTORY { 0 } else { left.min(STEPS) };

    let mut lines = area.rows();
    if let Some(line) = lines.next() {
        frame.render_widget(rule(&title(model, shown.len()), area.width), line);
    }
    if let Some(line) = lines.next() {
        let mut titles = format!("{:<name$}", "consumer");
        for column in &columns {
            titles.push_str(&" ".repeat(gap));
            titles.push_str(&aligned(column.is, column.title, column.columns));
        }
        if history > 0 {
            let minutes = history / 6;
            titles.push_str(&" ".repeat(gap));
            titles.push_str(&fit(&format!("last {minutes} min"), history));
        }
        frame.render_widget(Line::styled(titles, Palette::DIM), line);
    }
    for ((at, row), line) in shown.iter().enumerate().zip(lines) {
        let is_selected = model.offset + at == selected_index;
        let name_style = if is_selected { Palette::SELECTED } else { Style::new() };
        let mut spans = vec![Span::styled(format!("{:<name$}", fit(row.name.as_str(), name)), name_style)];
        for column in &columns {
            let (text, style) = cell(row, column.is, palette);
            spans.push(Span::raw(" ".repeat(gap)));
            spans.push(Span::styled(aligned(column.is, &text, column.columns), style));
        }
        frame.render_widget(Line::from(spans), line);
        if history > 0 {
            let x = u16::try_from(name + taken + gap).unwrap_or(u16::MAX);
            let columns = u16::try_from(history).unwrap_or(u16::MAX);
            let selected_index = Rect { x: line.x.saturating_add(x), width: columns, ..line };
            let newest_first = row.history.iter().rev().copied();
            let sparkline = Sparkline::default().direction(RenderDirection::RightToLeft);
            frame.render_widget(sparkline.data(newest_first).style(palette.history()), selected_index);
        }
    }
}

/// Which consumers are shown.
fn title(model: &Model, shown: usize) -> String {
    let all = model.rows.len();
    let which = if shown < all {
        format!("consumers {} to {} of {all}", model.offset + 1, model.offset + shown)
    } else {
        format!("consumers: {all}")
    };
    let filter = match (model.page, model.filter.as_str()) {
        (Page::Filter, filter) => format!(", with: {filter}_"),
        (_, "") => String::new(),
        (_, filter) => format!(", with: {filter}"),
    };
    format!("{which}, by {}{filter}", model.sort.as_str())
}

/// A word from the left, a number from the right.
fn aligned(is: ColumnContent, text: &str, columns: usize) -> String {
    match is {
        ColumnContent::State => format!("{text:<columns$}"),
        _ => format!("{text:>columns$}"),
    }
}

fn cell(row: &Row, is: ColumnContent, palette: Palette) -> (String, Style) {
    let unless_none = |n: u64, style: Style| {
        let style = if n == 0 { Palette::DIM } else { style };
        (compact(n), style)
    };
    let if_known = |n: Option<u64>| match n {
        Some(n) => unless_none(n, palette.warning()),
        None => ("-".to_owned(), Palette::DIM),
    };
    match is {
        ColumnContent::State => (state_text(row.state).to_owned(), palette.state(row.state)),
        ColumnContent::Severity(severity) => unless_none(row.accepted[severity], palette.severity(severity)),
        ColumnContent::Rate => unless_none(row.rate, Style::new()),
        ColumnContent::Queue => if_known(row.queue.map(u64::from)),
        ColumnContent::Lag => if_known(row.lag),
        ColumnContent::Rejected => unless_none(row.rejected, palette.bad()),
        ColumnContent::Retried => unless_none(row.retried, palette.warning()),
    }
}
