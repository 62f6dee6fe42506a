//! Watching over running consumers: waits for them, stops them, and says how each ended.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::iter::successors;
use std::pin::pin;
use std::time::Duration;

use loghost_core::application::{End, Finished, Report, ReportError, Reporter, SourceError};
use loghost_core::domain::ConsumerName;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::failure::Status;
use crate::adapters::terminal::{self, TerminalReporter};

/// How long consumers may take to finish what they have in hand.
const GRACE: Duration = Duration::from_secs(10);

/// Waits for the tasks, and stops them at the `ending`, or when there is no point in going on. Says what
/// went wrong with each; the status is that of the first.
pub(super) async fn supervise(
    mut tasks: JoinSet<(ConsumerName, Finished)>,
    ending: impl Future<Output = ()>,
    stop: watch::Sender<bool>,
) -> Option<Status> {
    let mut ending = pin!(ending);
    let mut grace = None;
    let mut first = None;
    loop {
        let until = grace.unwrap_or_else(Instant::now);
        let joined = tokio::select! {
            joined = tasks.join_next() => joined,
            () = &mut ending, if grace.is_none() => {
                grace = Some(Instant::now() + GRACE);
                stop.send_replace(true);
                continue;
            }
            () = sleep_until(until), if grace.is_some() => {
                tasks.abort_all();
                tasks.join_next().await
            }
        };
        let Some(joined) = joined else { return first };
        let status = match joined {
            Ok((name, finished)) => {
                if concerns_all(&finished.end) {
                    grace.get_or_insert(Instant::now() + GRACE);
                    stop.send_replace(true);
                }
                ended(&name, &finished)
            }
            Err(error) if error.is_cancelled() => {
                let waited = humantime::format_duration(GRACE);
                terminal::notice(&format!(
                    "a consumer could not finish within {waited}: what it has not acknowledged comes again"
                ));
                Some(Status::Unavailable)
            }
            Err(panic) => {
                terminal::notice(&format!("a consumer's task failed: {panic}"));
                Some(Status::Internal)
            }
        };
        first = first.or(status);
    }
}

/// Whether what ended one consumer leaves nothing to do for the others: the broker is gone, or nobody
/// reads the metrics.
fn concerns_all(end: &End) -> bool {
    matches!(end, End::Report(_) | End::Source(SourceError::Lost(_)))
}

/// Says how a consumer ended, unless it ended as it should.
fn ended(name: &ConsumerName, finished: &Finished) -> Option<Status> {
    let (status, advice) = match &finished.end {
        End::Shutdown | End::Enough | End::Marker => return None,
        End::Report(error) if is_broken_pipe(error) => return None,
        End::Report(_) => (Status::Internal, "the metric is lost, the logs are acknowledged"),
        End::Source(_) | End::Sink(_) => (Status::Unavailable, "what was not acknowledged comes again"),
        End::Consumer(_) => (Status::Stopped, "stopped; what it has not counted stays in its queue"),
    };
    let why = chain(&finished.end);
    terminal::notice(&format!("{name}: {why}: {advice} ({} logs were counted)", finished.counts.total()));
    Some(status)
}

/// Whether the reader of the metrics has gone, as `head` does: nothing is wrong.
fn is_broken_pipe(error: &ReportError) -> bool {
    error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn chain(error: &dyn Error) -> String {
    successors(error.source(), |error| (*error).source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// When there was last something to do, and what still waits.
pub(super) struct Activity {
    last: Instant,
    /// How many logs of each consumer wait for another attempt.
    held: HashMap<ConsumerName, usize>,
}

impl Activity {
    /// Something to do now, and nothing that waits.
    pub(super) fn now() -> Self {
        Self { last: Instant::now(), held: HashMap::new() }
    }
}

/// Is ready when no consumer has had anything to do for as long as `limit`, and no log waits for another
/// attempt; never without a limit.
pub(super) async fn idle(mut activity: watch::Receiver<Activity>, limit: Option<Duration>) {
    let Some(limit) = limit else { return std::future::pending().await };
    loop {
        let (quiet_at, waiting) = {
            let activity = activity.borrow_and_update();
            (activity.last + limit, activity.held.values().any(|held| *held > 0))
        };
        if !waiting && quiet_at <= Instant::now() {
            return;
        }
        if waiting {
            // Without consumers there is nothing to wait for.
            if activity.changed().await.is_err() {
                return;
            }
        } else {
            sleep_until(quiet_at).await;
        }
    }
}

/// A reporter that notes what there is to do.
pub(super) struct Watched {
    inner: TerminalReporter,
    activity: watch::Sender<Activity>,
}

impl Watched {
    /// Reports to `inner`, and notes in `activity`.
    pub(super) fn new(inner: TerminalReporter, activity: watch::Sender<Activity>) -> Self {
        Self { inner, activity }
    }
}

impl Reporter for Watched {
    fn metric(&mut self, report: &Report<'_>) -> Result<(), ReportError> {
        self.inner.metric(report)
    }

    fn stray(&mut self, consumer: &ConsumerName, exchange: &str) {
        self.inner.stray(consumer, exchange);
    }

    fn progress(&mut self, consumer: &ConsumerName, finished: usize, held: usize) {
        self.activity.send_modify(|activity| {
            activity.last = Instant::now();
            if held > 0 {
                activity.held.insert(consumer.clone(), held);
            } else {
                activity.held.remove(consumer);
            }
        });
        self.inner.progress(consumer, finished, held);
    }
}
