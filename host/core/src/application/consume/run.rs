//! Running: serves one source after the other, until the run ends.

use std::pin::{Pin, pin};

use super::session::Session;
use super::{Break, Consume, Ports};
use crate::application::end::{End, Finished};
use crate::application::ports::{Beginning, ConsumerEvent, LedgerError, Load, Next, Reads, SourceError};

impl<P: Ports> Consume<P> {
    /// Runs until `shutdown` is ready, or one of the other [ends](End). The batch in hand is finished,
    /// committed and acknowledged, and the last metric shown, in every case in which that is possible.
    pub async fn run(mut self, shutdown: impl Future<Output = ()> + Send) -> Finished {
        let end = self.serve_all(pin!(shutdown)).await;
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
    async fn serve_all<S: Future<Output = ()> + Send>(&mut self, mut shutdown: Pin<&mut S>) -> End {
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
}
