//! `loghost publish`: one log, a scenario's, or a log a line.

mod sending;

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::FutureExt;
use loghost_board::Board;
use loghost_core::application::{
    JournalError, Observer, Publish, Receipts, Resume, ResumeError, SystemClock,
};
use loghost_core::domain::{Sequencer, Severities};

use self::sending::{ResumingPublisher, Stop, await_answers, send};
use crate::commands::input::{Deferred, Pieces};
pub(crate) use crate::commands::input::{Input, LineDecoding, LineOptions};
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::observers::Observers;
use crate::compose::running::control::Controls;
use crate::compose::running::leaps::tell_leaps;
use crate::compose::running::telemetry::{NewTraces, Telemetry};
use crate::compose::target::{Target, new_producer, refused, unpublished};
use crate::files::scenario_file::LogEnding;
use crate::platform::signals::interrupted;
use crate::ui::events::command::{PublishingEvent, tell};
use crate::ui::publish::Published;
use crate::ui::terminal::{self, LogObserver, OutputFormat};
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
    pub(crate) format: OutputFormat,
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

/// Publishes, and reports what the broker has confirmed: also when it fails on the way.
pub(crate) async fn publish(options: Options) -> Result<(), Failure> {
    let telemetry = options.telemetry.clone();
    // There are no consumers.
    let (measuring, _) = Controls::new(Lifetime::Named);
    let telemetry = telemetry.map(|options| {
        Telemetry::start(options, Arc::new(Board::default()), measuring, Arc::new(LogObserver::default()))
    });
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
            tell(&log, PublishingEvent::Interrupted);
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

fn report(
    publisher: &ResumingPublisher,
    pieces: &Pieces,
    to: Option<&str>,
    has_journal: bool,
    format: OutputFormat,
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
    if let Some(Deferred { logs, unsent }) = deferred {
        terminal::tell(PublishingEvent::NotSent(logs, pieces.to_string(), unsent));
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
