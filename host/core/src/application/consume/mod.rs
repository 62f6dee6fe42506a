//! Consuming: takes logs from a source, lets the consumer process them, counts, commits, acknowledges, reports.
//!
//! The acknowledgement comes last, after the commit, and that after what the consumer publishes in turn has
//! been confirmed: whatever ends the run before it, the log comes again, and the book recognises it.
//!
//! In reading order: `open` takes up what was committed, and opens the source; `run` serves one source after the other, and
//! `serve` is the loop over one; `take` makes logs of deliveries, each one's life; `process` asks the consumer of a `batch`, and
//! finds the log that it fails at; `unseen` is what the consumer is not shown, `rest` when it is left alone. What they work on
//! has four owners: `session` (the opened source, and in its `window` each log that is under way), `processing` (the consumer;
//! `breaker` tells a bad consumer from bad logs), `commits` (the book, and what is `staged` for it and `under_way`; `book_time`
//! is the time in it) and `progress` (what is reported). `timer` is what the loop waits for a time with, `control` what it is told from
//! outside, and `measuring` when the consumer is asked for figures of its own.

mod adapters;
mod batch;
mod book_time;
mod breaker;
mod commits;
mod control;
mod measuring;
mod open;
mod options;
mod process;
mod processing;
mod progress;
mod rest;
mod run;
mod serve;
mod session;
mod spans;
mod staged;
mod take;
mod timer;
mod under_way;
mod unseen;
mod window;

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
use self::session::OpenedOf;
pub(super) use self::unseen::looped;
pub(super) use self::window::Handle;
use super::end::End;
use super::ports::{
    Clock, Consumer, ConsumerError, ConsumerEvent, Reads, ReloadRefusal, ReportError, SourceError,
    SourceFactory,
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

    /// Tells how far streams are finished, if some are read.
    fn tell_streams(&mut self) {
        self.progress.streams_committed(&self.commits.next_offsets());
    }

    /// Tells how much memory the consumer has, after a call that it may have grown in.
    fn tell_memory(&mut self) {
        let bytes = self.processing.consumer().memory();
        self.progress.memory(bytes);
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
