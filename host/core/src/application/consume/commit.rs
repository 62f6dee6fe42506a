//! Settling: enters what is judged in the book, commits it, and only then acknowledges.
//!
//! While one commit is under way the next one gathers, so that a slow store makes commits larger, not fewer
//! logs a second.

use std::mem;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::Instant;

use super::process::{Done, Entry};
use super::{Break, Consume, ConsumeOptions, Ports, SourceOf, Unacknowledged};
use crate::application::ports::{
    Commit, Consumer, ConsumerActivity, Ledger, LedgerError, LogSource, Reads, Receipt, Uncounted,
};
use crate::domain::{Counts, Fate, Filter, Settled};

/// How often origins that were not seen for long are looked for, at least.
const EXPIRE_EVERY: Duration = Duration::from_hours(1);

/// How long until they are looked for: a small part of how long they are remembered.
pub(super) fn expire_every(options: &ConsumeOptions) -> Duration {
    (options.forget_after / 1024).min(EXPIRE_EVERY)
}

/// What is judged, and not committed.
#[derive(Debug, Default)]
pub(super) struct Staged {
    /// To be entered in the book.
    pub(super) settled: Vec<Settled>,
    /// What the consumer was not shown.
    pub(super) uncounted: Uncounted,
    /// How many deliveries were repetitions.
    pub(super) repeats: u64,
    /// What is to be acknowledged after the commit.
    pub(super) finished: Vec<Receipt>,
    /// What the consumer keeps, after all of these.
    pub(super) checkpoint: Option<Vec<u8>>,
}

/// A commit that is under way, and what is to be done when it is safe.
pub(super) struct UnderWay {
    done: Pin<Box<dyn Future<Output = Result<(), LedgerError>> + Send>>,
    counts: Counts,
    /// Whether there is something new to show.
    news: bool,
    finished: Vec<Receipt>,
    checkpoint: Option<Vec<u8>>,
}

/// Is ready when `commit` is safe; never without one.
pub(super) async fn safe(commit: Option<&mut UnderWay>) -> Result<(), LedgerError> {
    match commit {
        Some(commit) => commit.done.as_mut().await,
        None => std::future::pending().await,
    }
}

impl Staged {
    /// How many logs are counted.
    fn counted(&self) -> u64 {
        self.settled.len() as u64 - self.uncounted.unwanted
    }
}

impl<P: Ports> Consume<P> {
    /// Notes a delivery that is finished.
    pub(super) fn stage(&mut self, Done { receipt, entry }: Done) {
        match entry {
            Entry::Foreign => self.staged.uncounted.foreign += 1,
            Entry::Log(settled) => {
                match settled.fate {
                    Fate::Unwanted => self.staged.uncounted.unwanted += 1,
                    Fate::Accepted | Fate::Skipped | Fate::Dead => self.finished += 1,
                }
                self.staged.settled.push(settled);
            }
        }
        self.staged.finished.push(receipt);
    }

    /// Begins to commit what is staged, unless a commit is under way, or it is worth while to wait for more.
    /// Returns until when more is waited for.
    pub(super) fn keep_pace(&mut self) -> Option<Instant> {
        let waits = self.commit.is_none() && self.is_anything_staged();
        if waits && self.staged.finished.len() < self.options.max_held && self.commit_from > Instant::now() {
            return Some(self.commit_from);
        }
        self.begin_commit();
        None
    }

    fn is_anything_staged(&self) -> bool {
        let Staged { finished, checkpoint, .. } = &self.staged;
        !finished.is_empty() || checkpoint.is_some() || self.wanted_now().is_some()
    }

    /// What is to be noted as wanted: who stands by changes nothing of what comes, and has wanted nothing yet.
    fn wanted_now(&self) -> Option<&Filter> {
        self.unsaved.as_ref().filter(|_| self.standing == ConsumerActivity::Active)
    }

    /// Begins to commit what is staged, unless a commit is under way.
    fn begin_commit(&mut self) {
        if self.commit.is_some() || !self.is_anything_staged() {
            return;
        }
        if !self.options.pace.is_zero() {
            self.commit_from = Instant::now() + self.options.pace;
        }
        let Staged { settled, uncounted, repeats, finished, checkpoint } = mem::take(&mut self.staged);
        let (now, news) = (self.book_time.now(), !settled.is_empty() || uncounted.foreign > 0 || repeats > 0);
        for settled in &settled {
            self.book.settle(settled, now);
        }
        self.book.note_foreign(uncounted.foreign);
        self.uncounted.foreign += uncounted.foreign;
        self.uncounted.unwanted += uncounted.unwanted;
        self.book.repeat(repeats);
        if self.expire_at <= Instant::now() {
            self.book.expire(now.minus(self.options.forget_after));
            self.expire_at = Instant::now() + expire_every(&self.options);
        }
        let changes = self.book.changes();
        let counts = changes.counts.clone();
        let filter = self.unsaved.take_if(|_| self.standing == ConsumerActivity::Active);
        let commit = Commit { changes, checkpoint: checkpoint.clone(), filter };
        let done = Box::pin(self.ledger.commit(commit));
        self.commit = Some(UnderWay { done, counts, news, finished, checkpoint });
    }

    /// The commit is safe: acknowledges what is in it.
    pub(super) async fn acknowledge(&mut self, source: &mut SourceOf<P>) -> Result<(), Break> {
        let Some(finished) = self.committed() else { return Ok(()) };
        let logs = finished.len();
        let due = self.unacknowledged.finish(finished);
        if let Some(receipt) = due.through {
            source.acknowledge_through(receipt).await?;
        }
        for receipt in due.single {
            source.acknowledge(receipt).await?;
        }
        self.tell_progress(logs);
        Ok(())
    }

    /// Takes note of a commit that is safe; returns what can be acknowledged.
    fn committed(&mut self) -> Option<Vec<Receipt>> {
        let UnderWay { counts, news, finished, checkpoint, .. } = self.commit.take()?;
        self.unreported |= news;
        self.counts = counts;
        if checkpoint.is_some() {
            self.committed = checkpoint;
        }
        Some(finished)
    }

    /// Brings to its end what is under way, except what waits for another attempt: that goes back. What can be
    /// committed does not wait for dead letters, which a broker may hold back for long.
    pub(super) async fn finish(&mut self, source: &mut SourceOf<P>) -> Result<(), Break> {
        loop {
            self.begin_commit();
            tokio::select! {
                biased;
                done = safe(self.commit.as_mut()), if self.commit.is_some() => {
                    done?;
                    self.acknowledge(source).await?;
                }
                Some(dead_lettered) = self.pending_dead_letters.next() => self.dead_lettered(dead_lettered)?,
                else => return Ok(()),
            }
        }
    }

    /// Forgets what is in hand and not committed: it comes again.
    pub(super) async fn discard(&mut self) -> Result<(), LedgerError> {
        if let Some(commit) = &mut self.commit {
            // What it holds is counted, and recognised when it comes again.
            (&mut commit.done).await?;
            self.committed();
        }
        self.finished -= mem::take(&mut self.staged).counted();
        // What was to go to the dead letters comes again, and goes there again.
        if !self.pending_dead_letters.is_empty() {
            self.at_least = Reads::Logs;
        }
        self.pending_dead_letters.clear();
        self.retries.clear();
        self.unacknowledged = Unacknowledged::default();
        self.book.release();
        self.marked = false;
        self.tell_progress(0);
        if self.saved != self.committed {
            // It has seen logs that come again; if it still keeps anything.
            self.saved.clone_from(&self.committed);
            self.stale = self.consumer.keeps_state();
        }
        Ok(())
    }
}
