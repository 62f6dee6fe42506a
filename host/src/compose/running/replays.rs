//! Replaying the dead letters of a consumer of a run, when somebody asks for that.

use std::sync::Arc;

use loghost_core::application::{
    DeadLetterQueue, DeadLettersReplayed, Event, Observer, RemovalEnd, Removed, ReplayExtent, RunEvent,
    Selection, replay_dead_letters,
};
use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::{Connection, DeadQueue, ManagementUrl, Purpose, Replay};
use tokio::sync::{mpsc, watch};

use crate::compose::dead_letters::{connect_replay, failure, lost, no_queue, open, open_replay};
use crate::compose::failure::Failure;
use crate::compose::target::Target;

/// Replays dead letters, of one consumer after the other.
pub(crate) struct Replays {
    /// Whose are to be replayed.
    pub(crate) requests: mpsc::Receiver<ConsumerName>,
    pub(crate) target: Target,
    /// Where the broker's management plugin is, if it is not where it usually is.
    pub(crate) management: Option<ManagementUrl>,
    /// Is told what came of it.
    pub(crate) observer: Arc<dyn Observer>,
}

/// A queue of dead letters, and the way back from it.
struct OpenQueue {
    connection: Arc<Connection>,
    queue: DeadQueue,
    publishing: Arc<Connection>,
    replay: Replay,
}

impl Replays {
    /// Replays what is asked for until the run is `stopped`; what is sent by then is waited for, but not for long.
    pub(crate) async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        loop {
            let consumer = tokio::select! {
                biased;
                () = ended(&mut stopped) => return,
                Some(consumer) = self.requests.recv() => consumer,
            };
            let replayed = tokio::select! {
                biased;
                () = ended(&mut stopped) => return,
                opened = self.open(&consumer) => match opened {
                    Ok(Some(opened)) => opened.replay_all(&mut stopped).await,
                    Ok(None) => (Some(DeadLettersReplayed::default()), None),
                    Err(failure) => (None, Some(failure)),
                },
            };
            let tell = |event| self.observer.observe(&Event::Run(event));
            let (replayed, failure) = replayed;
            if let Some(replayed) = replayed {
                tell(RunEvent::DeadLettersReplayed(&consumer, replayed));
            }
            if let Some(failure) = failure {
                let why = failure.text().unwrap_or_default();
                tell(RunEvent::DeadLettersNotReplayed(&consumer, &why));
            }
        }
    }

    /// Opens the queue of a consumer's dead letters and the way back, if there are some.
    async fn open(&self, consumer: &ConsumerName) -> Result<Option<OpenQueue>, Failure> {
        let Self { target, management, .. } = self;
        let (connection, queue) = open(target, management.as_ref(), consumer, Purpose::Take).await?;
        let Some(queue) = queue.filter(|queue| queue.length() > 0) else {
            connection.close().await;
            return Ok(None);
        };
        let publishing = connect_replay(target).await?;
        let replay = open_replay(&publishing, target, consumer).await?;
        let replay = replay.ok_or_else(|| no_queue(target, consumer))?;
        Ok(Some(OpenQueue { connection, queue, publishing, replay }))
    }
}

impl OpenQueue {
    /// Sends all of them back that are logs; says what became of them, and why it could not go on.
    async fn replay_all(
        self,
        stopped: &mut watch::Receiver<bool>,
    ) -> (Option<DeadLettersReplayed>, Option<Failure>) {
        let Self { connection, mut queue, publishing, replay } = self;
        let all = Selection::default();
        let replaying = async {
            let removed = replay_dead_letters(&mut queue, &replay, &all, |_| {}, ended(stopped)).await;
            let left = queue.close().await.map_err(failure)?.messages;
            Ok((removed, left))
        };
        let replayed = tokio::select! {
            biased;
            replayed = replaying => replayed,
            // Nothing is answered any more that is asked of it.
            () = connection.end() => Err(lost(&connection)),
        };
        publishing.close().await;
        connection.close().await;
        let (removed, left) = match replayed {
            Ok(replayed) => replayed,
            Err(failure) => return (None, Some(failure)),
        };
        let Removed { done, not_dead_letters, not_logs, end } = removed;
        let (extent, failed) = match end {
            RemovalEnd::Done => (ReplayExtent::All, None),
            RemovalEnd::Interrupted => (ReplayExtent::UntilEnd, None),
            RemovalEnd::Failed(error) => (ReplayExtent::UntilFailure, Some(failure(error))),
        };
        (Some(DeadLettersReplayed { done, left, not_dead_letters, not_logs, extent }), failed)
    }
}

/// Is ready when the run is stopped, or nobody is there who could say so.
async fn ended(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
