//! What stands above: how many logs come, and how the connections are.

use std::time::Duration;

use loghost_board::{Connection, State};
use ratatui::text::{Line, Span};

use super::super::model::Model;
use super::super::number::grouped;
use super::super::palette::Palette;
use crate::ui::text::fit;

/// The lines above.
pub(super) fn lines(model: &Model, palette: Palette, up: Duration, columns: u16) -> Vec<Line<'static>> {
    let columns = usize::from(columns);
    let rows = &model.figures.rows;
    let rate: u64 = rows.iter().map(|row| row.rate).fold(0, u64::saturating_add);
    let consuming = rows.iter().filter(|row| row.state == State::Consuming).count();
    let up = humantime::format_duration(Duration::from_secs(up.as_secs()));
    let consumers = match (consuming, rows.len()) {
        (n, all) if n == all => format!("{all} consuming"),
        (n, all) => format!("{n} of {all} consuming"),
    };
    let title = format!(" {} logs/s, {consumers}, for {up}", grouped(rate));
    let mut lines = vec![Line::from(vec![
        Span::styled("loghost", Palette::TITLE),
        Span::raw(fit(&title, columns.saturating_sub(7))),
    ])];
    let connections = &model.figures.connections;
    match connections.as_slice() {
        [(_, first), rest @ ..] if rest.iter().all(|(_, other)| is_like(first, other)) => {
            lines.push(connection("broker", first, palette, columns));
        }
        all => lines.extend(all.iter().map(|(purpose, it)| connection(purpose, it, palette, columns))),
    }
    lines
}

/// Whether two connections need not be told apart.
fn is_like(one: &Connection, other: &Connection) -> bool {
    one.is_up
        && other.is_up
        && one.address == other.address
        && one.blocked.is_none()
        && other.blocked.is_none()
}

fn connection(purpose: &str, it: &Connection, palette: Palette, columns: usize) -> Line<'static> {
    let (word, style) = match (it.is_up, &it.blocked) {
        (true, None) => ("connected", palette.good()),
        (true, Some(_)) => ("blocked", palette.warning()),
        (false, _) if it.address.is_none() && it.cause.is_none() => ("connecting", palette.warning()),
        (false, _) => ("lost", palette.bad()),
    };
    let address = it.address.as_deref().unwrap_or_default();
    let cause = it.blocked.as_deref().or(it.cause.as_deref());
    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
    let again = match it.reconnects {
        0 => String::new(),
        1 => ", reconnected once".to_owned(),
        times => format!(", reconnected {times} times"),
    };
    let rest =
        fit(&format!(" {address}{cause}{again}"), columns.saturating_sub(purpose.len() + 1 + word.len()));
    Line::from(vec![Span::raw(format!("{purpose} ")), Span::styled(word, style), Span::raw(rest)])
}
