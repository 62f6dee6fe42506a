//! The keys.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::palette::Palette;
use super::text::{rule, wrapped};

const KEYS: [(&str, &str); 14] = [
    ("q, Ctrl-C", "end: what is in hand is finished; once more ends at once"),
    ("p", "pause the selected consumer, or resume it"),
    ("r, R", "load its plugin again; R: all, and the configuration"),
    ("d, then y", "send all its dead letters back to it that are logs"),
    ("up, down", "select, or scroll; also k and j"),
    ("PgUp, PgDn", "the same, by half a screen"),
    ("Home, End", "the first, the last; also g and G"),
    ("Enter", "all of the selected consumer; once more, or Esc: back"),
    ("s", "sort by name, state, logs/s, queue, lag, rejected"),
    ("/", "show only consumers with this in their name or state; Esc: all"),
    ("l", "the log of this process"),
    ("Ctrl-Z", "suspend: `fg` comes back"),
    ("Ctrl-L", "draw all again"),
    ("h, ?", "this page"),
];

const REMARK: &str = "A paused consumer gives its queue back: what comes waits there, unless another host stands by, which takes \
                      over. Logs that wait for another attempt come again.";

/// A line or more for each key.
pub(super) fn lines(columns: u16) -> Vec<Line<'static>> {
    let mut lines = vec![rule("keys", columns)];
    for (keys, text) in KEYS {
        for (at, mut line) in
            wrapped(text, 0, columns.saturating_sub(12), Style::new()).into_iter().enumerate()
        {
            let keys = if at == 0 { keys } else { "" };
            line.spans.insert(0, Span::styled(format!("{keys:<12}"), Palette::TITLE));
            lines.push(line);
        }
    }
    lines.push(Line::default());
    lines.extend(wrapped(REMARK, 0, columns, Style::new()));
    lines
}
