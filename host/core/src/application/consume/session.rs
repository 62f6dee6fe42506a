//! One opened source, and what is under way of it. When it ends, what is not acknowledged comes again.

use std::pin::Pin;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::staged::Done;
use super::window::Window;
use super::{Ports, SourceOf};
use crate::application::ports::{
    DeadLettering, DeadLetters, DeadLog, Load, LogSource, Next, Opened, Rejection, SourceError, SourceFactory,
};
use crate::domain::Record;

/// Where goes what is not counted with these adapters.
type DeadLettersOf<P> = <<P as Ports>::SourceFactory as SourceFactory>::DeadLetters;

/// What a factory opens.
pub(super) type OpenedOf<P> = Opened<SourceOf<P>, DeadLettersOf<P>>;

/// A delivery, as it came.
pub(super) type OriginalOf<P> = <SourceOf<P> as LogSource>::Original;

/// The deliveries that are on their way to the dead letters.
#[derive(Default)]
pub(super) struct PendingDeadLetters(FuturesUnordered<PendingDeadLetter>);

type PendingDeadLetter = Pin<Box<dyn Future<Output = Result<(Done, Rejection), SourceError>> + Send>>;

/// An opened source.
pub(super) struct Session<P: Ports> {
    pub(super) source: SourceOf<P>,
    dead_letters: DeadLettering<DeadLettersOf<P>>,
    pub(super) window: Window<OriginalOf<P>>,
    pub(super) pending: PendingDeadLetters,
    /// Whether the marker has come: nothing more is taken.
    pub(super) marked: bool,
}

impl<P: Ports> Session<P> {
    pub(super) fn new(opened: OpenedOf<P>, max_retries: u32) -> Self {
        Self {
            source: opened.source,
            dead_letters: opened.dead_letters,
            window: Window::new(max_retries),
            pending: PendingDeadLetters::default(),
            marked: false,
        }
    }

    /// How many logs wait for their next attempt, or to be safe among the dead letters.
    pub(super) fn waiting(&self) -> usize {
        self.window.waiting() + self.pending.0.len()
    }

    /// What the consumer has in hand.
    pub(super) fn load(&self) -> Load {
        Load { taken: self.window.len(), waiting: self.waiting() }
    }

    /// Whether, and through what, a delivery can be kept that is not counted.
    pub(super) fn dead_lettering(&self) -> DeadLettering {
        self.dead_letters.kind()
    }

    /// Sends a delivery to the dead letters, where there are any, or of several in it this one log; it is `done` when it is
    /// safe there.
    pub(super) fn dead_letter(&mut self, done: Done, log: Option<&Record>, rejection: Rejection) {
        let original = self.window.take_original(done.number);
        let writing = match (&mut self.dead_letters, original) {
            (DeadLettering::None, _) => Ok(None),
            (DeadLettering::Ready(dead_letters), Some(original)) => {
                let number = self.window.log_number(done.number);
                let log = log.map(|record| DeadLog { record, number });
                Ok(Some(dead_letters.write(original, log, &rejection)))
            }
            (DeadLettering::Ready(_) | DeadLettering::Unread, _) => Err(SourceError::Unread),
        };
        self.pending.0.push(Box::pin(async move {
            if let Some(writing) = writing? {
                writing.await?;
            }
            Ok((done, rejection))
        }));
    }

    /// Acknowledges the deliveries of which everything is finished, and the commit of that safe; returns how many.
    pub(super) async fn acknowledge(&mut self, numbers: Vec<u64>) -> Result<usize, SourceError> {
        let due = self.window.finish(numbers);
        for position in due.through {
            self.source.acknowledge_through(position).await?;
        }
        for position in due.single {
            self.source.acknowledge(position).await?;
        }
        Ok(due.deliveries)
    }

    /// Ends it, for whoever comes next.
    pub(super) async fn close(self, next: Next) {
        // Those who wait for an answer are told nothing of it any more.
        drop(self.pending);
        self.source.close(next).await;
        if let DeadLettering::Ready(dead_letters) = self.dead_letters {
            dead_letters.close().await;
        }
    }
}

impl PendingDeadLetters {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Is ready when a delivery is safe among the dead letters; never if none is on its way.
    pub(super) async fn next(&mut self) -> Result<(Done, Rejection), SourceError> {
        match self.0.next().await {
            Some(done) => done,
            None => std::future::pending().await,
        }
    }
}
