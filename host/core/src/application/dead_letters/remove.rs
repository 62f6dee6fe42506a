//! Sending dead letters back or destroying them, each for good: many at once, and none in doubt.

use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, timeout_at};

use super::{Decision, Removal, Selection};
use crate::application::ports::{DeadLetterQueue, DeadLetterReturn};

/// How many dead letters, and how many bytes of them, may wait for their answer.
pub(super) const MAX_UNDER_WAY: usize = 1024;
pub(super) const MAX_BYTES_UNDER_WAY: usize = 16 * 1024 * 1024;

/// How long answers are waited for when no more dead letters are taken.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What became of dead letters that were to be taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed<E> {
    /// How many were.
    pub done: u32,
    /// How many messages were met that are no dead letters, and stay.
    pub not_dead_letters: u32,
    /// How many were met that this cannot be done to, because they are no logs, and stay.
    pub not_logs: u32,
    /// Why no more were.
    pub end: RemovalEnd<E>,
}

/// Why no more dead letters are taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovalEnd<E> {
    /// There are no more.
    Done,
    /// It was interrupted.
    Interrupted,
    /// It cannot go on.
    Failed(E),
}

/// The progress of a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovalEvent {
    /// One more was taken out.
    Removed {
        /// How many were, with this one.
        done: u32,
        /// How many messages were looked at.
        read: u32,
    },
    /// It was interrupted: only the answers to what is under way are waited for.
    Interrupted,
}

/// Sends those of the `selection` back `through` this that can be, until there are no more or `interrupted` is ready; tells
/// `observe` how it goes on.
pub async fn replay_dead_letters<Q: DeadLetterQueue>(
    queue: &mut Q,
    through: &impl DeadLetterReturn<Q>,
    selection: &Selection,
    observe: impl FnMut(RemovalEvent),
    interrupted: impl Future<Output = ()>,
) -> Removed<Q::Error> {
    let send = |queue: &mut Q, message| through.send(queue, message).boxed();
    remove_each(queue, (selection, Removal::Replay), send, observe, interrupted).await
}

/// Destroys those of the `selection`, until there are no more or `interrupted` is ready; tells `observe` how it goes on.
pub async fn purge_dead_letters<Q: DeadLetterQueue>(
    queue: &mut Q,
    selection: &Selection,
    observe: impl FnMut(RemovalEvent),
    interrupted: impl Future<Output = ()>,
) -> Removed<Q::Error> {
    let discard = |queue: &mut Q, message| queue.discard(&message).boxed();
    remove_each(queue, (selection, Removal::Purge), discard, observe, interrupted).await
}

/// The answer to one dead letter, and how many bytes that has.
type SizedAnswer<E> = BoxFuture<'static, (usize, Result<(), E>)>;

/// Dead letters that are being taken out.
struct Removing<'a, Q: DeadLetterQueue, O> {
    queue: &'a mut Q,
    observe: O,
    under_way: FuturesUnordered<SizedAnswer<Q::Error>>,
    bytes: usize,
    begun: u32,
    done: u32,
    not_dead_letters: u32,
    not_logs: u32,
}

/// Takes out each of the selection with `finish`.
async fn remove_each<Q: DeadLetterQueue>(
    queue: &mut Q,
    (selection, removal): (&Selection, Removal),
    finish: impl Fn(&mut Q, Q::Message) -> BoxFuture<'static, Result<(), Q::Error>>,
    observe: impl FnMut(RemovalEvent),
    interrupted: impl Future<Output = ()>,
) -> Removed<Q::Error> {
    let (bytes, begun, done, not_dead_letters, not_logs) = (0, 0, 0, 0, 0);
    let under_way = FuturesUnordered::new();
    let mut removing = Removing { queue, observe, under_way, bytes, begun, done, not_dead_letters, not_logs };
    let mut end = match removing.walk((selection, removal), finish, pin!(interrupted)).await {
        Ok(Walk::Done) => RemovalEnd::Done,
        Ok(Walk::Interrupted) => {
            (removing.observe)(RemovalEvent::Interrupted);
            RemovalEnd::Interrupted
        }
        Err(error) => RemovalEnd::Failed(error),
    };
    // What one of them met is no answer to the others. But a broker that holds publishers back may never answer.
    let until = Instant::now() + ANSWER_TIMEOUT;
    while let Ok(Err(error)) = timeout_at(until, removing.drain()).await {
        if let RemovalEnd::Interrupted = end {
            end = RemovalEnd::Failed(error);
        }
    }
    let Removing { queue, begun, done, not_dead_letters, not_logs, .. } = removing;
    queue.expect_back(begun - done);
    Removed { done, not_dead_letters, not_logs, end }
}

/// How far the messages were gone through.
enum Walk {
    Done,
    Interrupted,
}

impl<Q: DeadLetterQueue, O: FnMut(RemovalEvent)> Removing<'_, Q, O> {
    async fn walk(
        &mut self,
        (selection, removal): (&Selection, Removal),
        finish: impl Fn(&mut Q, Q::Message) -> BoxFuture<'static, Result<(), Q::Error>>,
        mut interrupted: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Walk, Q::Error> {
        while selection.has_room(self.begun) {
            if interrupted.as_mut().now_or_never().is_some() {
                return Ok(Walk::Interrupted);
            }
            let Some(message) = self.queue.next().await? else { break };
            let found = Q::found(&message);
            let is_last = selection.ends_at(found.number);
            match removal.decide(selection, &found) {
                Decision::Remove => {
                    let size = Q::size(&message);
                    let answer = finish(self.queue, message);
                    self.begun += 1;
                    self.bytes += size;
                    self.under_way.push(answer.map(move |answer| (size, answer)).boxed());
                }
                Decision::NotSelected => self.queue.leave(message),
                Decision::NotDeadLetter => {
                    self.not_dead_letters += 1;
                    self.queue.leave(message);
                }
                Decision::NotLog => {
                    self.not_logs += 1;
                    self.queue.leave(message);
                }
            }
            tokio::select! {
                biased;
                () = &mut interrupted => return Ok(Walk::Interrupted),
                room = self.make_room() => room?,
            }
            if is_last {
                break;
            }
        }
        tokio::select! {
            biased;
            () = &mut interrupted => Ok(Walk::Interrupted),
            drained = self.drain() => drained.map(|()| Walk::Done),
        }
    }

    /// Starts what is new, and takes the answers that are there; waits where too many are under way.
    async fn make_room(&mut self) -> Result<(), Q::Error> {
        while let Some(Some(answer)) = self.under_way.next().now_or_never() {
            self.take(answer)?;
        }
        while self.under_way.len() >= MAX_UNDER_WAY || self.bytes > MAX_BYTES_UNDER_WAY {
            let Some(answer) = self.under_way.next().await else { break };
            self.take(answer)?;
        }
        Ok(())
    }

    async fn drain(&mut self) -> Result<(), Q::Error> {
        while let Some(answer) = self.under_way.next().await {
            self.take(answer)?;
        }
        Ok(())
    }

    fn take(&mut self, (size, answer): (usize, Result<(), Q::Error>)) -> Result<(), Q::Error> {
        self.bytes -= size;
        answer?;
        self.done += 1;
        (self.observe)(RemovalEvent::Removed { done: self.done, read: self.queue.read() });
        Ok(())
    }
}
