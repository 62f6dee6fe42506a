//! `loghost record`: what comes, as a scenario.

use std::mem::take;
use std::num::NonZeroU64;
use std::pin::pin;
use std::time::Duration;

use loghost_core::domain::scenario::{ConsumerRef, write, write_expectation};
use loghost_core::domain::{Attributes, Log, Record, Source};
use tokio::time::sleep;

use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::reading::look::{Logs, Look};
use crate::files::bundled;
use crate::platform::signals::interrupted;
use crate::ui::events::command::ReadingEvent;
use crate::ui::record;
use crate::ui::terminal::{self, Reader};

/// What `record` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) look: Look,
    /// Whose metrics the scenario expects; those of the bundled plugins, if none is named.
    pub(crate) expect: Vec<ConsumerRef>,
    /// It ends after so long.
    pub(crate) period: Option<Duration>,
}

/// Writes what comes, until enough has come, there is no more, nobody reads it, or it is asked to end; then what is expected.
pub(crate) async fn record(options: Options) -> Result<(), Failure> {
    let mut interrupted = pin!(interrupted().status(Status::Internal)?);
    let mut logs = tokio::select! {
        opened = Logs::open(&options.look, "record") => opened?,
        () = &mut interrupted => return Ok(()),
    };
    let mut over = pin!(async {
        match options.period {
            Some(period) => sleep(period).await,
            None => std::future::pending().await,
        }
    });
    let mut recording = Recording::default();
    let mut reader = terminal::printed_verbatim(record::head(&options.look.filter)).await?;
    let mut left = options.look.max_logs.map_or(u64::MAX, NonZeroU64::get);
    let mut done = Ok(());
    while left > 0 && reader == Reader::There {
        let records = tokio::select! {
            records = logs.next() => records,
            () = &mut over => break,
            () = &mut interrupted => break,
        };
        let mut records = match records {
            Ok(records) if records.is_empty() => break,
            Ok(records) => records,
            Err(failure) => {
                // What was recorded before stays a scenario.
                done = Err(failure);
                break;
            }
        };
        records.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left -= records.len() as u64;
        for record in records {
            recording.add(record);
        }
        // It is not cut off: what is written stays a scenario.
        reader = recording.print().await?;
    }
    logs.close().await;
    recording.finish(&expected(options.expect)).await?;
    done.and(if recording.left_out > 0 { Err(Failure::silent(Status::BadInput)) } else { Ok(()) })
}

/// Whose metrics a scenario expects.
fn expected(named: Vec<ConsumerRef>) -> Vec<ConsumerRef> {
    if named.is_empty() {
        return bundled::names().filter_map(|name| ConsumerRef::new(name.to_owned())).collect();
    }
    // None may be expected twice.
    let mut expected: Vec<ConsumerRef> = Vec::new();
    for consumer in named {
        if !expected.contains(&consumer) {
            expected.push(consumer);
        }
    }
    expected
}

/// What was recorded. Equal logs in a row are written as one that is sent several times.
#[derive(Default)]
struct Recording {
    /// The last log, with the number of times in a row, which may become larger.
    last: Option<(Log, NonZeroU64)>,
    /// What is to be written.
    lines: String,
    written: u64,
    left_out: u64,
}

impl Recording {
    fn add(&mut self, record: Record) {
        let log = match log(record) {
            Ok(log) => log,
            Err(why) => return self.leave_out(1, &why),
        };
        match &mut self.last {
            Some((last, times)) if *last == log => *times = times.saturating_add(1),
            _ => {
                self.end_last();
                self.last = Some((log, NonZeroU64::MIN));
            }
        }
    }

    /// Puts the last log among what is to be written.
    fn end_last(&mut self) {
        let Some((log, times)) = self.last.take() else { return };
        match write(&log, times) {
            Ok(lines) => {
                self.lines.push_str(&lines);
                self.written += times.get();
            }
            Err(error) => self.leave_out(times.get(), &error.to_string()),
        }
    }

    /// Leaves logs out, and warns of the first.
    fn leave_out(&mut self, logs: u64, why: &str) {
        if self.left_out == 0 {
            terminal::tell(ReadingEvent::FirstLeftOut(why.to_owned()));
        }
        self.left_out += logs;
    }

    /// Prints what is to be written.
    async fn print(&mut self) -> Result<Reader, Failure> {
        if self.lines.is_empty() {
            return Ok(Reader::There);
        }
        // The end of the last line is printed with it.
        let lines = take(&mut self.lines);
        Ok(terminal::printed_verbatim(lines.trim_end_matches('\n').to_owned()).await?)
    }

    /// Writes the rest, and the expectations.
    async fn finish(&mut self, expected: &[ConsumerRef]) -> Result<(), Failure> {
        self.end_last();
        self.lines.push('\n');
        for consumer in expected {
            self.lines.push_str(&write_expectation(consumer));
        }
        self.print().await?;
        let Self { written, left_out, .. } = *self;
        terminal::tell(ReadingEvent::Recorded { written, left_out });
        Ok(())
    }
}

/// A log that was received as one to publish, without its time and its id; or why it cannot be one.
fn log(record: Record) -> Result<Log, String> {
    let Record { severity, message, source, attributes: received, .. } = record;
    let source = Some(source).filter(|source| !source.is_empty()).map(Source::new);
    let source = source.transpose().map_err(|error| error.to_string())?;
    let mut attributes = Attributes::default();
    for (key, value) in received {
        attributes.push(key, value).map_err(|error| error.to_string())?;
    }
    Ok(Log { severity, message, source, attributes, timestamp: None, hops: 0 })
}
