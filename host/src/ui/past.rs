//! What is said to whoever reads what streams have.

use loghost_core::domain::printable_line;
use loghost_rabbitmq::Span;

use crate::ui::terminal;

/// Says what is read, and what for.
pub(crate) fn say_reading<'a>(what: &str, spans: impl Iterator<Item = &'a Span>) {
    let described =
        spans.map(|Span { stream, from, until, .. }| match until.checked_sub(1).filter(|_| until > from) {
            Some(last) => format!("{stream} from offset {from} to {last}"),
            None => format!("{stream} (nothing)"),
        });
    let described = described.collect::<Vec<_>>().join(", ");
    terminal::notice(&printable_line(&format!("{what} {described}")));
}
