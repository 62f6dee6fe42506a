//! What is looked at, and the logs of it: those that come from now on, or those that streams have.

use std::num::NonZeroU64;

use loghost_core::application::{PastLogs, SourceError};
use loghost_core::domain::{Filter, Record, TracesRead};
use loghost_rabbitmq::{BindRules, Decode};

use crate::compose::failure::Failure;
use crate::compose::reading::live_logs::LiveLogs;
use crate::compose::reading::past::{OpenedPast, Past};
use crate::compose::running::supervise::status_of;
use crate::compose::target::Target;
use crate::ui::errors::chain;
use crate::ui::events::command::{PastUse, ReadingEvent};
use crate::ui::terminal;

/// What is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) target: Target,
    pub(crate) filter: Filter,
    /// Which exchanges of others are looked at as well.
    pub(crate) rules: BindRules,
    /// It ends after so many.
    pub(crate) max_logs: Option<NonZeroU64>,
    /// What is read of the streams; without it, what comes is looked at.
    pub(crate) past: Option<Past>,
}

/// The logs of it.
pub(crate) enum Logs {
    /// Those that come.
    Live(Box<LiveLogs>),
    /// Those that streams have, and, without an end, those that come.
    Past { opened: Box<OpenedPast>, ends: bool },
}

/// How many logs of streams are taken at once.
const BURST: usize = 256;

impl Logs {
    /// Looks, as a reader of this `name`.
    pub(crate) async fn open(look: &Look, name: &str) -> Result<Self, Failure> {
        let Some(past) = &look.past else {
            let opening = LiveLogs::open(&look.target, name, look.filter.clone(), look.rules.clone());
            return Ok(Self::Live(Box::new(opening.await?)));
        };
        let decode = Decode { message: true, attributes: true, traces: TracesRead::None };
        let opened =
            Box::new(past.open(&look.target, name, (look.filter.clone(), look.rules.clone()), decode).await?);
        terminal::tell(ReadingEvent::Past(PastUse::Reading, opened.logs.spans().cloned().collect()));
        Ok(Self::Past { opened, ends: past.until.is_some() })
    }

    /// The next logs; waits while there are none. None are left if there is none.
    pub(crate) async fn next(&mut self) -> Result<Vec<Record>, Failure> {
        let (logs, ends) = match self {
            Self::Live(logs) => loop {
                let records = logs.next().await?;
                if !records.is_empty() {
                    return Ok(records);
                }
            },
            Self::Past { opened, ends } => (&mut opened.logs, *ends),
        };
        let failure = |error: SourceError| {
            let end = error.into();
            Failure::new(status_of(&end), chain(&end))
        };
        loop {
            let mut found = Vec::new();
            if ends {
                logs.next(&mut found, BURST).await.map_err(failure)?;
            } else {
                logs.followed(&mut found, BURST).await.map_err(failure)?;
            }
            let is_over = ends && found.is_empty();
            // What is no log is for those who count.
            let records: Vec<Record> = found.into_iter().filter_map(|found| found.log.ok()).collect();
            if is_over || !records.is_empty() {
                return Ok(records);
            }
        }
    }

    /// Ends it.
    pub(crate) async fn close(self) {
        match self {
            Self::Live(logs) => logs.close().await,
            Self::Past { opened, .. } => opened.close().await,
        }
    }
}
