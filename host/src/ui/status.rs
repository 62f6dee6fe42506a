//! How the state of consumers is shown: a table, or JSON.

use std::time::Instant;

use anstyle::Style;
use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::{QueueFigures, QueueState};
use serde_json::{Value, json};

use crate::ui::table::{Cell, align};
use crate::ui::terminal::{self, BAD, Format, TITLE, Unwritable};

/// A look at a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// When the broker had answered.
    pub(crate) at: Instant,
    /// None where there is no such queue.
    pub(crate) state: Option<QueueState>,
}

/// What was seen of a consumer.
pub(crate) struct Seen {
    pub(crate) consumer: ConsumerName,
    pub(crate) queue: String,
    /// Its queue at both looks.
    pub(crate) before: Look,
    pub(crate) now: Look,
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
        let Some(now) = self.now.state else { return Health::Missing };
        let is_stuck = |state: QueueState| state.messages > 0 && state.consumers == 0;
        if is_stuck(now) && self.before.state.is_some_and(is_stuck) { Health::Stuck } else { Health::Good }
    }

    /// By how many logs a second the backlog has grown; none if the queue was not there at both looks,
    /// or no time has passed.
    fn growth(&self) -> Option<f64> {
        let (before, now) = (self.before.state?, self.now.state?);
        // Between the looks at one queue are those at all the others.
        let seconds = self.now.at.saturating_duration_since(self.before.at).as_secs_f64();
        (seconds > 0.0).then(|| (f64::from(now.messages) - f64::from(before.messages)) / seconds)
    }
}

/// Prints what was seen at two looks; and how to know more, unless a management API `is_given` already.
pub(crate) fn print(seen: &[Seen], is_given: bool, format: Format) -> Result<(), Unwritable> {
    match format {
        Format::Text => terminal::print(&table(seen))?,
        Format::Json => seen.iter().try_for_each(|seen| terminal::print_json(&object(seen)))?,
    }
    if !is_given && seen.iter().any(|seen| seen.now.state.is_some() && seen.figures.is_none()) {
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
fn table(seen: &[Seen]) -> String {
    let [consumer, numbers @ ..] = COLUMNS;
    let mut title = vec![Cell::word(consumer.to_owned(), TITLE)];
    title.extend(numbers.map(|number| Cell::number(number.to_owned())));
    let mut rows = vec![title];
    rows.extend(seen.iter().map(row));
    align(&rows)
}

fn row(seen: &Seen) -> Vec<Cell> {
    let of_queue =
        |number: fn(QueueState) -> u32| seen.now.state.map_or("-".to_owned(), |now| number(now).to_string());
    let of_api = |number: fn(&QueueFigures) -> String| match (&seen.figures, seen.now.state) {
        (Some(figures), _) => number(figures),
        (None, Some(_)) => "?".to_owned(),
        (None, None) => "-".to_owned(),
    };
    let numbers = [
        of_queue(|state| state.messages),
        seen.growth().map_or("-".to_owned(), |growth| format!("{growth:+.1}")),
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

fn object(seen: &Seen) -> Value {
    let figures = seen.figures.as_ref();
    json!({
        "consumer": seen.consumer.as_str(),
        "queue": seen.queue,
        "state": match seen.health() {
            Health::Good => "good",
            Health::Stuck => "stuck",
            Health::Missing => "missing",
        },
        "backlog": seen.now.state.map(|now| now.messages),
        "growth_per_second": seen.growth(),
        "published_per_second": figures.map(QueueFigures::published_per_second),
        "acknowledged_per_second": figures.map(QueueFigures::acknowledged_per_second),
        "unacknowledged": figures.map(|figures| figures.messages_unacknowledged),
        "readers": seen.now.state.map(|now| now.consumers),
        "readers_waiting": figures.map(QueueFigures::waiting),
        "dead_letters": seen.dead_letters,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn growth_is_by_the_time_between_the_looks_at_that_queue() {
        let before = Instant::now();
        let look = |seconds, messages| Look {
            at: before + Duration::from_secs(seconds),
            state: Some(QueueState { messages, consumers: 1 }),
        };
        let mut seen = Seen {
            consumer: ConsumerName::new("error").unwrap(),
            queue: "q".to_owned(),
            before: look(0, 30),
            now: look(4, 10),
            dead_letters: None,
            figures: None,
        };
        assert_eq!(seen.growth(), Some(-5.0));
        seen.now.at = before;
        assert_eq!(seen.growth(), None);
    }
}
