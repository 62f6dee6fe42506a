//! A broker that sends nothing of a stream although there is something to send. `RabbitMQ` was seen to stop like that where
//! retention had removed what it was to send next.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, Sleep, sleep};

/// Without a chunk for this long, the broker is asked whether there is one; and once more, as it may be on its way.
const QUIET: Duration = Duration::from_secs(5);

/// The longest time between two questions: each time that there is none, or that another subscription has got nothing either,
/// the next one is asked after twice the time.
const LONGEST_QUIET: Duration = Duration::from_mins(1);

/// Looks at a subscription that has credit and gets nothing.
pub(super) struct SilenceWatch {
    timer: Pin<Box<Sleep>>,
    /// How long it runs.
    quiet: Duration,
    /// A chunk has come since the timer was set.
    has_come: bool,
    /// There was something the last time.
    is_suspected: bool,
    asking: Option<BoxFuture<'static, Option<u64>>>,
    /// The offset at which it was found to be stalled last.
    found: Option<u64>,
}

impl SilenceWatch {
    pub(super) fn new() -> Self {
        Self {
            timer: Box::pin(sleep(QUIET)),
            quiet: QUIET,
            has_come: true,
            is_suspected: false,
            asking: None,
            found: None,
        }
    }

    /// Notes that a chunk has come.
    #[inline]
    pub(super) fn note(&mut self) {
        self.has_come = true;
    }

    /// Is ready when nothing comes though the stream has something at the offset `expected` or behind it; `ask` gives the last
    /// offset at which a chunk of it begins, if that is known. Whether nothing was found to come there for the first time: again
    /// after twice the time.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        expected: u64,
        ask: impl Fn() -> BoxFuture<'static, Option<u64>>,
    ) -> Poll<bool> {
        if self.has_come {
            (self.has_come, self.is_suspected, self.asking) = (false, false, None);
            self.wait(QUIET);
        }
        loop {
            if let Some(asking) = &mut self.asking {
                let last = ready!(asking.poll_unpin(cx));
                self.asking = None;
                let is_behind = last.is_some_and(|last| last >= expected);
                let (is_stalled, is_first) = (is_behind && self.is_suspected, self.found != Some(expected));
                self.is_suspected = is_behind && !is_stalled;
                self.wait(if is_behind && is_first { QUIET } else { (self.quiet * 2).min(LONGEST_QUIET) });
                if is_stalled {
                    self.found = Some(expected);
                    return Poll::Ready(is_first);
                }
            }
            ready!(self.timer.poll_unpin(cx));
            self.asking = Some(ask());
        }
    }

    fn wait(&mut self, quiet: Duration) {
        self.quiet = quiet;
        self.timer.as_mut().reset(Instant::now() + quiet);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{poll_fn, ready};

    use tokio::time::timeout;

    use super::*;

    async fn stalls(watch: &mut SilenceWatch, last: Option<u64>, within: Duration) -> Option<bool> {
        let ask = || ready(last).boxed();
        timeout(within, poll_fn(|cx| watch.poll(cx, 7, ask))).await.ok()
    }

    async fn is_stalled(watch: &mut SilenceWatch, last: Option<u64>, within: Duration) -> bool {
        stalls(watch, last, within).await.is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_has_more_and_sends_nothing_is_found() {
        let mut watch = SilenceWatch::new();
        assert!(!is_stalled(&mut watch, Some(7), QUIET * 3 / 2).await, "it may be on its way");
        assert_eq!(stalls(&mut watch, Some(7), QUIET).await, Some(true));
        // Another subscription gets nothing there either: ever more seldom.
        for times in [2, 11] {
            assert_eq!(stalls(&mut watch, Some(7), QUIET * times).await, None);
            assert_eq!(stalls(&mut watch, Some(7), QUIET * 3 / 2).await, Some(false));
        }
    }

    /// However long there was nothing to send before: then it is asked seldom.
    #[tokio::test(start_paused = true)]
    async fn one_that_stops_after_a_quiet_time_is_found_within_seventy_seconds() {
        for minutes in 0..9 {
            let mut watch = SilenceWatch::new();
            assert!(!is_stalled(&mut watch, Some(6), Duration::from_mins(minutes)).await);
            assert!(is_stalled(&mut watch, Some(7), Duration::from_secs(70)).await, "{minutes} min");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_has_nothing_more_or_sends_is_not() {
        let mut watch = SilenceWatch::new();
        for last in [None, Some(6)] {
            assert!(!is_stalled(&mut watch, last, QUIET * 9).await);
        }
        let asked = Cell::new(0);
        let ask = || {
            asked.set(asked.get() + 1);
            ready(None).boxed()
        };
        let an_hour = timeout(Duration::from_hours(1), poll_fn(|cx| watch.poll(cx, 7, ask)));
        assert!(an_hour.await.is_err() && (55..65).contains(&asked.get()), "{asked:?}");
        for _ in 0..9 {
            watch.note();
            assert!(!is_stalled(&mut watch, Some(9), QUIET * 3 / 2).await, "a chunk has come");
        }
    }
}
