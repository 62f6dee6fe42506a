//! Consuming: takes logs from a source, lets the consumer process them, counts, commits, acknowledges, reports.
//!
//! The acknowledgement comes last, after the commit, and that after what the consumer publishes in turn has
//! been confirmed: whatever ends the run before it, the log comes again, and the book recognises it.
//!
//! In reading order: `serve` is the loop over one source; `process` asks the consumer, and finds the log that it
//! fails at; `unseen` is what the consumer is not shown; `settle` commits and acknowledges; `held` and
//! `unacknowledged` are what is under way; `breaker` tells a bad consumer from bad logs; `book_time` is how late it is.

mod adapters;
mod book_time;
mod breaker;
mod commit;
mod process;
mod retries;
mod serve;
mod unacknowledged;
mod unseen;

use std::error::Error;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

pub use self::adapters::{Adapters, Ports};
use self::book_time::BookTime;
use self::breaker::Breaker;
pub use self::breaker::Tolerance;
use self::commit::{Staged, UnderWay};
use self::process::PendingDeadLetter;
use self::retries::Retries;
use self::unacknowledged::Unacknowledged;
use super::end::{End, Finished};
use super::ports::{
    Aside, Cause, Clock, Consumer, ConsumerActivity, ConsumerError, DeadLettering, Ledger, Load, LogSource,
    Next, Reads, Report, ReportError, Reporter, SourceError, SourceFactory, State, Uncounted,
};
use super::publish::Publish;
use crate::domain::{Book, Counts, Filter, Metric, Timestamp};

/// How a consumer is run.
#[derive(Clone, Debug)]
pub struct ConsumeOptions {
    /// The most logs that are taken, judged and acknowledged together; at least 1.
    pub max_batch: usize,
    /// When a batch is complete.
    pub batching: Batching,
    /// The least time between two metrics.
    pub every: Duration,
    /// How many logs to count before ending.
    pub max_logs: Option<u64>,
    /// How often a log is tried again before it goes to the dead letters.
    pub max_retries: u32,
    /// How many logs may wait for their next attempt, or to be safe among the dead letters; beyond that
    /// nothing new is taken. At least 1.
    pub max_held: usize,
    /// The least time between the beginnings of two commits, while less than `max_held` logs wait for one: what
    /// a commit costs is shared by all that is in it.
    pub pace: Duration,
    /// When the consumer is stopped because it keeps failing.
    pub tolerance: Tolerance,
    /// How long a stopped consumer is left alone before one log is tried; doubles up to five minutes. Without
    /// it, being stopped ends the run.
    pub probe: Option<Duration>,
    /// How long an origin is remembered that sends nothing, while logs are taken.
    pub forget_after: Duration,
    /// How long the broker may take with the logs that the consumer publishes of one batch, before that is given up
    /// and comes again.
    pub publish_within: Duration,
    /// What the consumer gets of its saved state.
    pub state: SavedState,
}

/// What becomes of a state that a consumer has saved in an earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SavedState {
    /// The consumer takes it up.
    Restored,
    /// It is left aside; the counts are not.
    Discarded,
}

/// When a batch is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batching {
    /// When there is no more at the moment: a batch never waits for a log that is not there.
    Arrived,
    /// When it is full, or the marker has come: the same batches at every run.
    Full,
}

/// The longest that a stopped consumer is left alone.
const LONGEST_PROBE: Duration = Duration::from_mins(5);

/// What the logs of these adapters come from.
type SourceOf<P> = <<P as Ports>::SourceFactory as SourceFactory>::Source;

/// Runs one consumer.
pub struct Consume<P: Ports> {
    source_factory: P::SourceFactory,
    consumer: P::Consumer,
    ledger: P::Ledger,
    clock: P::Clock,
    reporter: P::Reporter,
    derived: Option<Publish<P::Sink, P::Clock>>,
    reloads: mpsc::Receiver<P::Consumer>,
    options: ConsumeOptions,

    /// Open since the start, until the run begins.
    opened: Option<SourceOf<P>>,
    /// What was said last of why there is no source.
    obstacle: Option<String>,
    book: Book,
    book_time: BookTime,
    /// What is counted and safe: nothing else is shown.
    counts: Counts,
    /// What is judged and not committed.
    staged: Staged,
    /// The commit that is under way.
    commit: Option<UnderWay>,
    /// When the next may begin, unless much waits for it.
    commit_from: Instant,
    /// What the consumer keeps: as it was committed last, and as it was saved last.
    committed: Option<Vec<u8>>,
    saved: Option<Vec<u8>>,
    /// Whether the consumer has seen more than what was saved, and must start afresh from that.
    stale: bool,
    /// Whether this host was the one that gets the logs, when that was looked at last.
    standing: ConsumerActivity,
    /// What the consumer wanted when this host was that one before, while bindings may be there for it.
    former: Option<Filter>,
    /// What it wants, until this host is that one and it is in the ledger.
    unsaved: Option<Filter>,
    expire_at: Instant,

    retries: Retries,
    pending_dead_letters: FuturesUnordered<PendingDeadLetter>,
    unacknowledged: Unacknowledged,
    breaker: Breaker,
    /// While it is stopped: how it failed, and how long it was left alone.
    trial: Option<(ConsumerError, Duration)>,
    /// Whether the marker has come: nothing more is taken.
    marked: bool,
    /// How many logs were finished in this run.
    finished: u64,
    /// What the next source must read at least: all of them, where one waits that goes to the dead letters.
    at_least: Reads,
    /// What was not counted in this run, and where it went; of which kinds that has been said.
    uncounted: Uncounted,
    dead_lettering: DeadLettering,
    said: Vec<Cause>,
    /// When the next metric may be shown, and whether there is something new to show.
    report_from: Instant,
    unreported: bool,
}

/// Whether the source of a consumer is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It is.
    Done,
    /// It cannot be yet: it was said why, and it is tried again.
    Pending,
}

/// Why a source is served no longer.
enum Break {
    /// The run ends.
    End(End),
    /// The source ended.
    Source(SourceError),
    /// The consumer keeps failing.
    Stopped(ConsumerError),
}

impl<E: Into<End>> From<E> for Break {
    fn from(end: E) -> Self {
        match end.into() {
            End::Source(error) if error.is_passing() => Self::Source(error),
            end => Self::End(end),
        }
    }
}

impl<P: Ports> Consume<P> {
    /// Feeds the consumer from what the factory opens, and keeps its book in the ledger.
    pub fn new(adapters: Adapters<P>, options: ConsumeOptions) -> Self {
        let Adapters { source_factory, consumer, ledger, clock, reporter, derived, reloads } = adapters;
        Self {
            source_factory,
            consumer,
            ledger,
            clock,
            reporter,
            derived,
            reloads,
            opened: None,
            obstacle: None,
            book: Book::default(),
            book_time: BookTime::of(&Book::default(), Timestamp::default()),
            counts: Counts::default(),
            staged: Staged::default(),
            commit: None,
            commit_from: Instant::now(),
            committed: None,
            saved: None,
            stale: false,
            standing: ConsumerActivity::StandingBy,
            former: None,
            unsaved: None,
            // Not at once: what waits in the queue is still to be recognised.
            expire_at: Instant::now() + commit::expire_every(&options),
            retries: Retries::new(options.max_retries),
            pending_dead_letters: FuturesUnordered::new(),
            unacknowledged: Unacknowledged::default(),
            breaker: Breaker::new(options.tolerance),
            trial: None,
            marked: false,
            finished: 0,
            at_least: Reads::Counts,
            uncounted: Uncounted::default(),
            dead_lettering: DeadLettering::None,
            said: Vec::new(),
            report_from: Instant::now(),
            unreported: false,
            options,
        }
    }

    /// Takes up what was committed, and opens the source; nothing is acknowledged before [`run`](Self::run), which
    /// opens it again if that cannot be yet.
    pub async fn open(&mut self) -> Result<Opening, End> {
        let saved = self.ledger.load().await?;
        self.book = saved.book;
        self.book_time = BookTime::of(&self.book, self.clock.now());
        self.counts = self.book.counts().clone();
        self.unsaved =
            Some(self.consumer.descriptor().filter.clone()).filter(|now| saved.filter.as_ref() != Some(now));
        self.former = saved.filter;
        if self.consumer.keeps_state()
            && self.options.state == SavedState::Restored
            && let Some(state) = &saved.checkpoint
        {
            self.consumer.restore(Some(state)).await?;
            self.saved.clone_from(&saved.checkpoint);
            self.committed = saved.checkpoint;
        }
        match self.next_source().await {
            Ok(source) => {
                self.opened = Some(source);
                Ok(Opening::Done)
            }
            Err(error) if error.is_passing() => {
                self.say_reopening(&error);
                Ok(Opening::Pending)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The source that is open, or another one.
    async fn next_source(&mut self) -> Result<SourceOf<P>, SourceError> {
        if let Some(source) = self.opened.take() {
            return Ok(source);
        }
        let reads = Reads::of(&self.consumer).max(self.at_least);
        let source =
            self.source_factory.open(self.consumer.descriptor(), reads, self.former.as_ref()).await?;
        self.obstacle = None;
        self.at_least = Reads::Counts;
        Ok(source)
    }

    /// Runs until `shutdown` is ready, or one of the other [ends](End). The batch in hand is finished,
    /// committed and acknowledged, and the last metric shown, in every case in which that is possible.
    pub async fn run(mut self, shutdown: impl Future<Output = ()> + Send) -> Finished {
        let end = self.lead(pin!(shutdown)).await;
        // Whatever waits, waits elsewhere from now on.
        self.reporter.progress(&self.consumer.descriptor().name, 0, Load::default());
        if self.uncounted != Uncounted::default() {
            self.say(&State::LeftUncounted(self.uncounted, self.dead_lettering));
        }
        let end = match end {
            // It would fail again.
            End::Report(_) => end,
            End::Shutdown | End::Enough | End::Marker => {
                self.report(true).await.map_or_else(End::from, |()| end)
            }
            End::Source(_) | End::Consumer(_) | End::Sink(_) | End::Ledger(_) => {
                // Why the run ended matters more than that this cannot be shown.
                let _ = self.report(true).await;
                end
            }
        };
        Finished { counts: self.counts, end, stopped: self.trial.map(|(error, _)| error) }
    }

    /// Serves one source after the other.
    async fn lead<S: Future<Output = ()> + Send>(&mut self, mut shutdown: Pin<&mut S>) -> End {
        let mut said = self.opened.as_ref().map(|_| ConsumerActivity::Active);
        loop {
            let stopped = match self.serve_one(shutdown.as_mut(), said.take()).await {
                Ok(end) | Err(Break::End(end)) => return end,
                Err(Break::Source(error)) => {
                    self.say_reopening(&error);
                    None
                }
                Err(Break::Stopped(error)) => Some(error),
            };
            if let Err(error) = self.discard().await {
                return End::Ledger(error);
            }
            if let Some(error) = stopped
                && let Some(end) = self.rest(error, shutdown.as_mut()).await
            {
                return end;
            }
        }
    }

    /// Serves one source, from its opening to its end.
    async fn serve_one<S: Future<Output = ()> + Send>(
        &mut self,
        mut shutdown: Pin<&mut S>,
        said: Option<ConsumerActivity>,
    ) -> Result<End, Break> {
        if self.stale {
            self.consumer.restore(self.saved.as_deref()).await.map_err(Break::Stopped)?;
            self.stale = false;
        }
        let mut source = tokio::select! {
            biased;
            () = &mut shutdown => return Ok(End::Shutdown),
            opened = self.next_source() => opened?,
        };
        let served = match self.serve(&mut source, shutdown, said).await {
            Ok(end) => match self.finish(&mut source).await {
                // What could not be finished comes again.
                Ok(()) | Err(Break::Source(_)) => Ok(end),
                Err(broke) => Err(broke),
            },
            // The source is as good as it was: nothing of what is in hand need come again.
            Err(broke @ (Break::Stopped(_) | Break::Source(SourceError::Unread))) => {
                Err(self.finish(&mut source).await.err().unwrap_or(broke))
            }
            broke => broke,
        };
        let reopens = matches!(served, Err(Break::Source(SourceError::Unread)));
        source.close(if reopens { Next::Same } else { Next::Any }).await;
        self.book_time.stand_still();
        served
    }

    /// Leaves a stopped consumer alone for a time, or until it is replaced.
    async fn rest<S: Future<Output = ()>>(
        &mut self,
        error: ConsumerError,
        mut shutdown: Pin<&mut S>,
    ) -> Option<End> {
        let Some(first) = self.options.probe else { return Some(End::Consumer(error)) };
        let before = self.trial.take().map(|(_, delay)| (delay * 2).min(LONGEST_PROBE));
        let delay = before.unwrap_or(first);
        self.say(&State::Stopped(&error, delay));
        self.trial = Some((error, delay));
        let until = Instant::now() + delay;
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => return Some(End::Shutdown),
                Some(new) = self.reloads.recv() => {
                    if self.replace(new).await {
                        self.say_reloaded();
                        return None;
                    }
                }
                () = sleep_until(until) => return None,
            }
        }
    }

    fn say(&mut self, state: &State<'_>) {
        self.reporter.state(&self.consumer.descriptor().name, state);
    }

    /// Says why the source has to be opened again, unless it could not be since for the same reason.
    fn say_reopening(&mut self, error: &SourceError) {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        let obstacle = Some(format!("{error}: {cause}"));
        if self.obstacle != obstacle {
            self.say(&State::Reopening(error));
            self.obstacle = obstacle;
        }
    }

    async fn report(&mut self, last: bool) -> Result<(), ReportError> {
        self.unreported = false;
        self.report_from = Instant::now() + self.options.every;
        let metric = Metric { now: self.clock.now(), counts: self.counts.clone() };
        self.tell_aside(Aside::Begins);
        let text = self.consumer.format_metric(&metric).await;
        self.tell_aside(Aside::Ends);
        let consumer = &self.consumer.descriptor().name;
        self.reporter.metric(&Report { consumer, counts: &self.counts, text, last })
    }
}
