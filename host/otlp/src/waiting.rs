//! Spans that wait to be sent: whoever makes them is not waited for, and whoever sends them is woken for many together.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::proto::trace::Span;

/// The most spans that wait, how many of them are sent together, and how long the first of them waits: the defaults of the
/// specification.
const MOST_WAITING: usize = 2048;
const MOST_TOGETHER: usize = 512;
const DELAY: Duration = Duration::from_secs(5);

/// Spans that wait, a few more than [`MOST_WAITING`] where several are added at once. One task takes them.
#[derive(Default)]
pub(crate) struct WaitingSpans {
    spans: Mutex<Vec<Span>>,
    /// Nobody takes them any more.
    is_closed: AtomicBool,
    /// That there is a first one, or that there are enough to be sent together: waking a task for each costs more than the span.
    worth_looking: Notify,
}

impl WaitingSpans {
    fn spans(&self) -> MutexGuard<'_, Vec<Span>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what `span` makes; false if there is no room.
    pub(crate) fn add(&self, span: impl FnOnce() -> Span) -> bool {
        if self.is_closed.load(Ordering::Relaxed) || self.spans().len() >= MOST_WAITING {
            return false;
        }
        // Others add theirs while it is made.
        let span = span();
        let count = {
            let mut spans = self.spans();
            spans.push(span);
            spans.len()
        };
        if count == 1 || count == MOST_TOGETHER {
            self.worth_looking.notify_one();
        }
        true
    }

    /// Has room for none from now on.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// Waits until there are enough to be sent together, the first of them has waited for long, or the end has come, and takes
    /// those that are sent together; none only at the end.
    pub(crate) async fn take(&self, ended: impl Future<Output = ()>) -> Vec<Span> {
        tokio::select! {
            biased;
            () = self.are_due() => {}
            () = ended => {}
        }
        let mut spans = self.spans();
        let together = spans.len().min(MOST_TOGETHER);
        let rest = spans.split_off(together);
        std::mem::replace(&mut spans, rest)
    }

    async fn are_due(&self) {
        while self.spans().is_empty() {
            self.worth_looking.notified().await;
        }
        let due = Instant::now() + DELAY;
        while self.spans().len() < MOST_TOGETHER {
            tokio::select! {
                () = self.worth_looking.notified() => {}
                () = sleep_until(due) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn add(waiting: &WaitingSpans, count: usize) -> usize {
        (0..count).filter(|_| waiting.add(Span::default)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_waits_for_others_and_not_for_long() {
        let waiting = WaitingSpans::default();
        add(&waiting, 3);
        let begin = Instant::now();
        assert_eq!((waiting.take(pending()).await.len(), begin.elapsed()), (3, DELAY));
        add(&waiting, MOST_TOGETHER);
        assert_eq!((waiting.take(pending()).await.len(), begin.elapsed()), (MOST_TOGETHER, DELAY));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_them_is_woken_when_there_are_enough() {
        let waiting = WaitingSpans::default();
        let begin = Instant::now();
        let adding = async {
            for _ in 0..MOST_TOGETHER {
                tokio::task::yield_now().await;
                add(&waiting, 1);
            }
        };
        let (taken, ()) = tokio::join!(waiting.take(pending()), adding);
        assert_eq!((taken.len(), begin.elapsed()), (MOST_TOGETHER, Duration::ZERO));
    }

    #[tokio::test]
    async fn what_there_is_no_room_for_is_not_taken() {
        let waiting = WaitingSpans::default();
        assert_eq!(add(&waiting, MOST_WAITING + 7), MOST_WAITING);
        for left in (0..MOST_WAITING / MOST_TOGETHER).rev() {
            assert_eq!(waiting.take(ready(())).await.len(), MOST_TOGETHER);
            assert_eq!(waiting.spans().len(), left * MOST_TOGETHER);
        }
        assert!(waiting.take(ready(())).await.is_empty());
    }
}
