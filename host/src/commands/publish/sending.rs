//! Sending what `publish` reads, log by log, and why it stops before the end.

use std::path::Path;
use std::time::Duration;

use loghost_core::application::{JournalError, Receipts, Resume, ResumeError, SinkError, SystemClock};
use loghost_core::domain::printable_line;
use loghost_rabbitmq::{AmqpSink, ReconnectingConnection};
use loghost_store::journal::JournalFile;
use tokio::time::timeout;

use crate::commands::input::Pieces;
use crate::compose::failure::{Failure, Status};
use crate::compose::running::telemetry::NewTraces;
use crate::compose::target::unpublished;
use crate::ui::events::command::{PublishedTo, PublishingEvent};
use crate::ui::terminal::{self, Progress};

/// How long an interrupted or failed publisher waits for answers.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) type ResumingPublisher = Resume<AmqpSink, SystemClock, JournalFile>;

/// Why not everything was sent and confirmed.
pub(super) enum Stop {
    Input(Failure),
    Publisher(ResumeError),
    Interrupted,
}

impl Stop {
    pub(super) fn failure(self, input: &Pieces, journal: Option<&Path>) -> Failure {
        match self {
            Self::Input(failure) => failure,
            Self::Publisher(ResumeError::Sink(error)) => unpublished(error),
            Self::Publisher(ResumeError::Journal(error)) => {
                let status = match error {
                    JournalError::Changed { .. } => Status::BadInput,
                    JournalError::Write(_) => Status::Io,
                };
                let journal = journal.unwrap_or(Path::new("")).display().to_string();
                let what = format!("{input}, with the journal {}", printable_line(&journal));
                Failure::of(status, anyhow::Error::new(error).context(what))
            }
            Self::Interrupted => {
                Failure::new(Status::Unavailable, "interrupted before everything was sent and confirmed")
            }
        }
    }
}

impl From<ResumeError> for Stop {
    fn from(error: ResumeError) -> Self {
        Self::Publisher(error)
    }
}

/// Sends all, and waits for the answers.
pub(super) async fn send(
    pieces: &mut Pieces,
    publisher: &mut ResumingPublisher,
    connection: &ReconnectingConnection,
    traces: Option<&NewTraces>,
    to: Option<&str>,
) -> Result<(), Stop> {
    let progress = match pieces.total() {
        Some(total) => Progress::begin("publishing", total, "logs"),
        None => Progress::none(),
    };
    // Of what ends by itself, the end tells.
    let mut unwanted = if pieces.is_endless() { Unwanted::Unseen } else { Unwanted::Said };
    loop {
        // Also while nothing comes, answers do, and what was lost is sent again.
        let meanwhile = async {
            match publisher.flush().await {
                Ok(()) => {
                    unwanted.look(publisher.receipts(), to);
                    SinkError::from(connection.keep().await).into()
                }
                Err(error) => error,
            }
        };
        let mut piece = tokio::select! {
            biased;
            piece = pieces.next() => piece.map_err(Stop::Input)?,
            error = meanwhile => return Err(Stop::Publisher(error)),
        };
        if piece.is_empty() {
            if pieces.deferred().is_none() || !publisher.is_behind() {
                return Ok(publisher.finish().await?);
            }
            // It was begun as it is by an earlier version.
            pieces.hold_nothing_back();
            continue;
        }
        if let Some(traces) = traces {
            traces.begin(&mut piece);
        }
        publisher.piece(&piece).await?;
        progress.at(publisher.receipts().answered() + publisher.already_confirmed().total());
        unwanted.look(publisher.receipts(), to);
    }
}

/// Whether a log has found no queue. Whoever follows a file that grows hears of it at the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unwanted {
    Unseen,
    Said,
}

impl Unwanted {
    fn look(&mut self, receipts: Receipts, to: Option<&str>) {
        if *self == Self::Unseen && receipts.unroutable.total() > 0 {
            *self = Self::Said;
            terminal::tell(PublishingEvent::FirstUnroutable(receipts.unroutable, PublishedTo::of(to)));
        }
    }
}

/// Waits a while for what was sent to be answered, and has what is confirmed noted.
pub(super) async fn await_answers(publisher: &mut ResumingPublisher) {
    // A broker that holds publishers back may never answer, and one that is gone neither.
    if let Ok(Ok(())) = timeout(TIMEOUT, publisher.flush()).await {
        return;
    }
    if let Err(error) = publisher.note() {
        terminal::tell(PublishingEvent::NotNoted(error.to_string()));
    }
}
