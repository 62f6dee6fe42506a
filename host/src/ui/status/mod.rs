//! How the state of consumers is shown: a table, or JSON.

mod seen;

use anstyle::Style;
use loghost_core::domain::printable_line;
use loghost_rabbitmq::{QueueFigures, QueueState};
use serde_json::{Value, json};

pub(crate) use self::seen::{
    ConsumerStatus, Health, Hosted, PositionSource, QueueSample, StreamSample, StreamsLook,
};
use crate::ui::events::command::StatusEvent;
use crate::ui::table::{Cell, align};
use crate::ui::terminal::{self, BAD, OutputError, OutputFormat, TITLE};

/// Prints what was seen at two looks; and how to know more, unless a management API `is_given` already.
pub(crate) fn print(
    seen: &[ConsumerStatus],
    is_given: bool,
    format: OutputFormat,
) -> Result<(), OutputError> {
    match format {
        OutputFormat::Text => terminal::print(&table(seen))?,
        OutputFormat::Json => seen.iter().try_for_each(|seen| terminal::print_json(&object(seen)))?,
    }
    if !is_given && seen.iter().any(|seen| seen.now.state.is_some() && seen.figures.is_none()) {
        terminal::tell(StatusEvent::ManagementKnowsMore);
    }
    Ok(())
}

const COLUMNS: [&str; 9] =
    ["consumer", "backlog", "growth/s", "in/s", "done/s", "in hand", "readers", "waiting", "dead letters"];

/// What is not known is a `?`, and what does not exist a `-`. The backlog of a stream is its lag.
fn table(seen: &[ConsumerStatus]) -> String {
    let [consumer, numbers @ ..] = COLUMNS;
    let mut title = vec![Cell::word(consumer.to_owned(), TITLE)];
    title.extend(numbers.map(|number| Cell::number(number.to_owned())));
    let mut rows = vec![title];
    for seen in seen {
        rows.push(row(seen));
        rows.extend(seen.streams_now.streams.iter().map(|stream| stream_row(seen, stream)));
    }
    align(&rows)
}

fn row(seen: &ConsumerStatus) -> Vec<Cell> {
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
        seen.waiting().map_or_else(|| of_api(|_| String::new()), |waiting| waiting.to_string()),
        seen.dead_letters.map_or("-".to_owned(), |dead_letters| dead_letters.to_string()),
    ];
    let mut row = vec![Cell::word(seen.consumer.to_string(), Style::new())];
    row.extend(numbers.map(Cell::number));
    let hosted = || {
        let Hosted { state, reason } = seen.hosted.as_ref()?;
        let reason = reason.as_deref().map(|reason| format!(": {}", printable_line(reason)));
        Some(format!("{}{}", printable_line(state), reason.unwrap_or_default()))
    };
    let (remark, style) = match (seen.health(), hosted()) {
        (Health::Missing, _) => ("has no queue: what is published does not wait for it".to_owned(), BAD),
        (Health::Stuck, None) => ("stuck: logs wait, and nobody reads".to_owned(), BAD),
        (Health::Stuck, Some(host)) => (format!("stuck: logs wait, and nobody reads ({host})"), BAD),
        (Health::Stopped, Some(host)) => (host, BAD),
        (_, Some(host)) => (host, Style::new()),
        (_, None) => return row,
    };
    row.push(Cell::word(remark, style));
    row
}

/// A stream of a consumer, beneath it.
fn stream_row(seen: &ConsumerStatus, stream: &StreamSample) -> Vec<Cell> {
    let rates = seen.rates(stream);
    let rate = |text: Option<String>| text.unwrap_or_else(|| "?".to_owned());
    let numbers = [
        rate(stream.lag().map(|lag| lag.to_string())),
        rate(rates.map(|rates| format!("{:+.1}", rates.lag))),
        rate(rates.map(|rates| format!("{:.1}", rates.published))),
        rate(rates.map(|rates| format!("{:.1}", rates.finished))),
    ];
    let mut row = vec![Cell::word(format!("  {}", printable_line(&stream.stream)), Style::new())];
    row.extend(numbers.map(Cell::number));
    row
}

fn object(seen: &ConsumerStatus) -> Value {
    let figures = seen.figures.as_ref();
    json!({
        "consumer": seen.consumer.as_str(),
        "queue": seen.queue,
        "state": match seen.health() {
            Health::Good => "good",
            Health::Stuck => "stuck",
            Health::Stopped => "stopped",
            Health::Missing => "missing",
        },
        "backlog": seen.now.state.map(|now| now.messages),
        "growth_per_second": seen.growth(),
        "published_per_second": figures.map(QueueFigures::published_per_second),
        "acknowledged_per_second": figures.map(QueueFigures::acknowledged_per_second),
        "unacknowledged": figures.map(|figures| figures.messages_unacknowledged),
        "readers": seen.now.state.map(|now| now.consumers),
        "readers_waiting": seen.waiting(),
        "dead_letters": seen.dead_letters,
        "streams": seen.streams_now.streams.iter().map(|stream| stream_object(seen, stream)).collect::<Vec<_>>(),
        "offsets_from": seen.streams_now.told_by.map(|teller| match teller {
            PositionSource::State => "state",
            PositionSource::Host => "host",
            PositionSource::Broker => "broker",
        }),
        "host": seen.hosted.as_ref().map(|hosted| json!({ "state": hosted.state, "reason": hosted.reason })),
    })
}

fn stream_object(seen: &ConsumerStatus, stream: &StreamSample) -> Value {
    let rates = seen.rates(stream);
    json!({
        "stream": stream.stream,
        "committed_offset": stream.next.checked_sub(1),
        "last_offset": stream.end.and_then(|end| end.checked_sub(1)),
        "lag": stream.lag(),
        "growth_per_second": rates.map(|rates| rates.lag),
        "published_per_second": rates.map(|rates| rates.published),
        "finished_per_second": rates.map(|rates| rates.finished),
    })
}
