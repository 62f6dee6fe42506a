//! Replaying or purging dead letters, each for good: many at once, and none in doubt.

use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use loghost_core::application::{Decision, Removal, Selection};
use loghost_rabbitmq::{DeadLetter, DeadQueue, DeadQueueError};
use tokio::time::timeout;

use crate::ui::dead_letters::{removed, say_progress};
use crate::ui::terminal::{self, Progress};

/// How many dead letters, and how many bytes of them, may wait for the broker's answer.
const WINDOW: usize = 1024;
const WINDOW_BYTES: usize = 16 * 1024 * 1024;

/// The least time between two notices of how far it is.
const EVERY: Duration = Duration::from_secs(1);

/// How long to wait for answers after an interruption.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the broker says to one dead letter.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<(), DeadQueueError>> + Send>>;

/// The same, and how many bytes the dead letter has.
type SizedAnswer = Pin<Box<dyn Future<Output = (usize, Result<(), DeadQueueError>)> + Send>>;

/// Who wants to know how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follower {
    /// Whoever has typed the command.
    Terminal,
    /// Nobody: the end is told.
    Nobody,
}

/// Dead letters under way.
struct Batch {
    removal: Removal,
    follower: Follower,
    under_way: FuturesUnordered<SizedAnswer>,
    bytes: usize,
    begun: u32,
    done: u32,
    not_dead_letters: u32,
    not_logs: u32,
    notice_at: Instant,
    progress: Progress,
}

/// What became of them.
#[derive(Debug)]
pub(crate) struct Finished {
    /// How many are finished.
    pub(crate) done: u32,
    /// How many were met that are no dead letters.
    pub(crate) not_dead_letters: u32,
    /// How many were met that this cannot be done to, because they are no logs.
    pub(crate) not_logs: u32,
    /// Why it ended.
    pub(crate) end: BatchEnd,
}

/// Why it ended.
#[derive(Debug)]
pub(crate) enum BatchEnd {
    /// There are no more.
    Done,
    /// It was asked to.
    Interrupted,
    /// It cannot go on.
    Failed(DeadQueueError),
}

/// Takes each of `selection` that may be out of `queue`, with `finish`, until there are no more or `interrupted` is ready;
/// tells the follower now and then how many it were.
pub(crate) async fn finish_each(
    queue: &mut DeadQueue,
    selection: &Selection,
    (removal, follower): (Removal, Follower),
    finish: impl Fn(&mut DeadQueue, DeadLetter) -> Answer,
    interrupted: impl Future<Output = ()>,
) -> Finished {
    let notice_at = Instant::now() + EVERY;
    let under_way = FuturesUnordered::new();
    let (bytes, begun, done, not_dead_letters, not_logs) = (0, 0, 0, 0, 0);
    let total = selection.at_most(queue.length());
    let progress = match follower {
        Follower::Terminal => Progress::begin(removed(removal), total.into(), "dead letters"),
        Follower::Nobody => Progress::none(),
    };
    let mut batch = Batch {
        removal,
        follower,
        under_way,
        bytes,
        begun,
        done,
        not_dead_letters,
        not_logs,
        notice_at,
        progress,
    };
    let mut end = match batch.walk(queue, selection, finish, pin!(interrupted)).await {
        Ok(Walk::Done) => BatchEnd::Done,
        Ok(Walk::Interrupted) => {
            if follower == Follower::Terminal {
                terminal::notice("interrupted: waiting for the answers to what was sent");
            }
            BatchEnd::Interrupted
        }
        Err(error) => BatchEnd::Failed(error),
    };
    // What one of them met is no answer to the others. But a broker that holds publishers back may never answer.
    while let Ok(Err(error)) = timeout(PATIENCE, batch.drain(queue)).await {
        if let BatchEnd::Interrupted = end {
            end = BatchEnd::Failed(error);
        }
    }
    let Batch { begun, done, not_dead_letters, not_logs, .. } = batch;
    queue.expect_back(begun - done);
    Finished { done, not_dead_letters, not_logs, end }
}

/// How far the dead letters were gone through.
enum Walk {
    Done,
    Interrupted,
}

impl Batch {
    async fn walk(
        &mut self,
        queue: &mut DeadQueue,
        selection: &Selection,
        finish: impl Fn(&mut DeadQueue, DeadLetter) -> Answer,
        mut interrupted: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Walk, DeadQueueError> {
        while selection.has_room(self.begun) {
            if interrupted.as_mut().now_or_never().is_some() {
                return Ok(Walk::Interrupted);
            }
            let Some(dead_letter) = queue.next().await? else { break };
            let is_last = selection.ends_at(dead_letter.number);
            let size = dead_letter.size();
            match self.removal.decide(selection, &dead_letter.found()) {
                Decision::Remove => {
                    let answer = finish(queue, dead_letter);
                    self.begun += 1;
                    self.bytes += size;
                    self.under_way.push(Box::pin(async move { (size, answer.await) }));
                }
                Decision::NotSelected => queue.leave(dead_letter),
                Decision::NotDeadLetter => {
                    self.not_dead_letters += 1;
                    queue.leave(dead_letter);
                }
                Decision::NotLog => {
                    self.not_logs += 1;
                    queue.leave(dead_letter);
                }
            }
            tokio::select! {
                biased;
                () = &mut interrupted => return Ok(Walk::Interrupted),
                renewed = self.keep_up(queue) => renewed?,
            }
            if is_last {
                break;
            }
        }
        tokio::select! {
            biased;
            () = &mut interrupted => Ok(Walk::Interrupted),
            finished = self.drain(queue) => finished.map(|()| Walk::Done),
        }
    }

    /// Starts what is new, and takes the answers that are there; waits where too many are owed.
    async fn keep_up(&mut self, queue: &mut DeadQueue) -> Result<(), DeadQueueError> {
        while let Some(Some(answer)) = self.under_way.next().now_or_never() {
            self.take(answer, queue)?;
        }
        while self.under_way.len() >= WINDOW || self.bytes > WINDOW_BYTES {
            let Some(answer) = self.under_way.next().await else { break };
            self.take(answer, queue)?;
        }
        Ok(())
    }

    async fn drain(&mut self, queue: &mut DeadQueue) -> Result<(), DeadQueueError> {
        while let Some(answer) = self.under_way.next().await {
            self.take(answer, queue)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        (size, answer): (usize, Result<(), DeadQueueError>),
        queue: &DeadQueue,
    ) -> Result<(), DeadQueueError> {
        self.bytes -= size;
        answer?;
        self.done += 1;
        self.progress.at(self.done.into());
        if self.follower == Follower::Terminal
            && !self.progress.is_shown()
            && Instant::now() >= self.notice_at
        {
            self.notice_at = Instant::now() + EVERY;
            say_progress(self.removal, self.done, queue.read(), queue.length());
        }
        Ok(())
    }
}
