//! One consumer in full: what it does, its own metric, its settings, its last failure, its figures.

use std::time::{Duration, UNIX_EPOCH};

use bytesize::ByteSize;
use loghost_board::{Consumer, Depths, StreamProgress};
use loghost_core::domain::printable;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::figures::state_text;
use super::super::model::{Model, Selected};
use super::super::number::grouped;
use super::super::palette::Palette;
use super::styled;
use super::text::{rule, wrapped};
use crate::ui::time::date;

/// How far what belongs to a title is indented.
const MARGIN: usize = 2;

/// All of the one that is selected.
pub(super) fn lines(model: &Model, palette: Palette, columns: u16) -> Vec<Line<'static>> {
    let Some(Selected { name, consumer }) = &model.selected else {
        return vec![rule("no consumer is selected", columns)];
    };
    let mut lines = vec![rule(&title(name.as_str(), consumer), columns)];
    let since =
        date(loghost_core::domain::Timestamp::from_millis(consumer.since), humantime::format_rfc3339_seconds);
    lines.push(Line::from(vec![
        Span::styled(state_text(consumer.state), palette.state(consumer.state)),
        Span::raw(format!(" since {since}")),
    ]));
    if let Some(reason) = &consumer.reason {
        lines.extend(wrapped(&printable(reason), 0, columns, Style::new()));
    }
    let mut section = |title: &str, text: Vec<Line<'static>>| {
        lines.push(styled(title.to_owned(), Palette::TITLE));
        lines.extend(text);
    };
    match &consumer.metric {
        None => section("metric", wrapped("none yet", MARGIN, columns, Palette::DIM)),
        Some(Ok(text)) => section("metric", wrapped(&printable(text), MARGIN, columns, Style::new())),
        Some(Err(error)) => section("metric", wrapped(&printable(error), MARGIN, columns, palette.bad())),
    }
    if let Some(failure) = &consumer.last_failure {
        let mut text = wrapped(&printable(failure), MARGIN, columns, palette.bad());
        let backtrace = consumer.backtrace.as_deref().unwrap_or_default();
        text.extend(wrapped(&printable(backtrace), MARGIN + 2, columns, Style::new()));
        section("last failure", text);
    }
    if !consumer.settings.is_empty() {
        let text = consumer.settings.iter().map(|(key, value)| format!("{key} = {value}"));
        let text = text.flat_map(|line| wrapped(&printable(&line), MARGIN, columns, Style::new()));
        section("settings", text.collect());
    }
    if !consumer.offsets.is_empty() {
        section("streams", streams(consumer, &model.figures.depths, columns));
    }
    section("figures", figures(consumer, columns));
    lines
}

fn title(name: &str, consumer: &Consumer) -> String {
    if consumer.digest.is_empty() {
        return name.to_owned();
    }
    let digest = consumer.digest.get(..12).unwrap_or(&consumer.digest);
    format!("{name} {} ({digest})", consumer.version)
}

/// How far it is in each of its streams.
fn streams(it: &Consumer, depths: &Depths, columns: u16) -> Vec<Line<'static>> {
    let known = |offset: Option<u64>| offset.map_or_else(|| "-".to_owned(), grouped);
    let text = it.offsets.iter().map(|next| {
        let StreamProgress { stream, committed, last, lag } = StreamProgress::of(next, depths);
        let (lag, committed, last) = (known(lag), known(committed), known(last));
        format!("{}: lag {lag}, committed offset {committed}, last offset {last}", printable(stream))
    });
    text.flat_map(|line| wrapped(&line, MARGIN, columns, Style::new())).collect()
}

fn figures(it: &Consumer, columns: u16) -> Vec<Line<'static>> {
    let counts = &it.counts;
    let each = |n: u64, seconds: f64| match n {
        0 => String::new(),
        n => {
            let micros = Duration::from_secs_f64(seconds).as_micros() / u128::from(n);
            format!(", {} ms each", format_args!("{}.{:03}", micros / 1000, micros % 1000))
        }
    };
    let dead: Vec<String> = it
        .dead_letters()
        .filter(|(_, n)| *n > 0)
        .map(|(cause, n)| format!("{} {}", grouped(n), cause.replace('_', " ")))
        .collect();
    let dead = if dead.is_empty() { "none".to_owned() } else { dead.join(", ") };
    let texts = [
        format!(
            "logs: {} accepted, {} rejected, {} skipped, {} unwanted, {} repeated",
            grouped(counts.accepted.total()),
            grouped(counts.rejected.total()),
            grouped(counts.skipped.total()),
            grouped(counts.unwanted.total()),
            grouped(counts.repeated),
        ),
        format!(
            "deliveries: {} received, {} acknowledged, {} in hand, {} waiting",
            grouped(it.deliveries),
            grouped(it.acknowledged),
            grouped(it.load.taken as u64),
            grouped(it.load.waiting as u64),
        ),
        format!(
            "calls: {}{}; {} failed, {} logs tried again, stopped {} times",
            grouped(it.calls.count()),
            each(it.calls.count(), it.calls.sum()),
            grouped(it.traps),
            grouped(it.retries),
            grouped(it.stops),
        ),
        format!("commits: {}{}", grouped(it.commits.count()), each(it.commits.count(), it.commits.sum())),
        format!("dead letters: {dead}"),
        format!("memory: {}", ByteSize(it.memory)),
    ];
    texts.iter().flat_map(|text| wrapped(text, MARGIN, columns, Style::new())).collect()
}

/// The time of day of a moment, in UTC.
pub(super) fn time_of_day(at: std::time::SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() % 86_400;
    format!("{:02}:{:02}:{:02}", since / 3600, since / 60 % 60, since % 60)
}
