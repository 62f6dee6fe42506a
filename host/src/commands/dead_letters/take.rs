//! Taking dead letters out of their queue: back to their consumer, or for good.

use std::sync::Arc;

use futures_util::FutureExt;
use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::{Connection, DeadLetter, DeadLetterHeaders, DeadQueue, DeadQueueError, Replay};

use super::batch::{Answer, Settled, SettledEnd, settle};
use super::{PURGED, REPLAYED, Selection, Tending, failure, missing};
use crate::compose::failure::{Failure, Status};
use crate::compose::target::{Target, refused};
use crate::ui::dead_letters::{Taken, not_logs_text, print_settled, say_renewed, warn_strangers};
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
        let link = target.connect("replaying dead letters").await?;
        let publishing = link.connection().await.map_err(|error| target.unreachable(&error))?;
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
            opened = target.retry.until_ready(terminal::tell, opening) => opened.map_err(refused)?,
            () = &mut self.interrupted => {
                let end = SettledEnd::Interrupted;
                let nothing = Settled { done: 0, strangers: 0, not_logs: 0, end };
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
            if letter.fate.as_ref().is_some_and(DeadLetterHeaders::is_log) {
                Ok(Box::pin(replay.send(queue, letter)) as Answer)
            } else {
                Err(Box::new(letter))
            }
        };
        let settled = settle(&mut self.queue, selection, REPLAYED, send, &mut self.interrupted).await;
        self.report(REPLAYED, selection, settled).await
    }

    /// Destroys them.
    pub(super) async fn purge(mut self, selection: &Selection) -> Result<(), Failure> {
        let discard =
            |queue: &mut DeadQueue, letter: DeadLetter| Ok(Box::pin(queue.discard(&letter)) as Answer);
        let settled = settle(&mut self.queue, selection, PURGED, discard, &mut self.interrupted).await;
        self.report(PURGED, selection, settled).await
    }

    /// Says what was done, also where it did not come to its end.
    async fn report(self, verb: &str, selection: &Selection, settled: Settled) -> Result<(), Failure> {
        let name = self.queue.name().to_owned();
        let found = settled.done > 0 || settled.strangers > 0 || settled.not_logs > 0;
        let beyond = selection.number.is_none_or(|number| number > self.queue.read());
        let one = selection.one().filter(|_| beyond && !found);
        let length = self.queue.length();
        let unmatched = !found && length > 0 && selection.one().is_none();
        let absent = one.map(|one| missing(&one, &self.queue));
        let left = match settled.end {
            SettledEnd::Failed(DeadQueueError::Lost { .. }) => None,
            _ => self.queue.close().await.ok(),
        };
        let left = left.map(|left| {
            say_renewed(&name, left.renewed);
            left.messages
        });
        let Settled { done, strangers, not_logs, end } = settled;
        print_settled(verb, &Taken { done, left, strangers, not_logs }, self.format)?;
        if strangers > 0 {
            warn_strangers(&name, strangers);
        }
        let nothing_done = done == 0;
        let not_logs = (not_logs > 0).then(|| not_logs_text(&name, not_logs));
        if let Some(text) = not_logs.as_ref().filter(|_| !nothing_done) {
            terminal::warning(text);
        }
        match end {
            SettledEnd::Done if unmatched => {
                terminal::notice(&format!("none of the {length} messages in {name} is meant by this"));
                Ok(())
            }
            SettledEnd::Failed(error) => Err(failure(error)),
            SettledEnd::Interrupted => Err(Failure::new(
                Status::Unavailable,
                "interrupted; what was not confirmed stays where it was",
            )),
            SettledEnd::Done => match not_logs.filter(|_| nothing_done) {
                Some(text) => Err(Failure::new(Status::BadInput, text)),
                None => absent.map_or(Ok(()), Err),
            },
        }
    }
}
