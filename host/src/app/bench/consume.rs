//! Consuming: full queues, and consumers that empty them.

use std::time::Instant;

use super::crew::{Counted, Crew};
use super::figure::{Sample, work};
use super::machine::Spent;
use super::publish::Publisher;
use super::venue::Venue;
use crate::adapters::bench_plugins::BenchPlugin;
use crate::app::failure::Failure;

/// How fast so many consumers count `logs` logs each, and what that takes of this process: from before the first is opened
/// until the last log is acknowledged.
pub(super) async fn consume(
    venue: &mut Venue,
    plugin: BenchPlugin,
    plugins: u32,
    size: u64,
    logs: u64,
) -> Result<Sample, Failure> {
    let consumers = venue.cast(plugin, plugins)?;
    let links = venue.links(&consumers).await?;
    Publisher::open(&links, size).await?.send(logs).await?;

    let due = logs * u64::from(plugins);
    let counted = Counted::new(due);
    let (begin, spent) = (Instant::now(), Spent::begin());
    let mut crew = Crew::start(&links, consumers, counted).await?;
    crew.count().await?;
    let (elapsed, spent) = (begin.elapsed(), spent.end());

    crew.end(logs).await?;
    links.close().await;
    venue.sweep().await?;
    Ok(work(due, elapsed, spent))
}
