//! What the consumer is not shown: messages that are no logs, or that the broker could not deliver, logs that its filter does
//! not want, because a binding of an older or newer version brought them, and logs that consumers publish in a circle. Nothing
//! that is neither counted nor among the dead letters is acknowledged, so that is where they go; where there are none, it is
//! said.
//!
//! They are no failures of the consumer's.

use super::session::Session;
use super::staged::{Done, FinishedKind};
use super::window::Task;
use super::{Consume, Ports};
use crate::application::ports::{Cause, DeadLettering, Reads, SourceError};
use crate::domain::{CountedAs, Descriptor, Record};

/// A delivery that the consumer is not shown.
#[derive(Debug)]
pub(super) enum Unseen {
    /// A message that is no log: its number, and how it came.
    Foreign(u64, String),
    /// A message that the broker could not deliver: its number, and how it came instead.
    Undeliverable(u64, String),
    /// A log that the filter does not want.
    Unwanted(Task),
    /// A log that has come through too many consumers that publish.
    Looped(Task),
}

/// How many consumers that publish a log may come through, before one that publishes is not shown it.
const MOST_HOPS: u8 = 8;

/// Why a consumer of this `descriptor` is not shown a log that has come through too many consumers that publish; none if
/// it is.
pub(in crate::application) fn looped(descriptor: &Descriptor, record: &Record) -> Option<String> {
    (record.hops >= MOST_HOPS && !descriptor.publishes.is_empty()).then(|| circle(record))
}

fn circle(record: &Record) -> String {
    format!(
        "consumers publish in a circle: it has come through {} of them, one because of the other",
        record.hops
    )
}

impl Unseen {
    fn cause(&self) -> Cause {
        match self {
            Self::Foreign(..) => Cause::Foreign,
            Self::Undeliverable(..) => Cause::Undeliverable,
            Self::Unwanted(_) => Cause::Unwanted,
            Self::Looped(_) => Cause::Looped,
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::Foreign(_, how) | Self::Undeliverable(_, how) => how.clone(),
            Self::Unwanted(Task { record, .. }) => {
                let source = match record.source.as_str() {
                    "" => "without a source".to_owned(),
                    source => format!("from `{source}`"),
                };
                format!("the filter does not want {} logs {source}", record.severity)
            }
            Self::Looped(Task { record, .. }) => circle(record),
        }
    }

    /// How many attempts were made at it before it came.
    fn attempts(&self) -> u32 {
        match self {
            Self::Foreign(..) | Self::Undeliverable(..) => 0,
            Self::Unwanted(task) | Self::Looped(task) => task.record.attempt.saturating_sub(1),
        }
    }

    /// The log, if it is one.
    fn log(&self) -> Option<&Record> {
        match self {
            Self::Foreign(..) | Self::Undeliverable(..) => None,
            Self::Unwanted(task) | Self::Looped(task) => Some(&task.record),
        }
    }

    fn done(&self) -> Done {
        match self {
            Self::Foreign(number, _) => Done { number: *number, what: FinishedKind::Foreign },
            Self::Undeliverable(number, _) => Done { number: *number, what: FinishedKind::Undeliverable },
            Self::Unwanted(task) => task.done(CountedAs::Unwanted),
            Self::Looped(task) => task.done(CountedAs::Dead),
        }
    }
}

impl<P: Ports> Consume<P> {
    /// What a log is that the consumer is not shown; none if it is.
    pub(super) fn unseen(&self, record: &Record) -> Option<fn(Task) -> Unseen> {
        let descriptor = self.processing.descriptor();
        if !descriptor.filter.wants(record.severity, &record.source) {
            Some(Unseen::Unwanted)
        } else if looped(descriptor, record).is_some() {
            Some(Unseen::Looped)
        } else {
            None
        }
    }

    /// Sends to the dead letters what the consumer is not shown, or notes that there are none. If the source has
    /// not read it whole, the next one does.
    pub(super) fn pass_by(&mut self, session: &mut Session<P>, unseen: &Unseen) -> Result<(), SourceError> {
        let dead_lettering = session.dead_lettering();
        if dead_lettering == DeadLettering::Unread {
            self.at_least = Reads::Logs;
            return Err(SourceError::Unread);
        }
        let (cause, reason) = (unseen.cause(), unseen.reason());
        self.progress.not_counted(cause, &reason, dead_lettering);
        let rejection = self.rejection(cause, reason, None, unseen.attempts());
        session.dead_letter(unseen.done(), unseen.log(), rejection);
        Ok(())
    }
}
