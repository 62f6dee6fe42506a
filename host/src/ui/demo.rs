//! How a demo is shown: which scenario is run and, on a terminal, which log goes where; what was published, every metric, and whether
//! that is what was expected.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use loghost_core::application::{CheckedMetric, ConsumerEvent, Event, Observer, PublisherEvent};
use loghost_core::domain::{ConsumerName, Filter, Log, Tally, printable, printable_line};

use crate::ui::tail::style;
use crate::ui::terminal::{self, DIM, GOOD, OutputError, Progress, TITLE, counted};
use crate::ui::text::fit;
use crate::ui::verify::line;

/// Prints what the broker has `confirmed`, and what came of it.
pub(crate) fn print(confirmed: &Tally, metrics: &[CheckedMetric]) -> Result<(), OutputError> {
    terminal::print(&format!("published  {}\n", terminal::total_text(confirmed)))?;
    for metric in metrics {
        let text = match &metric.actual {
            Ok(text) => indented(text),
            Err(_) => String::new(),
        };
        terminal::print(&format!(
            "{TITLE}{}{TITLE:#}\n{text}",
            printable_line(&metric.expectation.consumer.to_string())
        ))?;
    }
    let wrong: Vec<String> = metrics.iter().filter(|metric| !metric.passed()).map(line).collect();
    if wrong.is_empty() {
        let all = counted(metrics.len(), "metric");
        return terminal::print(&format!("{GOOD}{all}, as the scenario expects{GOOD:#}"));
    }
    terminal::print(&format!(
        "not as the scenario expects {DIM}(- expected, + written){DIM:#}\n{}",
        wrong.join("\n")
    ))
}

/// Shows which log goes where, as the broker confirms it.
pub(crate) struct DemoView(Mutex<DemoProgress>);

/// What was seen so far.
struct DemoProgress {
    consumers: Vec<(ConsumerName, Filter)>,
    /// The log that was confirmed last, and how often in a row.
    last: Option<(Log, u64)>,
    lines: usize,
    confirmed: u64,
    progress: Option<Progress>,
}

/// How many lines are shown: those that a person may read.
const MOST_LINES: usize = 60;

/// How long it is waited for them to be written, before what came of them is.
const LINES_WITHIN: Duration = Duration::from_secs(1);

impl DemoView {
    /// Shows how so many logs go.
    pub(crate) fn begin(logs: u64) -> Self {
        let progress = Some(Progress::begin("running", logs, "logs"));
        let seen = DemoProgress { consumers: Vec::new(), last: None, lines: 0, confirmed: 0, progress };
        Self(Mutex::new(seen))
    }

    /// Shows what is left to show.
    pub(crate) fn end(&self) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.show_last();
        if seen.lines > MOST_LINES {
            terminal::show_beside(format!("{DIM}and {} others{DIM:#}", seen.lines - MOST_LINES));
        }
        seen.progress = None;
        terminal::finish_saying(LINES_WITHIN);
    }
}

impl Observer for DemoView {
    fn observe(&self, event: &Event<'_>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Consumer(name, ConsumerEvent::Opening { descriptor, .. }) => {
                seen.consumers.push(((*name).clone(), descriptor.filter.clone()));
            }
            Event::Publisher(_, PublisherEvent::Confirmed(log)) => seen.take(log),
            _ => {}
        }
    }
}

impl DemoProgress {
    fn take(&mut self, log: &Log) {
        self.confirmed += 1;
        if let Some(progress) = &self.progress {
            progress.at(self.confirmed);
        }
        match &mut self.last {
            Some((last, times)) if last == log => *times += 1,
            _ => {
                self.show_last();
                self.last = Some((log.clone(), 1));
            }
        }
    }

    fn show_last(&mut self) {
        let Some((log, times)) = self.last.take() else { return };
        self.lines += 1;
        if self.lines > MOST_LINES {
            return;
        }
        let source = log.source.as_ref().map_or("", |source| source.as_str());
        let wants = |(_, filter): &&(ConsumerName, Filter)| filter.wants(log.severity, source);
        let to: Vec<&str> = self.consumers.iter().filter(wants).map(|(name, _)| name.as_str()).collect();
        let to = if to.is_empty() { "nobody".to_owned() } else { to.join(", ") };
        let times = if times > 1 { format!("{times} x ") } else { String::new() };
        let message = log.message.lines().next().unwrap_or_default();
        // The severity, the arrow and a gap are beside it.
        let room = columns().saturating_sub(16 + times.len() + to.len()).max(16);
        let message = fit(&printable_line(message), room);
        let (style, severity) = (style(log.severity), log.severity);
        terminal::show_beside(format!(
            "{style}{severity:<8}{style:#}  {DIM}{times}{DIM:#}{message}  {DIM}->{DIM:#} {TITLE}{to}{TITLE:#}"
        ));
    }
}

/// How wide the terminal is.
fn columns() -> usize {
    crossterm::terminal::size().map_or(80, |(columns, _)| columns.into())
}

fn indented(text: &str) -> String {
    printable(text).split_inclusive('\n').flat_map(|line| ["  ", line]).chain(["\n"]).collect()
}
