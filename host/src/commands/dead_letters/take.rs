//! Taking dead letters out of their queue: back to their consumer, or for good.

use std::sync::Arc;

use loghost_core::application::{Removal, Selection};
use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::{Connection, DeadLetter, DeadQueue, DeadQueueError};

use super::{DeadLetterSession, failure, missing};
use crate::compose::dead_letters::{
    Answer, BatchEnd, Finished, Follower, connect_replay, finish_each, no_queue, open_replay, replay_each,
};
use crate::compose::failure::{Failure, Status};
use crate::compose::target::Target;
use crate::ui::dead_letters::{
    Taken, not_logs_text, one_text, print_finished, say_renewed, warn_not_dead_letters,
};
use crate::ui::terminal;

impl DeadLetterSession {
    /// Sends them back to their consumer.
    pub(super) async fn replay(
        self,
        target: &Target,
        consumer: &ConsumerName,
        selection: &Selection,
    ) -> Result<(), Failure> {
        let publishing = connect_replay(target).await?;
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
        let opened = tokio::select! {
            biased;
            opened = open_replay(publishing, target, consumer) => opened?,
            () = &mut self.interrupted => {
                let end = BatchEnd::Interrupted;
                let nothing = Finished { done: 0, not_dead_letters: 0, not_logs: 0, end };
                return self.report(Removal::Replay, selection, nothing).await;
            }
        };
        let Some(replay) = opened else {
            self.leave().await?;
            return Err(no_queue(target, consumer));
        };
        let Self { queue, interrupted, .. } = &mut self;
        let finished = replay_each(queue, &replay, selection, Follower::Terminal, interrupted).await;
        self.report(Removal::Replay, selection, finished).await
    }

    /// Destroys them.
    pub(super) async fn purge(mut self, selection: &Selection) -> Result<(), Failure> {
        let discard = |queue: &mut DeadQueue, dead_letter: DeadLetter| -> Answer {
            Box::pin(queue.discard(&dead_letter))
        };
        let Self { queue, interrupted, .. } = &mut self;
        let finished =
            finish_each(queue, selection, (Removal::Purge, Follower::Terminal), discard, interrupted).await;
        self.report(Removal::Purge, selection, finished).await
    }

    /// Says what was done, also where it did not come to its end.
    async fn report(
        self,
        removal: Removal,
        selection: &Selection,
        finished: Finished,
    ) -> Result<(), Failure> {
        let name = self.queue.name().to_owned();
        let found = finished.done > 0 || finished.not_dead_letters > 0 || finished.not_logs > 0;
        let beyond = selection.number.is_none_or(|number| number > self.queue.read());
        let one = one_text(selection).filter(|_| beyond && !found);
        let length = self.queue.length();
        let unmatched = !found && length > 0 && !selection.is_of_one();
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
        print_finished(removal, &Taken { done, left, not_dead_letters, not_logs }, self.format)?;
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
