//! Two consumers that get the same logs, most often two versions of one: where they differ.

use super::replayed::Replaying;
use super::{ReplayOptions, Replayed};
use crate::application::end::End;
use crate::application::ports::{
    Clock, Consumer, Difference, Fate, LogSink, PastLog, PastLogs, ReplayObserver,
};

/// What came of a comparison.
#[derive(Debug)]
pub struct Compared {
    /// What came of it for each.
    pub replayed: [Replayed; 2],
    /// How many logs they differ in.
    pub differences: u64,
}

/// Shows the `logs` to both consumers, and tells `observer` which of them they make different things of. Where one of
/// them publishes, both get one log at a time, so that it is known because of which it does; it goes nowhere.
///
/// # Errors
/// If the logs cannot be read, or what is told cannot be shown.
pub async fn compare<C: Consumer, S: LogSink, K: Clock>(
    logs: &mut impl PastLogs,
    consumers: [C; 2],
    options: ReplayOptions,
    observer: &mut impl ReplayObserver,
) -> Result<Compared, End> {
    let publishes = consumers.iter().any(|consumer| !consumer.descriptor().publishes.is_empty());
    let max_batch = if publishes { 1 } else { options.max_batch };
    let [mut one, mut other] = consumers.map(|consumer| Replaying::<C, S, K>::new(consumer, None, options));
    let (mut batch, mut differences) = (Vec::with_capacity(max_batch), 0);
    while !one.is_stopped() && !other.is_stopped() {
        logs.next(&mut batch, max_batch).await?;
        if batch.is_empty() {
            break;
        }
        let answers = [one.answer(&batch).await?, other.answer(&batch).await?];
        for ((PastLog { position, log }, one), other) in batch.iter().zip(&answers[0]).zip(&answers[1]) {
            if one != other && ![one, other].iter().any(|answer| answer.fate == Fate::Unseen) {
                differences += 1;
                let record = log.as_ref().ok();
                observer.differs(&Difference { position, record, answers: [one, other] })?;
            }
        }
        batch.clear();
        observer.progress(logs.extent());
    }
    Ok(Compared { replayed: [one.finish().await, other.finish().await], differences })
}
