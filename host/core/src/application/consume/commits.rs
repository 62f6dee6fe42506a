//! Commits: enters what is finished in the book, and hands it to the ledger.
//!
//! While one commit is under way the next one gathers, so that a slow store makes commits larger, not fewer
//! logs a second.

use std::future::pending;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::book_time::BookTime;
use super::staged::{Done, Staged};
use super::under_way::{Committed, UnderWay};
use super::window::Window;
use crate::application::ports::{Commit, ConsumerActivity, Ledger, LedgerError, NextOffset, Uncounted};
use crate::domain::{Book, Claim, Counts, Filter, Position, Record, StreamPosition, Timestamp};

/// How often origins that were not seen for long are looked for, at least.
const EXPIRE_EVERY: Duration = Duration::from_hours(1);

/// When commits begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// The least time between the beginnings of two commits...
    pub(super) interval: Duration,
    /// ...while fewer deliveries than this wait for one, where the source does not say how many it hands out.
    pub(super) waiting: usize,
    /// How long an origin is remembered that sends nothing.
    pub(super) forget_after: Duration,
}

/// The book of a consumer, and what is on its way there.
pub(super) struct Commits<L> {
    ledger: L,
    book: Book,
    book_time: BookTime,
    pace: Pace,
    staged: Staged,
    under_way: Option<UnderWay>,
    /// When the next may begin, unless much waits for it.
    next_from: Instant,
    expire_at: Instant,
    /// Whether this host is the one that gets the logs.
    activity: ConsumerActivity,
    /// What the consumer wants, until this host is that one and it is in the ledger.
    unsaved_filter: Option<Filter>,
    /// How many logs went into commits in this run.
    finished: u64,
    /// What was committed in this run that is not counted.
    uncounted: Uncounted,
    /// How many logs of messages of others were not wanted in this run.
    passed_by: u64,
}

/// What a ledger has of a consumer, beside its book.
pub(super) struct Loaded {
    pub(super) counts: Counts,
    pub(super) checkpoint: Option<Vec<u8>>,
    pub(super) filter: Option<Filter>,
}

impl<L: Ledger + 'static> Commits<L> {
    pub(super) fn new(ledger: L, pace: Pace) -> Self {
        Self {
            ledger,
            book: Book::default(),
            book_time: BookTime::of(&Book::default(), Timestamp::default()),
            staged: Staged::default(),
            under_way: None,
            next_from: Instant::now(),
            // Not at once: what waits in the queue is still to be recognised.
            expire_at: Instant::now() + pace.expire_every(),
            activity: ConsumerActivity::StandingBy,
            unsaved_filter: None,
            finished: 0,
            uncounted: Uncounted::default(),
            passed_by: 0,
            pace,
        }
    }

    /// Takes up what was committed of a consumer that wants `filter` now.
    pub(super) async fn load(&mut self, filter: &Filter, now: Timestamp) -> Result<Loaded, LedgerError> {
        let saved = self.ledger.load().await?;
        self.book = saved.book;
        self.book_time = BookTime::of(&self.book, now);
        if saved.filter.as_ref() != Some(filter) {
            self.filter_is(filter);
        }
        let counts = self.book.counts().clone();
        Ok(Loaded { counts, checkpoint: saved.checkpoint, filter: saved.filter })
    }

    /// Notes what the consumer wants from now on.
    pub(super) fn filter_is(&mut self, filter: &Filter) {
        self.unsaved_filter = Some(filter.clone());
    }

    /// Notes whether this host is the one that gets the logs.
    pub(super) fn activity_is(&mut self, activity: ConsumerActivity) {
        self.activity = activity;
        match activity {
            ConsumerActivity::Active => self.book_time.go_on(),
            ConsumerActivity::StandingBy => self.book_time.stand_still(),
        }
    }

    /// Notes that no logs can come for now.
    pub(super) fn source_is_closed(&mut self) {
        self.book_time.stand_still();
    }

    /// Where to go on in each stream.
    pub(super) fn next_offsets(&self) -> Vec<NextOffset> {
        let offsets = self.book.next_offsets();
        let next =
            |(stream, offset, fingerprint)| NextOffset { stream: Arc::clone(stream), offset, fingerprint };
        offsets.map(next).collect()
    }

    /// Commits where reading begins in streams, while no commit is under way: whatever ends the run, it goes on there.
    pub(super) async fn begin_reading(&mut self, begins: &[StreamPosition]) -> Result<(), LedgerError> {
        for begin in begins {
            self.book.finish_position(begin);
        }
        let changes = self.book.changes();
        if changes.streams.is_empty() {
            return Ok(());
        }
        self.ledger.commit(Commit { changes, ..Commit::default() }).await
    }

    /// Whether the delivery at this position is new.
    pub(super) fn look_up_position(&mut self, position: &StreamPosition) -> bool {
        self.book.look_up_position(position)
    }

    /// Whether the log with this index, from 0, of the several in the delivery at this position is new.
    pub(super) fn look_up_log(&self, position: &StreamPosition, index: usize) -> bool {
        self.book.look_up_log(position, index)
    }

    /// Whether a log that has arrived at this time of the book is new, by its id.
    pub(super) fn look_up(&mut self, record: &Record, arrived: Timestamp) -> Claim {
        self.book.look_up(record, arrived)
    }

    /// The time in the book when the monotonic clock shows `instant`.
    pub(super) fn book_time_at(&self, instant: Instant) -> Timestamp {
        self.book_time.at(instant)
    }

    /// How many logs were finished in this run, also if they are not committed.
    pub(super) fn finished(&self) -> u64 {
        self.finished + self.staged.counted()
    }

    /// What was committed in this run that is not counted.
    pub(super) fn uncounted(&self) -> Uncounted {
        self.uncounted
    }

    /// How many logs of messages of others were not wanted in this run.
    pub(super) fn passed_by(&self) -> u64 {
        self.passed_by
    }

    /// Notes what is finished.
    #[inline]
    pub(super) fn note(&mut self, done: Done) {
        self.staged.add(done);
    }

    /// Notes what the consumer keeps, after all that is staged.
    pub(super) fn note_checkpoint(&mut self, checkpoint: Vec<u8>) {
        self.staged.checkpoint = Some(checkpoint);
    }

    /// Begins to commit what is staged, unless a commit is under way, or it is worth while to wait for more.
    /// Returns until when more is waited for: half of what the source hands out unacknowledged, if it says how much that is.
    pub(super) fn keep_pace<O>(
        &mut self,
        window: &mut Window<O>,
        unacknowledged: Option<usize>,
    ) -> Option<Instant> {
        if !self.can_begin() {
            return None;
        }
        let now = Instant::now();
        let enough = unacknowledged.map_or(self.pace.waiting, |most| most.div_ceil(2));
        if self.staged.numbers.len() < enough && self.next_from > now {
            return Some(self.next_from);
        }
        self.begin_at(now, window);
        None
    }

    fn can_begin(&self) -> bool {
        self.under_way.is_none() && self.is_anything_staged()
    }

    fn is_anything_staged(&self) -> bool {
        !self.staged.is_empty() || self.filter_to_save().is_some()
    }

    /// What is to be noted as wanted: who stands by changes nothing of what comes, and has wanted nothing yet.
    fn filter_to_save(&self) -> Option<&Filter> {
        self.unsaved_filter.as_ref().filter(|_| self.activity == ConsumerActivity::Active)
    }

    /// Begins to commit what is staged, unless a commit is under way.
    pub(super) fn begin<O>(&mut self, window: &mut Window<O>) {
        if self.can_begin() {
            self.begin_at(Instant::now(), window);
        }
    }

    fn begin_at<O>(&mut self, now: Instant, window: &mut Window<O>) {
        self.next_from = now + self.pace.interval;
        self.finished += self.staged.counted();
        let Staged { logs, uncounted, passed_by, repeats, mut removed, numbers, checkpoint } =
            mem::take(&mut self.staged);
        let book_time = self.book_time.at(now);
        let messages_apart = uncounted.foreign + uncounted.undeliverable;
        let news = !logs.is_empty() || messages_apart > 0 || repeats > 0 || !removed.is_empty();
        self.book.finish(&logs, book_time);
        window.entered(&logs);
        window.enter(&numbers);
        removed.retain(|removed| self.book.note_removed(removed) > 0);
        for number in &numbers {
            if let Some(position) = window.position(*number).and_then(Position::durable) {
                match window.open_log_index(*number) {
                    None => self.book.finish_position(position),
                    Some(index) => self.book.finish_log(position, index),
                }
            }
        }
        self.book.note_foreign(uncounted.foreign);
        self.book.note_undeliverable(uncounted.undeliverable);
        self.uncounted.foreign += uncounted.foreign;
        self.uncounted.undeliverable += uncounted.undeliverable;
        self.uncounted.unwanted += uncounted.unwanted;
        self.passed_by += passed_by;
        self.book.repeat(repeats);
        if self.expire_at <= now {
            let horizon = book_time.minus(self.pace.forget_after);
            self.book.expire(horizon, |origin| window.has(origin));
            self.expire_at = now + self.pace.expire_every();
        }
        let changes = self.book.changes();
        let counts = changes.counts.clone();
        let filter = self.unsaved_filter.take_if(|_| self.activity == ConsumerActivity::Active);
        let commit = Commit { changes, checkpoint: checkpoint.clone(), filter };
        let done = Box::pin(self.ledger.commit(commit));
        let (messages, took) = (window.messages(&numbers), Duration::ZERO);
        let committed = Committed { counts, news, numbers, messages, removed, checkpoint, took };
        self.under_way = Some(UnderWay { done, since: now, committed: Box::new(committed) });
    }

    /// Whether a commit is under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Is ready when the commit that is under way is safe; never without one.
    pub(super) async fn safe(&mut self) -> Result<Box<Committed>, LedgerError> {
        let done = match &mut self.under_way {
            Some(under_way) => under_way.done.as_mut().await,
            None => pending().await,
        };
        match self.under_way.take() {
            Some(UnderWay { since, mut committed, .. }) => {
                committed.took = since.elapsed();
                done.map(|()| committed)
            }
            None => pending().await,
        }
    }

    /// Forgets what is not in a commit: it comes again.
    pub(super) fn discard(&mut self) {
        self.staged = Staged::default();
    }
}

impl Pace {
    /// How long until origins are looked for that were not seen for long: a small part of how long they are remembered.
    fn expire_every(&self) -> Duration {
        (self.forget_after / 1024).min(EXPIRE_EVERY)
    }
}
