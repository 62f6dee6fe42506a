//! Opening: takes up what was committed, and opens the source, at the start and again after each loss.

use super::session::{OpenedOf, Session};
use super::{Break, Consume, Freshness, Opening, Ports, SavedState};
use crate::application::end::End;
use crate::application::ports::{Clock, ConsumerEvent, Next, Reads, SourceFactory, Subscription};

impl<P: Ports> Consume<P> {
    /// Takes up what was committed, and opens the source; nothing is acknowledged before [`run`](Self::run), which
    /// opens it again if that cannot be yet.
    pub async fn open(&mut self) -> Result<Opening, End> {
        let opened = self.begin().await;
        if let Err(end) = &opened {
            self.progress.tell(ConsumerEvent::Ended(Some(end)));
        }
        opened
    }

    async fn begin(&mut self) -> Result<Opening, End> {
        let filter = &self.processing.descriptor().filter;
        let loaded = self.commits.load(filter, self.clock.now()).await?;
        self.progress.tell(ConsumerEvent::Opening {
            descriptor: self.processing.descriptor(),
            digest: self.processing.digest(),
            counts: &loaded.counts,
        });
        self.tell_streams();
        self.progress.begin(loaded.counts);
        self.former = loaded.filter;
        if let Some(state) = loaded.checkpoint.filter(|_| self.options.state == SavedState::Restored) {
            self.processing.take_up(state).await?;
        }
        self.tell_memory();
        self.measure(Freshness::Now).await;
        if self.is_paused {
            return Ok(Opening::Pending);
        }
        match self.next_source().await {
            Ok(opened) => {
                self.opened = Some(opened);
                Ok(Opening::Done)
            }
            Err(Break::Source(error)) => {
                self.progress.reopening(&error);
                Ok(Opening::Pending)
            }
            Err(Break::End(end)) => Err(end),
            Err(Break::Stopped(error)) => Err(End::Consumer(error)),
            // It is when it runs.
            Err(Break::Paused) => Ok(Opening::Pending),
        }
    }

    /// The source that is open, or another one, when it is committed where it begins.
    pub(super) async fn next_source(&mut self) -> Result<OpenedOf<P>, Break> {
        if let Some(opened) = self.opened.take() {
            return Ok(opened);
        }
        let subscription = Subscription {
            descriptor: self.processing.descriptor(),
            reads: self.processing.reads().max(self.at_least),
            former: self.former.as_ref(),
            offsets: &self.commits.next_offsets(),
        };
        let opened = self.source_factory.open(subscription).await?;
        if let Err(error) = self.commits.begin_reading(&opened.begins).await {
            Session::<P>::new(opened, self.options.max_retries).close(Next::Any).await;
            return Err(error.into());
        }
        self.tell_streams();
        self.progress.opened();
        self.at_least = Reads::Counts;
        Ok(opened)
    }
}
