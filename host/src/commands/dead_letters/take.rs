//! Taking dead letters out of their queue: back to their consumer, or for good.

use std::sync::Arc;

use futures_util::FutureExt;
use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::{Connection, DeadLetter, DeadLetterHeaders, DeadQueue, DeadQueueError, Replay};

use super::batch::{Answer, BatchEnd, Finished, finish_each};
use super::{PURGED, REPLAYED, Selection, Tending, failure, missing};
use crate::compose::failure::{Failure, Status};
use crate::compose::target::{Target, refused};
use crate::ui::dead_letters::{Taken, not_logs_text, print_finished, say_renewed, warn_not_dead_letters};
use crate::ui::terminal;

impl Tending {
    /// Sends them back to their consumer.
    pub(super) async fn replay(
        self,
        target: &Target,
        consumer: &ConsumerName,
        selection: &Selection,
    ) -> Result<(), Failure> {
        // A broker that holds publishers back must not hold up the acknowledgements.
        let reconnecting = target.connect("replaying dead letters").await?;
        let publishing = reconnecting.connection().await.map_err(|error| target.unreachable(&error))?;
        let done = self.replay_through(&publishing, target, consumer, selection).await;
        publishing.close().await;
        done
    }

    async fn replay_through(
        mut self,
        publishing: &Arc<Connection>,
        target: &Target,
        consumer: &ConsumerName,
        selection: &Selection,
    ) -> Result<(), Failure> {
        let patience = target.retry.patience();
        let opening = || Replay::open(publishing, &target.names, consumer, patience).boxed();
        let opened = tokio::select! {
            biased;
            opened = target.retry.until_ready(publishing.observer(), opening) => opened.map_err(refused)?,
            () = &mut self.interrupted => {
                let end = BatchEnd::Interrupted;
                let nothing = Finished { done: 0, not_dead_letters: 0, not_logs: 0, end };
                return self.report(REPLAYED, selection, nothing).await;
            }
        };
        let Some(replay) = opened else {
            self.leave().await?;
            let queue = target.names.queue(consumer);
            let text = format!(
                "there is no queue {queue} to send them back to: run the consumer, or declare its queue with \
                 `loghost run PLUGIN --declare-only`; the dead letters are where they were"
            );
            return Err(Failure::new(Status::BadConfiguration, text));
        };
        let send = |queue: &mut DeadQueue, letter: DeadLetter| {
            if letter.headers.as_ref().is_some_and(DeadLetterHeaders::is_log) {
                Ok(Box::pin(replay.send(queue, letter)) as Answer)
            } else {
                Err(Box::new(letter))
            }
        };
        let finished = finish_each(&mut self.queue, selection, REPLAYED, send, &mut self.interrupted).await;
        self.report(REPLAYED, selection, finished).await
    }

    /// Destroys them.
    pub(super) async fn purge(mut self, selection: &Selection) -> Result<(), Failure> {
        let discard =
            |queue: &mut DeadQueue, letter: DeadLetter| Ok(Box::pin(queue.discard(&letter)) as Answer);
        let finished = finish_each(&mut self.queue, selection, PURGED, discard, &mut self.interrupted).await;
        self.report(PURGED, selection, finished).await
    }

    /// Says what was done, also where it did not come to its end.
    async fn report(self, verb: &str, selection: &Selection, finished: Finished) -> Result<(), Failure> {
        let name = self.queue.name().to_owned();
        let found = finished.done > 0 || finished.not_dead_letters > 0 || finished.not_logs > 0;
        let beyond = selection.number.is_none_or(|number| number > self.queue.read());
        let one = selection.one().filter(|_| beyond && !found);
        let length = self.queue.length();
        let unmatched = !found && length > 0 && selection.one().is_none();
        let absent = one.map(|one| missing(&one, &self.queue));
        let left = match finished.end {
            BatchEnd::Failed(DeadQueueError::Lost { .. }) => None,
            _ => self.queue.close().await.ok(),
        };
        let left = left.map(|left| {
            say_renewed(&name, left.renewed);
            left.messages
        });
        let Finished { done, not_dead_letters, not_logs, end } = finished;
        print_finished(verb, &Taken { done, left, not_dead_letters, not_logs }, self.format)?;
        if not_dead_letters > 0 {
            warn_not_dead_letters(&name, not_dead_letters);
        }
        let nothing_done = done == 0;
        let not_logs = (not_logs > 0).then(|| not_logs_text(&name, not_logs));
        if let Some(text) = not_logs.as_ref().filter(|_| !nothing_done) {
            terminal::warning(text);
        }
        match end {
            BatchEnd::Done if unmatched => {
                terminal::notice(&format!("none of the {length} messages in {name} matches"));
                Ok(())
            }
            BatchEnd::Failed(error) => Err(failure(error)),
            BatchEnd::Interrupted => Err(Failure::new(
                Status::Unavailable,
                "interrupted; what was not confirmed stays where it was",
            )),
            BatchEnd::Done => match not_logs.filter(|_| nothing_done) {
                Some(text) => Err(Failure::new(Status::BadInput, text)),
                None => absent.map_or(Ok(()), Err),
            },
        }
    }
}
