//! How the state of consumers is shown: a table, or JSON.

use std::time::Duration;

use anstyle::Style;
use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::{QueueFigures, QueueState};
use serde_json::{Value, json};

use crate::ui::table::{Cell, align};
use crate::ui::terminal::{self, BAD, Format, TITLE, Unwritable};

/// What was seen of a consumer.
pub(crate) struct Seen {
    pub(crate) consumer: ConsumerName,
    pub(crate) queue: String,
    /// Its queue at both looks; none where there is no such queue.
    pub(crate) before: Option<QueueState>,
    pub(crate) now: Option<QueueState>,
    /// How many dead letters it has; none if it has no queue for them.
    pub(crate) dead_letters: Option<u32>,
    /// What the management API knows.
    pub(crate) figures: Option<QueueFigures>,
}

/// How a consumer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Good,
    /// Logs wait and nobody reads, at both looks.
    Stuck,
    /// It has no queue.
    Missing,
}

impl Seen {
    pub(crate) fn health(&self) -> Health {
        let Some(now) = self.now else { return Health::Missing };
        let is_stuck = |state: QueueState| state.messages > 0 && state.consumers == 0;
        if is_stuck(now) && self.before.is_some_and(is_stuck) { Health::Stuck } else { Health::Good }
    }

    /// By how many logs a second the backlog has grown; none if the queue was not there at both looks.
    fn growth(&self, over: Duration) -> Option<f64> {
        let (before, now) = (self.before?, self.now?);
        Some((f64::from(now.messages) - f64::from(before.messages)) / over.as_secs_f64())
    }
}

/// Prints what was seen at two looks, which were so long apart; and, for people, what is not known.
pub(crate) fn print(seen: &[Seen], over: Duration, format: Format) -> Result<(), Unwritable> {
    match format {
        Format::Text => terminal::print(&table(seen, over))?,
        Format::Json => seen.iter().try_for_each(|seen| terminal::print_json(&object(seen, over)))?,
    }
    if seen.iter().any(|seen| seen.now.is_some() && seen.figures.is_none()) {
        terminal::notice(
            "only the management API (--management-url) tells how many logs readers have in hand, what comes and is \
             acknowledged in a second, and which readers wait",
        );
    }
    Ok(())
}

const COLUMNS: [&str; 9] =
    ["consumer", "backlog", "growth/s", "in/s", "done/s", "in hand", "readers", "waiting", "dead letters"];

/// What is not known is a `?`, and what does not exist a `-`.
fn table(seen: &[Seen], over: Duration) -> String {
    let [consumer, numbers @ ..] = COLUMNS;
    let mut title = vec![Cell::word(consumer.to_owned(), TITLE)];
    title.extend(numbers.map(|number| Cell::number(number.to_owned())));
    let mut rows = vec![title];
    rows.extend(seen.iter().map(|seen| row(seen, over)));
    align(&rows)
}

fn row(seen: &Seen, over: Duration) -> Vec<Cell> {
    let of_queue =
        |number: fn(QueueState) -> u32| seen.now.map_or("-".to_owned(), |now| number(now).to_string());
    let of_api = |number: fn(&QueueFigures) -> String| match (&seen.figures, seen.now) {
        (Some(figures), _) => number(figures),
        (None, Some(_)) => "?".to_owned(),
        (None, None) => "-".to_owned(),
    };
    let numbers = [
        of_queue(|state| state.messages),
        seen.growth(over).map_or("-".to_owned(), |growth| format!("{growth:+.1}")),
        of_api(|figures| format!("{:.1}", figures.published_per_second())),
        of_api(|figures| format!("{:.1}", figures.acknowledged_per_second())),
        of_api(|figures| figures.messages_unacknowledged.to_string()),
        of_queue(|state| state.consumers),
        of_api(|figures| figures.waiting().to_string()),
        seen.dead_letters.map_or("-".to_owned(), |letters| letters.to_string()),
    ];
    let mut row = vec![Cell::word(seen.consumer.to_string(), Style::new())];
    row.extend(numbers.map(Cell::number));
    let remark = match seen.health() {
        Health::Good => return row,
        Health::Stuck => "stuck: logs wait, and nobody reads",
        Health::Missing => "has no queue: what is published does not wait for it",
    };
    row.push(Cell::word(remark.to_owned(), BAD));
    row
}

fn object(seen: &Seen, over: Duration) -> Value {
    let figures = seen.figures.as_ref();
    json!({
        "consumer": seen.consumer.as_str(),
        "queue": seen.queue,
        "state": match seen.health() {
            Health::Good => "good",
            Health::Stuck => "stuck",
            Health::Missing => "missing",
        },
        "backlog": seen.now.map(|now| now.messages),
        "growth_per_second": seen.growth(over),
        "published_per_second": figures.map(QueueFigures::published_per_second),
        "acknowledged_per_second": figures.map(QueueFigures::acknowledged_per_second),
        "unacknowledged": figures.map(|figures| figures.messages_unacknowledged),
        "readers": seen.now.map(|now| now.consumers),
        "readers_waiting": figures.map(QueueFigures::waiting),
        "dead_letters": seen.dead_letters,
    })
}
