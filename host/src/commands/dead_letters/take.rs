//! Taking dead letters out of their queue: back to their consumer, or for good.

use std::sync::Arc;

use loghost_core::application::{
    DeadLetterQueue, Removal, RemovalEnd, Removed, Selection, purge_dead_letters, replay_dead_letters,
};
use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::{Connection, DeadQueueError};

use super::{DeadLetterSession, failure, missing};
use crate::compose::dead_letters::{connect_replay, no_queue, open_replay};
use crate::compose::failure::{Failure, Status};
use crate::compose::target::Target;
use crate::ui::dead_letters::{RemovalProgress, Taken, one_text, print_finished, say_renewed};
use crate::ui::events::command::{self, DeadLettersEvent};
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
                let end = RemovalEnd::Interrupted;
                let nothing = Removed { done: 0, not_dead_letters: 0, not_logs: 0, end };
                return self.report(Removal::Replay, selection, nothing).await;
            }
        };
        let Some(replay) = opened else {
            self.leave().await?;
            return Err(no_queue(target, consumer));
        };
        let Self { queue, interrupted, .. } = &mut self;
        let progress = RemovalProgress::begin(Removal::Replay, selection, queue.length());
        let removed = replay_dead_letters(queue, &replay, selection, progress.observe(), interrupted).await;
        self.report(Removal::Replay, selection, removed).await
    }

    /// Destroys them.
    pub(super) async fn purge(mut self, selection: &Selection) -> Result<(), Failure> {
        let Self { queue, interrupted, .. } = &mut self;
        let progress = RemovalProgress::begin(Removal::Purge, selection, queue.length());
        let removed = purge_dead_letters(queue, selection, progress.observe(), interrupted).await;
        self.report(Removal::Purge, selection, removed).await
    }

    /// Says what was done, also where it did not come to its end.
    async fn report(
        self,
        removal: Removal,
        selection: &Selection,
        removed: Removed<DeadQueueError>,
    ) -> Result<(), Failure> {
        let name = self.queue.name().to_owned();
        let found = removed.done > 0 || removed.not_dead_letters > 0 || removed.not_logs > 0;
        let beyond = selection.number.is_none_or(|number| number > self.queue.read());
        let one = one_text(selection).filter(|_| beyond && !found);
        let length = self.queue.length();
        let unmatched = !found && length > 0 && !selection.is_of_one();
        let absent = one.map(|one| missing(&one, &self.queue));
        let left = match removed.end {
            RemovalEnd::Failed(DeadQueueError::Lost { .. }) => None,
            _ => self.queue.close().await.ok(),
        };
        let left = left.map(|left| {
            say_renewed(&name, left.renewed);
            left.messages
        });
        let Removed { done, not_dead_letters, not_logs, end } = removed;
        print_finished(removal, &Taken { done, left, not_dead_letters, not_logs }, self.format)?;
        if not_dead_letters > 0 {
            let queue = name.clone();
            terminal::tell(DeadLettersEvent::NotDeadLetters { queue, messages: not_dead_letters });
        }
        let nothing_done = done == 0;
        if not_logs > 0 && !nothing_done {
            terminal::tell(DeadLettersEvent::NotLogs { queue: name.clone(), messages: not_logs });
        }
        match end {
            RemovalEnd::Done if unmatched => {
                terminal::tell(DeadLettersEvent::NoneMatches { queue: name, messages: length });
                Ok(())
            }
            RemovalEnd::Failed(error) => Err(failure(error)),
            RemovalEnd::Interrupted => Err(Failure::new(
                Status::Unavailable,
                "interrupted; what was not confirmed stays where it was",
            )),
            RemovalEnd::Done if not_logs > 0 && nothing_done => {
                Err(Failure::new(Status::BadInput, command::not_logs(&name, not_logs)))
            }
            RemovalEnd::Done => absent.map_or(Ok(()), Err),
        }
    }
}
