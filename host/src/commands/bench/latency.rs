//! Latency: from the call of publish until the log is counted, by one consumer in the same process.
//!
//! Logs are due at times that are fixed beforehand. One that is due while the publisher is held up counts from when it was
//! due, not from when it could at last be published: what holds the publisher up is seen.

use std::future::pending;
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use super::consumers::{BenchConsumers, Counted};
use super::environment::Environment;
use super::publish::Publisher;
use super::sample::{BenchSample, float, per_mille};
use crate::compose::failure::{Failure, Status};
use crate::files::bench_plugins::BenchPlugin;
use crate::ui::bench::{Pace, Quantity};

/// How long it takes until logs are counted that are sent at this pace.
pub(super) async fn latency(
    environment: &mut Environment,
    pace: Pace,
    size: u64,
    logs: u64,
) -> Result<BenchSample, Failure> {
    let consumers = environment.load_plugins(BenchPlugin::Counting, 1)?;
    let builder = environment.connect(&consumers).await?;
    let mut publisher = Publisher::open(&builder.connections, size).await?;
    let counted = Counted::timed(logs);
    let mut consumers = BenchConsumers::start(&builder, consumers, counted.clone(), &[]).await?;

    // The consumer is watched meanwhile: without it, the publisher could wait for ever.
    let publishing = async {
        let sent = send(&mut publisher, pace, logs).await?;
        publisher.finish().await?;
        Ok::<_, Failure>(sent)
    };
    let (sent, ()) = tokio::try_join!(publishing, consumers.count())?;

    consumers.end(logs).await?;
    builder.connections.close().await;
    environment.delete_queues().await?;
    let arrived = counted.moments();
    // One publisher, one queue, one consumer: they arrive in the order in which they were sent.
    let mut times: Vec<f64> =
        sent.iter().zip(&arrived).map(|(sent, arrived)| (*arrived - *sent).as_secs_f64() * 1e3).collect();
    times.sort_by(f64::total_cmp);
    let (Some(first), Some(last)) = (sent.first(), arrived.last()) else {
        return Err(Failure::new(Status::Internal, "no log was sent"));
    };
    Ok(vec![
        (Quantity::Median, per_mille(&times, 500)),
        (Quantity::Percentile99, per_mille(&times, 990)),
        (Quantity::Percentile999, per_mille(&times, 999)),
        (Quantity::LogsPerSecond, float(logs) / (*last - *first).as_secs_f64()),
    ])
}

/// Publishes at this pace; returns from when each log counts.
async fn send(publisher: &mut Publisher, pace: Pace, logs: u64) -> Result<Vec<Instant>, Failure> {
    let mut sent = Vec::with_capacity(usize::try_from(logs).unwrap_or_default());
    let begin = Instant::now();
    // When the publisher was last ready: it had nothing to do before.
    let mut ready = begin;
    for number in 0..logs {
        match pace {
            Pace::Saturation => sent.push(Instant::now()),
            Pace::Rate(rate) => {
                let due = begin + Duration::from_nanos(number * 1_000_000_000 / u64::from(rate));
                if Instant::now() < due {
                    wait(publisher, due).await?;
                    ready = Instant::now();
                }
                sent.push(due.max(ready));
            }
        }
        publisher.one().await?;
    }
    Ok(sent)
}

/// Waits until then; takes the broker's answers meanwhile. Timers tick each millisecond: what is due between two ticks is
/// sent together.
async fn wait(publisher: &mut Publisher, due: Instant) -> Result<(), Failure> {
    let answers = async {
        publisher.flush().await?;
        pending::<Result<(), Failure>>().await
    };
    tokio::select! {
        biased;
        () = sleep_until(due.into()) => Ok(()),
        failed = answers => failed,
    }
}
