//! `loghost tail`: the logs themselves, as they come.

use std::num::NonZeroU64;
use std::pin::pin;

use loghost_core::domain::Record;
use regex::Regex;

use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::reading::look::{Logs, Look};
use crate::platform::signals::interrupted;
use crate::ui::tail;
use crate::ui::terminal::{self, OutputFormat, Reader};

/// What `tail` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) look: Look,
    /// What the message must have in it.
    pub(crate) grep: Option<Regex>,
    pub(crate) format: OutputFormat,
}

/// Shows what comes, until enough is shown, there is no more, nobody reads it, or it is asked to end.
pub(crate) async fn tail(options: Options) -> Result<(), Failure> {
    let mut interrupted = pin!(interrupted().status(Status::Internal)?);
    let mut logs = tokio::select! {
        opened = Logs::open(&options.look, "tail") => opened?,
        () = &mut interrupted => return Ok(()),
    };
    let done = tokio::select! {
        done = show(&mut logs, &options) => done,
        () = &mut interrupted => Ok(()),
        closed = terminal::closed() => closed.map_err(Failure::from),
    };
    logs.close().await;
    done
}

/// Shows what comes, until enough is shown, there is no more, or nobody reads it.
async fn show(logs: &mut Logs, options: &Options) -> Result<(), Failure> {
    let mut left = options.look.max_logs.map_or(u64::MAX, NonZeroU64::get);
    while left > 0 {
        let records = logs.next().await?;
        if records.is_empty() {
            break;
        }
        let is_wanted =
            |record: &&Record| options.grep.as_ref().is_none_or(|grep| grep.is_match(&record.message));
        let mut lines = Vec::new();
        for record in records.iter().filter(is_wanted).take(usize::try_from(left).unwrap_or(usize::MAX)) {
            lines.push(match options.format {
                OutputFormat::Text => tail::line(record),
                OutputFormat::Json => terminal::json_line(&tail::object(record))?,
            });
        }
        left -= lines.len() as u64;
        if !lines.is_empty() && terminal::printed(lines.join("\n")).await? == Reader::Gone {
            break;
        }
    }
    Ok(())
}
