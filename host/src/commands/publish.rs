//! `loghost publish`: one log, a scenario's, or a log a line.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt;
use loghost_board::Board;
use loghost_core::application::{
    JournalError, Observer, Publish, Receipts, Resume, ResumeError, SinkError, SystemClock,
};
use loghost_core::domain::{Sequencer, Severities, printable_line};
use tokio::time::timeout;

pub(crate) use crate::commands::input::{Decoding, Input, LineOptions};
use crate::commands::input::{Deferred, Pieces};
use crate::compose::control::Controls;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::leaps::tell_leaps;
use crate::compose::observers::Observers;
use crate::compose::target::{Target, new_producer, refused, unpublished};
use crate::compose::telemetry::{NewTraces, Telemetry};
use crate::files::scenario_file::LogEnding;
use crate::platform::signals::interrupted;
use crate::ui::publish::{self, Published};
use crate::ui::terminal::{self, Format, LogObserver, Progress};
use loghost_rabbitmq::{
    AmqpSink, Destination, Exchanges, KeyTemplate, Lifetime, ReconnectingConnection, Retention,
    TopologyError, provide_streams,
};
use loghost_store::journal::JournalFile;

/// What `publish` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) target: Target,
    pub(crate) input: Input,
    /// Which exchange of others is published to, with which keys; without it, that of each severity.
    pub(crate) to: Option<(String, KeyTemplate)>,
    /// How the streams are declared that are to keep the logs, if there are to be some.
    pub(crate) streams: Option<Retention>,
    /// Where the producer keeps what it has begun and what is confirmed.
    pub(crate) journal: Option<PathBuf>,
    pub(crate) traces: Traces,
    /// Where the spans of traces are sent, if anywhere.
    pub(crate) telemetry: Option<loghost_otlp::Options>,
    pub(crate) unrouted: Unrouted,
    pub(crate) format: Format,
}

/// Which traces logs belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traces {
    /// Those that they say themselves, if any.
    AsGiven,
    /// One begins with each.
    Begun,
}

/// What it means that no queue wanted a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unrouted {
    /// It is said.
    IsSaid,
    /// It is a failure.
    Fails,
}

/// How long an interrupted or failed publisher waits for answers.
const PATIENCE: Duration = Duration::from_secs(5);

type ResumingPublisher = Resume<AmqpSink, SystemClock, JournalFile>;

/// Publishes, and reports what the broker has confirmed: also when it fails on the way.
pub(crate) async fn publish(options: Options) -> Result<(), Failure> {
    let telemetry = options.telemetry.clone();
    // There are no consumers.
    let (measuring, _) = Controls::new(Lifetime::Named);
    let telemetry = telemetry.map(|options| Telemetry::start(options, Arc::new(Board::default()), measuring));
    let published = publish_traced(options, telemetry.as_ref()).await;
    if let Some(telemetry) = telemetry {
        telemetry.end().await;
    }
    published
}

async fn publish_traced(options: Options, telemetry: Option<&Telemetry>) -> Result<(), Failure> {
    let traces = (options.traces == Traces::Begun).then(|| NewTraces::new(telemetry));
    // With a journal the input may grow, and what was sent of it is never sent otherwise.
    let ending = if options.journal.is_some() { LogEnding::Open } else { LogEnding::Text };
    let severities = options.input.severities();
    let mut pieces = Pieces::of(options.input, ending)?;
    let mut interrupted = pin!(interrupted().status(Status::Internal)?);
    let new = new_producer()?;
    let journal = options.journal.as_deref().map(|path| JournalFile::open(path, &new));
    let journal = journal.transpose().status(Status::BadInput)?;
    let producer = journal.as_ref().map_or(new, |journal| journal.producer().clone());
    let (connection, sink) = tokio::select! {
        opened = open(&options.target, options.to.clone(), options.streams, severities, telemetry) => opened?,
        () = &mut interrupted => return Err(Stop::Interrupted.failure(&pieces, None)),
    };
    let to = options.to.as_ref().map(|to| &*to.0);
    let publish = Publish::new(sink, Sequencer::new(producer), SystemClock);
    let mut publisher = Resume::new(publish, journal);
    let log = LogObserver::default();

    let sent = tokio::select! {
        sent = send(&mut pieces, &mut publisher, &connection, traces.as_ref(), to) => sent,
        never = tell_leaps(&log) => match never {},
        () = &mut interrupted => {
            terminal::notice("interrupted: waiting for the answers to what was sent");
            await_answers(&mut publisher).await;
            let is_done = publisher.unfinished() == 0;
            publisher.give_up();
            // It is the usual end of what follows a file that grows.
            if pieces.is_endless() && is_done { Ok(()) } else { Err(Stop::Interrupted) }
        }
    };
    if let Err(stop) = sent {
        if let Stop::Publisher(ResumeError::Journal(JournalError::Changed { .. })) = stop {
            // Nothing was sent.
        } else {
            await_answers(&mut publisher).await;
            publisher.give_up();
            report(&publisher, &pieces, to, options.journal.is_some(), options.format)?;
        }
        return Err(stop.failure(&pieces, options.journal.as_deref()));
    }
    report(&publisher, &pieces, to, options.journal.is_some(), options.format)?;
    connection.close().await;
    conclude(publisher.receipts(), &pieces, options.unrouted)
}

async fn open(
    target: &Target,
    to: Option<(String, KeyTemplate)>,
    streams: Option<Retention>,
    severities: Severities,
    telemetry: Option<&Telemetry>,
) -> Result<(Arc<ReconnectingConnection>, AmqpSink), Failure> {
    let destination = match to {
        Some((name, key)) => Destination::Exchange { name, key },
        None => Destination::Severities(target.names.clone(), Exchanges::Own),
    };
    let log: Arc<dyn Observer> = Arc::new(LogObserver::default());
    let observers = [log].into_iter().chain(telemetry.and_then(Telemetry::observer)).collect();
    let connection = target.connect_observed("publishing", Arc::new(Observers(observers))).await?;
    if let Some(retention) = streams {
        let declaring = || provide(&connection, target, severities, retention).boxed();
        target.retry.until_ready(&LogObserver::default(), declaring).await.map_err(refused)?;
    }
    let sink = AmqpSink::open(Arc::clone(&connection), destination, []).await.map_err(unpublished)?;
    Ok((connection, sink))
}

/// Declares the streams of these severities.
async fn provide(
    connection: &ReconnectingConnection,
    target: &Target,
    severities: Severities,
    retention: Retention,
) -> Result<(), TopologyError> {
    let connection = connection.connection().await?;
    provide_streams(&connection, &target.names, severities.iter(), &retention).await
}

/// Why not everything was sent and confirmed.
enum Stop {
    Input(Failure),
    Publisher(ResumeError),
    Interrupted,
}

impl Stop {
    fn failure(self, input: &Pieces, journal: Option<&Path>) -> Failure {
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

async fn send(
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
            publish::warn_unroutable(&receipts.unroutable, to);
        }
    }
}

/// Waits a while for what was sent to be answered, and has what is confirmed noted.
async fn await_answers(publisher: &mut ResumingPublisher) {
    // A broker that holds publishers back may never answer, and one that is gone neither.
    if let Ok(Ok(())) = timeout(PATIENCE, publisher.flush()).await {
        return;
    }
    if let Err(error) = publisher.note() {
        terminal::warning(&format!("what was confirmed last will be sent again: {error}"));
    }
}

fn report(
    publisher: &ResumingPublisher,
    pieces: &Pieces,
    to: Option<&str>,
    has_journal: bool,
    format: Format,
) -> Result<(), Failure> {
    let deferred = pieces.deferred();
    let outcome = Published {
        receipts: publisher.receipts(),
        already: publisher.already_confirmed(),
        has_journal,
        unanswered: publisher.unanswered(),
        skipped_lines: pieces.skipped(),
        undetermined: pieces.undetermined().map(|undetermined| (undetermined.logs, undetermined.severity)),
        deferred: deferred.as_ref().map_or(0, |deferred| deferred.logs),
    };
    outcome.print(format)?;
    outcome.warn(to);
    if let Some(Deferred { text, .. }) = deferred {
        terminal::warning(&text);
    }
    Ok(())
}

fn conclude(receipts: Receipts, pieces: &Pieces, unrouted: Unrouted) -> Result<(), Failure> {
    // What was refused and could be taken some time is an error by now: these never are.
    if receipts.refused.total() > 0 || pieces.skipped() > 0 {
        return Err(Failure::silent(Status::BadInput));
    }
    if receipts.unroutable.total() > 0 && unrouted == Unrouted::Fails {
        return Err(Failure::silent(Status::Differs));
    }
    Ok(())
}
