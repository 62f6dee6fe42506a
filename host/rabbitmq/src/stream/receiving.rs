//! What the readers of both protocols do alike: they wait for more to come at once, note in time what was skipped, and hand out
//! what was received before an end.

use std::future::pending;
use std::time::Duration;

use loghost_core::application::{Delivery, Item, SourceError};
use tokio::time::{Instant, sleep_until};

use super::cursor::Cursor;
use crate::connection::gather::Gather;
use crate::message::original::Original;

/// How long skipped logs wait for a delivery that covers them, before they are noted by themselves.
const PASS_EVERY: Duration = Duration::from_secs(1);

/// How the deliveries of a consumer's streams come.
pub(crate) struct Receiving {
    gather: Gather,
    /// When skipped logs were noted last.
    passed: Instant,
    /// Why nothing more arrives, after what was received before that.
    ended: Option<SourceError>,
}

impl Receiving {
    pub(crate) fn new() -> Self {
        Self { gather: Gather::deliveries(), passed: Instant::now(), ended: None }
    }

    /// Why nothing more arrives, if that is so: once.
    pub(crate) fn go_on(&mut self) -> Result<(), SourceError> {
        self.ended.take().map_or(Ok(()), Err)
    }

    /// Waits for more to come at once, if that is worth it.
    pub(crate) async fn gather(&mut self) {
        self.gather.wait().await;
    }

    /// Notes that this `burst` was taken, which was as much as may be taken at once or not, and why nothing more arrives, which
    /// is told after what is in the burst.
    pub(crate) fn took(
        &mut self,
        burst: &[Delivery<Original>],
        is_burst: bool,
        ended: Option<SourceError>,
    ) -> Result<(), SourceError> {
        self.gather.note(is_burst);
        match ended {
            Some(ended) if burst.is_empty() => Err(ended),
            ended => {
                self.ended = ended;
                Ok(())
            }
        }
    }

    /// When it is to be noted what was skipped in these streams, if something was.
    pub(crate) fn pass_at<'a>(&self, mut cursors: impl Iterator<Item = &'a Cursor>) -> Option<Instant> {
        cursors.any(|cursor| cursor.skipped() > 0).then(|| self.passed + PASS_EVERY)
    }

    /// Notes what was skipped.
    pub(crate) fn pass<'a>(
        &mut self,
        cursors: impl Iterator<Item = &'a mut Cursor>,
        burst: &mut Vec<Delivery<Original>>,
        max: usize,
    ) {
        self.passed = Instant::now();
        let room = max.saturating_sub(burst.len());
        let passed = cursors.filter_map(Cursor::passed).take(room);
        burst.extend(passed.map(|position| Delivery { position, item: Item::Passed, original: None }));
    }
}

/// Whether that time has come: what is waited for beside others that are always ready would never be looked at.
pub(crate) fn is_due(time: Option<Instant>) -> bool {
    time.is_some_and(|time| time <= Instant::now())
}

/// Is ready at that time; never without one.
pub(crate) async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}
