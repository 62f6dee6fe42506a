//! Watching over running consumers: waits for them, stops them, and tells how each ended.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::BoxFuture;
use loghost_core::application::{End, Event, Finished, Observer, RunEvent, SourceError};
use loghost_core::domain::ConsumerName;
use loghost_system::{self as system, NoThread, Refusal};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::compose::failure::{Failure, Status};
use crate::compose::target::status_of_sink;
use crate::ui::errors::chain;

/// Why all consumers are stopped.
#[derive(Debug)]
pub(crate) enum StopReason {
    /// Somebody has asked for it.
    Asked,
    /// There is nothing left to do.
    Idle,
    /// Nobody reads metrics any more.
    Unread,
    /// It cannot go on.
    Failed(Failure),
}

/// What becomes of the other consumers when one has ended for good, or cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// They go on.
    GoOn,
    /// They end as well.
    End,
}

/// How they have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// What the first failure means, if there was one.
    pub(crate) failure: Option<Status>,
    /// Whether somebody has asked for it.
    pub(crate) is_asked: bool,
}

/// How a consumer has run: not at all, if it was stopped before.
pub(crate) type RunResult = Result<Option<Finished>, Failure>;

/// A consumer that runs from now on, beside the others.
pub(crate) struct AddedConsumer {
    pub(crate) name: ConsumerName,
    pub(crate) running: BoxFuture<'static, RunResult>,
}

/// Waits for the tasks of these consumers, and stops them at the `ending`, or when there is no point in going
/// on: they have `grace` to finish what they have in hand. Tells the `observer` what went wrong with each.
pub(crate) async fn supervise(
    mut tasks: JoinSet<RunResult>,
    mut names: HashMap<Id, ConsumerName>,
    mut others: mpsc::Receiver<AddedConsumer>,
    ending: impl Future<Output = StopReason>,
    stop: watch::Sender<bool>,
    (grace, on_failure): (Duration, OnFailure),
    observer: &dyn Observer,
) -> Ended {
    let tell = |event: RunEvent<'_>| observer.observe(&Event::Run(event));
    let mut ending = pin!(ending);
    let mut deadline: Option<Instant> = None;
    let mut is_ending = false;
    let mut ended_so = Ended { failure: None, is_asked: false };
    loop {
        let until = deadline.unwrap_or_else(Instant::now);
        let joined = tokio::select! {
            biased;
            // First, as without tasks nothing is waited for.
            Some(AddedConsumer { name, running }) = others.recv(), if !is_ending => {
                match run_alone(&mut tasks, running) {
                    Ok(task) => {
                        names.insert(task.id(), name);
                    }
                    Err(error) => tell(RunEvent::NotBegun(&name, &chain(&error))),
                }
                continue;
            }
            joined = tasks.join_next_with_id() => joined,
            why = &mut ending, if !is_ending => {
                is_ending = true;
                ended_so.is_asked = matches!(why, StopReason::Asked);
                if let StopReason::Failed(failure) = &why {
                    tell(RunEvent::CannotGoOn(&failure.text().unwrap_or_default()));
                    ended_so.failure = ended_so.failure.or(Some(failure.status()));
                }
                deadline.get_or_insert(Instant::now() + grace);
                stop.send_replace(true);
                continue;
            }
            () = sleep_until(until), if deadline.is_some() => {
                // They are not waited for: nothing ends a plugin's call before its time is over.
                for name in names.values() {
                    tell(RunEvent::Unfinished(name, grace));
                }
                ended_so.failure = ended_so.failure.or(Some(Status::Unavailable));
                return ended_so;
            }
        };
        let Some(joined) = joined else { return ended_so };
        let name = names.remove(&joined.as_ref().map_or_else(JoinError::id, |(id, _)| *id));
        let status = match (joined, name) {
            (Ok((_, ran)), Some(name)) => {
                let status = match &ran {
                    Ok(finished) => finished.as_ref().and_then(|finished| {
                        let status = status_of_finished(finished)?;
                        tell(RunEvent::Failed(&name, finished));
                        Some(status)
                    }),
                    Err(failure) => {
                        tell(RunEvent::NotBegun(&name, &failure.text().unwrap_or_default()));
                        Some(failure.status())
                    }
                };
                let ends_all = status.is_some() && on_failure == OnFailure::End;
                if ends_all && deadline.is_none() && !tasks.is_empty() {
                    tell(RunEvent::EndingWith(&name));
                }
                if ends_all || matches!(&ran, Ok(Some(finished)) if concerns_all(&finished.end)) {
                    deadline.get_or_insert(Instant::now() + grace);
                    stop.send_replace(true);
                }
                status
            }
            (Ok(_), None) => None,
            (Err(panic), name) => {
                tell(RunEvent::Panicked(name.as_ref(), &panic.to_string()));
                // What it held goes back with the connection, and not before.
                deadline.get_or_insert(Instant::now() + grace);
                stop.send_replace(true);
                Some(Status::Internal)
            }
        };
        ended_so.failure = ended_so.failure.or(status);
    }
}

/// Runs a consumer on a thread of its own, which a plugin may take its whole time on. It is none of the runtime's, which
/// waits for ever where the system gives it none.
pub(crate) fn run_alone<T: Send + 'static>(
    tasks: &mut JoinSet<T>,
    running: impl Future<Output = T> + Send + 'static,
) -> Result<AbortHandle, NoThread> {
    let (runtime, running) = (Handle::current(), Box::pin(running));
    let (done, finished) = oneshot::channel();
    system::spawn("consumer", move || {
        // Nobody waits for one that has not finished in time.
        let _ = done.send(runtime.block_on(running));
    })?;
    let finished =
        async { finished.await.unwrap_or_else(|_| resume_unwind(Box::new("its thread panicked"))) };
    Ok(tasks.spawn(finished))
}

/// How many consumers open their sources at the same time.
pub(crate) const MOST_OPENING: usize = 64;

/// Whether what ended one consumer leaves nothing to do for the others: the broker is gone, metrics
/// cannot be shown, or what they all keep cannot be kept.
fn concerns_all(end: &End) -> bool {
    matches!(
        end,
        End::Report(_) | End::Ledger(_) | End::Source(SourceError::Lost(_) | SourceError::Unavailable(_))
    )
}

/// What it means how a consumer has ended, unless it has ended as it should.
fn status_of_finished(finished: &Finished) -> Option<Status> {
    match &finished.end {
        End::Shutdown | End::Enough | End::Marker => finished.stopped.as_ref().map(|_| Status::Stopped),
        end => Some(status_of(end)),
    }
}

/// Why a consumer cannot begin.
pub(crate) fn not_opened(name: &ConsumerName, end: &End) -> Failure {
    let why = chain(end);
    let failure = match end {
        End::Consumer(_) => {
            let advice = "it does not take up its saved state: mend it, or begin without that state with \
                          --discard-state (counts are kept)";
            Failure::new(Status::BadInput, format!("{why}: {advice}"))
        }
        end => Failure::new(status_of(end), why),
    };
    failure.of_consumer(name.clone())
}

/// The exit status that an end means, if it is none of the good ones.
pub(crate) fn status_of(end: &End) -> Status {
    if let Some(refusal) = Refusal::behind(end) {
        return refusal.into();
    }
    match end {
        End::Source(SourceError::Refused(_)) => Status::BadConfiguration,
        End::Source(_) => Status::Unavailable,
        End::Sink(error) => status_of_sink(error),
        End::Consumer(_) => Status::Stopped,
        End::Report(_) | End::Ledger(_) => Status::Io,
        End::Shutdown | End::Enough | End::Marker => Status::Internal,
    }
}
