//! Replaying the dead letters of a consumer of a run, when somebody asks for that.

use std::sync::Arc;

use loghost_core::application::{
    DeadLetterQueue, Event, Level, Notice, Observer, RemovalEnd, Removed, Selection, replay_dead_letters,
};
use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::{Connection, DeadQueue, ManagementUrl, Purpose, Replay};
use tokio::sync::{mpsc, watch};

use crate::compose::dead_letters::{connect_replay, failure, lost, no_queue, open, open_replay};
use crate::compose::failure::Failure;
use crate::compose::target::Target;
use crate::ui::dead_letters::{Taken, replayed_text};

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
                    Ok(None) => Ok("there are no dead letters to replay".to_owned()),
                    Err(failure) => Err(failure),
                },
            };
            let (level, text) = match replayed {
                Ok(text) => (Level::Info, text),
                Err(failure) => {
                    let why = failure.text().unwrap_or_default();
                    (Level::Error, format!("the dead letters cannot be replayed: {why}"))
                }
            };
            let notice = Notice::new(level, &text).of(consumer.as_str());
            self.observer.observe(&Event::Notice(notice));
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
    /// Sends all of them back that are logs; says what came of it.
    async fn replay_all(self, stopped: &mut watch::Receiver<bool>) -> Result<String, Failure> {
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
        let (Removed { done, not_dead_letters, not_logs, end }, left) = replayed?;
        let text = replayed_text(&Taken { done, left: Some(left), not_dead_letters, not_logs });
        match end {
            RemovalEnd::Done => Ok(text),
            RemovalEnd::Interrupted => Ok(format!("{text}; the others stay, as the run ends")),
            RemovalEnd::Failed(error) => Err(failure(error).context(text)),
        }
    }
}

/// Is ready when the run is stopped, or nobody is there who could say so.
async fn ended(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
