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

/// Looks at a subscription that has credit and gets nothing.
pub(super) struct SilenceWatch {
    timer: Pin<Box<Sleep>>,
    /// A chunk has come since the timer was set.
    has_come: bool,
    /// There was something the last time.
    is_suspected: bool,
    asking: Option<BoxFuture<'static, Option<u64>>>,
    /// The offset at which it was found to be stalled last. Where another subscription gets nothing there either, the broker
    /// has nothing that it sends.
    found: Option<u64>,
}

impl SilenceWatch {
    pub(super) fn new() -> Self {
        Self { timer: Box::pin(sleep(QUIET)), has_come: true, is_suspected: false, asking: None, found: None }
    }

    /// Notes that a chunk has come.
    #[inline]
    pub(super) fn note(&mut self) {
        self.has_come = true;
    }

    /// Is ready when nothing comes though the stream has something at the offset `expected` or behind it; `ask` gives the last
    /// offset at which a chunk of it begins, if that is known. Once for each offset.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        expected: u64,
        ask: impl Fn() -> BoxFuture<'static, Option<u64>>,
    ) -> Poll<()> {
        if self.has_come {
            (self.has_come, self.is_suspected, self.asking) = (false, false, None);
            self.wait();
        }
        loop {
            if let Some(asking) = &mut self.asking {
                let last = ready!(asking.poll_unpin(cx));
                self.asking = None;
                let is_behind = last.is_some_and(|last| last >= expected) && self.found != Some(expected);
                if is_behind && self.is_suspected {
                    (self.found, self.is_suspected) = (Some(expected), false);
                    self.wait();
                    return Poll::Ready(());
                }
                self.is_suspected = is_behind;
                self.wait();
            }
            ready!(self.timer.poll_unpin(cx));
            self.asking = Some(ask());
        }
    }

    fn wait(&mut self) {
        self.timer.as_mut().reset(Instant::now() + QUIET);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{poll_fn, ready};

    use tokio::time::timeout;

    use super::*;

    async fn is_stalled(watch: &mut SilenceWatch, last: Option<u64>, within: Duration) -> bool {
        let ask = || ready(last).boxed();
        timeout(within, poll_fn(|cx| watch.poll(cx, 7, ask))).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_has_more_and_sends_nothing_is_found() {
        let mut watch = SilenceWatch::new();
        assert!(!is_stalled(&mut watch, Some(7), QUIET * 3 / 2).await, "it may be on its way");
        assert!(is_stalled(&mut watch, Some(7), QUIET).await);
        assert!(
            !is_stalled(&mut watch, Some(7), QUIET * 9).await,
            "another subscription gets nothing there either"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_has_nothing_more_or_sends_is_not() {
        let mut watch = SilenceWatch::new();
        for last in [None, Some(6)] {
            assert!(!is_stalled(&mut watch, last, QUIET * 9).await);
        }
        for _ in 0..9 {
            watch.note();
            assert!(!is_stalled(&mut watch, Some(9), QUIET * 3 / 2).await, "a chunk has come");
        }
    }
}
