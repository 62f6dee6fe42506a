//! Consuming: takes logs from a source, lets the consumer process them, counts, commits, acknowledges, reports.
//!
//! The acknowledgement comes last, after the commit, and that after what the consumer publishes in turn has
//! been confirmed: whatever ends the run before it, the log comes again, and the book recognises it.
//!
//! In reading order: `serve` is the loop over one source; `take` makes logs of deliveries, each one's life; `process` asks the consumer of a `batch`, and finds the
//! log that it fails at; `unseen` is what the consumer is not shown, `rest` when it is left alone. What they work on has four owners: `session` (the
//! opened source, and in its `window` each log that is under way), `processing` (the consumer; `breaker` tells a bad
//! consumer from bad logs), `commits` (the book; `book_time` is the time in it) and `progress` (what is reported). `timer` is
//! what the loop waits for a time with, `control` what it is told from outside, and `measuring` when the consumer is asked for
//! figures of its own.

mod adapters;
mod batch;
mod book_time;
mod breaker;
mod commits;
mod control;
mod measuring;
mod options;
mod process;
mod processing;
mod progress;
mod rest;
mod serve;
mod session;
mod spans;
mod take;
mod timer;
mod unseen;
mod window;

use std::pin::{Pin, pin};

use tokio::sync::{mpsc, oneshot};

pub use self::adapters::{Adapters, Ports};
pub(super) use self::batch::Batch;
pub use self::breaker::Tolerance;
use self::commits::Commits;
pub use self::control::Control;
use self::measuring::{Freshness, Measuring};
pub use self::options::{Batching, ConsumeOptions, SavedState};
pub(super) use self::process::BEFORE_ANY_LOG;
pub(super) use self::processing::Processing;
use self::progress::Progress;
use self::session::{OpenedOf, Session};
pub(super) use self::unseen::looped;
pub(super) use self::window::Handle;
use super::end::{End, Finished};
use super::ports::{
    Beginning, Clock, Consumer, ConsumerError, ConsumerEvent, LedgerError, Load, Next, Reads, ReloadRefusal,
    ReportError, SourceError, SourceFactory, Subscription,
};
use super::publish::Publish;
use crate::domain::{Filter, Metric};

/// What the logs of these adapters come from.
type SourceOf<P> = <<P as Ports>::SourceFactory as SourceFactory>::Source;

/// Runs one consumer.
pub struct Consume<P: Ports> {
    source_factory: P::SourceFactory,
    clock: P::Clock,
    derived: Option<Publish<P::Sink, P::Clock>>,
    controls: mpsc::Receiver<Control<P::Consumer>>,
    options: ConsumeOptions,

    processing: Processing<P::Consumer>,
    commits: Commits<P::Ledger>,
    progress: Progress<P::Reporter>,
    measuring: Measuring,

    /// Open since the start, until the run begins.
    opened: Option<OpenedOf<P>>,
    /// What the consumer wanted when this host was the one that gets the logs, while what comes may be that.
    former: Option<Filter>,
    /// What the next source must read at least: all of the logs, where one waits that goes to the dead letters.
    at_least: Reads,
    /// Whether somebody has paused it, and nobody has resumed it.
    is_paused: bool,
}

/// Whether the source of a consumer is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It is.
    Done,
    /// It cannot be yet: it was said why, and it is tried again. Or it is paused.
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
    /// Somebody has paused it.
    Paused,
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
        let Adapters { source_factory, consumer, ledger, clock, reporter, observer, derived, controls } =
            adapters;
        let name = consumer.descriptor().name.clone();
        Self {
            source_factory,
            clock,
            derived,
            controls,
            processing: Processing::new(consumer, options.tolerance),
            commits: Commits::new(ledger, options.pace()),
            progress: Progress::new(reporter, observer, name, options.every),
            measuring: Measuring::new(),
            opened: None,
            former: None,
            at_least: Reads::Counts,
            is_paused: false,
            options,
        }
    }

    /// The same, paused from its begin on.
    #[must_use]
    pub fn paused(self) -> Self {
        Self { is_paused: true, ..self }
    }

    /// Takes up what was committed, and opens the source; nothing is acknowledged before [`run`](Self::run), which
    /// opens it again if that cannot be yet.
    pub async fn open(&mut self) -> Result<Opening, End> {
        let opened = self.begin().await;
        if let Err(end) = &opened {
            self.progress.tell(ConsumerEvent::Ended(Some(end)));
        }
        opened
    }

    async fn begin(&mut self) -> Result<Opening, End> {
        let filter = &self.processing.descriptor().filter;
        let loaded = self.commits.load(filter, self.clock.now()).await?;
        self.progress.tell(ConsumerEvent::Opening {
            descriptor: self.processing.descriptor(),
            digest: self.processing.digest(),
            counts: &loaded.counts,
        });
        self.tell_streams();
        self.progress.begin(loaded.counts);
        self.former = loaded.filter;
        if let Some(state) = loaded.checkpoint.filter(|_| self.options.state == SavedState::Restored) {
            self.processing.take_up(state).await?;
        }
        self.tell_memory();
        self.measure(Freshness::Now).await;
        if self.is_paused {
            return Ok(Opening::Pending);
        }
        match self.next_source().await {
            Ok(opened) => {
                self.opened = Some(opened);
                Ok(Opening::Done)
            }
            Err(Break::Source(error)) => {
                self.progress.reopening(&error);
                Ok(Opening::Pending)
            }
            Err(Break::End(end)) => Err(end),
            Err(Break::Stopped(error)) => Err(End::Consumer(error)),
            // It is when it runs.
            Err(Break::Paused) => Ok(Opening::Pending),
        }
    }

    /// The source that is open, or another one, when it is committed where it begins.
    async fn next_source(&mut self) -> Result<OpenedOf<P>, Break> {
        if let Some(opened) = self.opened.take() {
            return Ok(opened);
        }
        let subscription = Subscription {
            descriptor: self.processing.descriptor(),
            reads: self.processing.reads().max(self.at_least),
            former: self.former.as_ref(),
            offsets: &self.commits.next_offsets(),
        };
        let opened = self.source_factory.open(subscription).await?;
        if let Err(error) = self.commits.begin_reading(&opened.begins).await {
            Session::<P>::new(opened, self.options.max_retries).close(Next::Any).await;
            return Err(error.into());
        }
        self.tell_streams();
        self.progress.opened();
        self.at_least = Reads::Counts;
        Ok(opened)
    }

    /// Tells how far streams are finished, if some are read.
    fn tell_streams(&mut self) {
        self.progress.streams_committed(&self.commits.next_offsets());
    }

    /// Tells how much memory the consumer has, after a call that it may have grown in.
    fn tell_memory(&mut self) {
        let bytes = self.processing.consumer().memory();
        self.progress.memory(bytes);
    }

    /// Runs until `shutdown` is ready, or one of the other [ends](End). The batch in hand is finished,
    /// committed and acknowledged, and the last metric shown, in every case in which that is possible.
    pub async fn run(mut self, shutdown: impl Future<Output = ()> + Send) -> Finished {
        let end = self.lead(pin!(shutdown)).await;
        // Whatever waits, waits elsewhere from now on.
        self.progress.tell(ConsumerEvent::Acknowledged { deliveries: 0, load: Load::default() });
        self.progress.left_uncounted(self.commits.uncounted(), self.commits.passed_by());
        self.progress.counted_by_offset();
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
        let has_failed = !matches!(end, End::Shutdown | End::Enough | End::Marker);
        self.progress.tell(ConsumerEvent::Ended(has_failed.then_some(&end as _)));
        Finished { counts: self.progress.into_counts(), end, stopped: self.processing.failure() }
    }

    /// Serves one source after the other.
    async fn lead<S: Future<Output = ()> + Send>(&mut self, mut shutdown: Pin<&mut S>) -> End {
        let mut beginning = if self.opened.is_some() { Beginning::AtStart } else { Beginning::Later };
        loop {
            if self.is_paused
                && let Some(end) = self.pause(shutdown.as_mut()).await
            {
                return end;
            }
            let stopped = match self.serve_one(shutdown.as_mut(), beginning).await {
                Ok(end) | Err(Break::End(end)) => return end,
                Err(Break::Source(error)) => {
                    self.progress.reopening(&error);
                    None
                }
                Err(Break::Stopped(error)) => Some(error),
                Err(Break::Paused) => None,
            };
            beginning = Beginning::Later;
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
        beginning: Beginning,
    ) -> Result<End, Break> {
        self.processing.refresh().await.map_err(Break::Stopped)?;
        let opened = tokio::select! {
            biased;
            () = &mut shutdown => return Ok(End::Shutdown),
            opened = self.next_source() => opened?,
        };
        let mut session = Session::new(opened, self.options.max_retries);
        let served = match self.serve(&mut session, shutdown, beginning).await {
            Ok(end) => match self.finish(&mut session).await {
                // What could not be finished comes again.
                Ok(()) | Err(Break::Source(_)) => Ok(end),
                Err(broke) => Err(broke),
            },
            // The source is as good as it was: nothing of what is in hand need come again.
            Err(
                broke @ (Break::Stopped(_)
                | Break::Paused
                | Break::Source(
                    SourceError::Unread | SourceError::Reselected | SourceError::Exhausted,
                )),
            ) => Err(self.finish(&mut session).await.err().unwrap_or(broke)),
            broke => broke,
        };
        if !session.pending.is_empty() {
            // It comes again, and goes there again.
            self.at_least = Reads::Logs;
        }
        let reopens = matches!(
            served,
            Err(Break::Source(SourceError::Unread | SourceError::Reselected | SourceError::Exhausted))
        );
        session.close(if reopens { Next::Same } else { Next::Any }).await;
        self.commits.source_is_closed();
        served
    }

    /// Forgets what is in hand and not in a commit: it comes again.
    async fn discard(&mut self) -> Result<(), LedgerError> {
        if self.commits.is_under_way() {
            // What it holds is counted, and recognised when it comes again.
            let committed = self.commits.safe().await?;
            self.committed(committed);
        }
        self.commits.discard();
        self.processing.rewind();
        self.progress.tell(ConsumerEvent::Acknowledged { deliveries: 0, load: Load::default() });
        Ok(())
    }

    /// Lets `new` take the consumer's place, with what it keeps, and tells that it is `done`; false if it does not take that up.
    async fn replace(&mut self, new: P::Consumer, done: oneshot::Sender<()>) -> bool {
        let old = match self.processing.replace(new).await {
            Ok(old) => old,
            Err(error) => {
                self.progress.tell(ConsumerEvent::ReloadRefused(ReloadRefusal::State(&error)));
                return false;
            }
        };
        // Until this host is the active one, what comes is what was wanted in its last turn.
        self.former.get_or_insert_with(|| old.descriptor().filter.clone());
        self.commits.filter_is(&self.processing.descriptor().filter);
        // Whoever asked may wait no longer.
        let _ = done.send(());
        true
    }

    async fn say_reloaded(&mut self) {
        self.progress.tell(ConsumerEvent::Reloaded(self.processing.descriptor(), self.processing.digest()));
        self.tell_memory();
        self.measuring = Measuring::new();
        self.measure(Freshness::Now).await;
    }

    async fn report(&mut self, last: bool) -> Result<(), ReportError> {
        self.progress.begin_report();
        let metric = Metric { now: self.clock.now(), counts: self.progress.counts().clone() };
        self.progress.tell(ConsumerEvent::CallBegins);
        let text = self.processing.consumer().format_metric(&metric).await;
        self.progress.tell(ConsumerEvent::CallEnds);
        self.progress.tell(ConsumerEvent::Reported(text.as_deref()));
        self.tell_memory();
        self.measure(if last { Freshness::Now } else { Freshness::Lately }).await;
        self.progress.report(text, self.measuring.last(), last)
    }
}
