//! Replaying: shows consumers the logs of the past, and tells what comes of them. Nothing is acknowledged, committed or
//! sent to dead letters.
//!
//! A consumer begins as it is when it has just been configured. Its time is that of the latest log it was shown: the same
//! span comes to the same, whenever it is replayed. In reading order: `replayed`, one consumer; `comparison`, two of them
//! that get the same logs.

mod comparison;
mod replayed;

pub use self::comparison::{Compared, compare};
use self::replayed::Replaying;
use super::consume::Tolerance;
use super::end::End;
use super::ports::{
    Clock, Consumer, ConsumerError, Fate, LogSink, NotCounted, PastLog, PastLogs, ReplayObserver,
};
use super::publish::Publish;
use crate::domain::{ConsumerName, Counts};

/// How logs are replayed.
#[derive(Clone, Copy, Debug)]
pub struct ReplayOptions {
    /// The most logs that a consumer gets at once; at least 1.
    pub max_batch: usize,
    /// How often a log is tried again, which is done at once.
    pub max_retries: u32,
    /// When a consumer is stopped because it keeps failing.
    pub tolerance: Tolerance,
}

/// What came of a replay for one consumer.
#[derive(Debug)]
pub struct Replayed {
    /// Whose.
    pub consumer: ConsumerName,
    /// Its version, for people.
    pub version: String,
    /// What was counted.
    pub counts: Counts,
    /// Its metric, in its own words; or why it has none.
    pub text: Result<String, ConsumerError>,
    /// How it failed, if it was stopped for that: it was not shown all logs.
    pub stopped: Option<ConsumerError>,
}

/// Shows the `logs` to the `consumers`, each of which gets all that its filter wants; what one publishes goes where that
/// is said beside it, if anywhere. Tells `observer` what is not counted.
///
/// # Errors
/// If the logs cannot be read, what a consumer publishes is not taken, or what is told cannot be shown.
pub async fn replay<C: Consumer, S: LogSink, K: Clock>(
    logs: &mut impl PastLogs,
    consumers: impl IntoIterator<Item = (C, Option<Publish<S, K>>)>,
    options: ReplayOptions,
    observer: &mut impl ReplayObserver,
) -> Result<Vec<Replayed>, End> {
    let new = |(consumer, derived)| Replaying::new(consumer, derived, options);
    let mut consumers: Vec<_> = consumers.into_iter().map(new).collect();
    let mut batch = Vec::with_capacity(options.max_batch);
    while consumers.iter().any(|consumer| !consumer.is_stopped()) {
        logs.next(&mut batch, options.max_batch).await?;
        if batch.is_empty() {
            break;
        }
        for consumer in &mut consumers {
            let answers = consumer.answer(&batch).await?;
            for (PastLog { position, log }, answer) in batch.iter().zip(&answers) {
                if let Fate::Dead(cause, reason) = &answer.fate {
                    observer.not_counted(&NotCounted {
                        consumer: consumer.name(),
                        position,
                        record: log.as_ref().ok(),
                        cause: *cause,
                        reason,
                        attempts: answer.attempts,
                    })?;
                }
            }
        }
        batch.clear();
        observer.progress(logs.extent());
    }
    let mut replayed = Vec::new();
    for consumer in consumers {
        replayed.push(consumer.finish().await);
    }
    Ok(replayed)
}
