//! What stands beneath: what became of the last key, or which keys there are.

use loghost_board::State;
use ratatui::text::{Line, Span};

use super::super::model::{Model, Page};
use super::super::palette::Palette;
use crate::ui::text::{fit, width};

/// The last line.
pub(super) fn line(model: &Model, palette: Palette, columns: u16) -> Line<'static> {
    let columns = usize::from(columns);
    if model.is_ending {
        let text = "ending: what is in hand is finished; q once more ends at once";
        return Line::styled(fit(text, columns), palette.warning());
    }
    if let Some(answer) = &model.answer {
        return Line::styled(fit(answer, columns), palette.warning());
    }
    if let Some((name, request)) = &model.question {
        let text = format!("y: {} of {name}, all of them; any other key: do not", request.as_str());
        return Line::styled(fit(&text, columns), palette.warning());
    }
    let is_paused = model.selected.as_ref().is_some_and(|it| it.consumer.state == State::Paused);
    let pause = if is_paused { "resume" } else { "pause" };
    let keys: &[(&str, &str)] = match model.page {
        Page::Filter => &[("Enter", "keep"), ("Esc", "show all")],
        Page::Overview => &[
            ("q", "end"),
            ("h", "help"),
            ("p", pause),
            ("r", "reload"),
            ("Enter", "more"),
            ("l", "log"),
            ("s", "sort"),
            ("/", "filter"),
        ],
        Page::Consumer => &[
            ("q", "end"),
            ("Esc", "back"),
            ("p", pause),
            ("r", "reload"),
            ("h", "help"),
            ("d", "replay dead letters"),
        ],
        Page::Log | Page::Help => &[("q", "end"), ("Esc", "back")],
    };
    let (mut spans, mut taken) = (Vec::new(), 0);
    for (key, text) in keys {
        let text = format!(" {text}  ");
        taken += width(key) + width(&text);
        if taken > columns + 2 {
            break;
        }
        spans.push(Span::styled((*key).to_owned(), Palette::TITLE));
        spans.push(Span::raw(text));
    }
    Line::from(spans)
}
