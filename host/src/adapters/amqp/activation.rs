//! Becoming the one host that consumes a queue.
//!
//! A host that stands by does not consume: it looks how many do. So whoever consumes, and sees that it is the
//! only one, knows that it is the active host, and will be until it leaves: the broker knows no other way to say
//! so. That a queue has a single active consumer holds even in the moment in which two hosts begin.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::future::try_join;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::time::sleep;

/// The delays between two looks of a host that stands by.
const LOOKS: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(50))
    .with_max_delay(LONGEST)
    .without_max_times()
    .with_jitter();

/// Jitter lengthens it by up to its own length.
const LONGEST: Duration = Duration::from_secs(1);

/// The delays after hosts have met: not the same for each of them.
const COLLISIONS: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(5))
    .with_max_delay(Duration::from_millis(200))
    .without_max_times()
    .with_jitter();

/// Consumes `queue` if nobody else does; of hosts that begin at the same moment one at most gets a consumer.
pub(super) async fn consume_alone(channel: &Channel, queue: &str) -> lapin::Result<Option<Consumer>> {
    let mut delays = COLLISIONS.build();
    while consumers(channel, queue).await? == 0 {
        // Asked together, and answered in this order.
        let (consumer, consumers) = try_join(consume(channel, queue), consumers(channel, queue)).await?;
        if consumers == 1 {
            return Ok(Some(consumer));
        }
        step_back(channel, &consumer).await?;
        sleep(delays.next().unwrap_or(LONGEST)).await;
    }
    Ok(None)
}

/// Waits until nobody consumes `queue`, and consumes it.
pub(super) async fn take_over(channel: Channel, queue: String) -> lapin::Result<Consumer> {
    let mut delays = LOOKS.build();
    loop {
        sleep(delays.next().unwrap_or(LONGEST)).await;
        if let Some(consumer) = consume_alone(&channel, &queue).await? {
            return Ok(consumer);
        }
    }
}

/// Consumes `queue`, whoever else does.
pub(super) async fn consume(channel: &Channel, queue: &str) -> lapin::Result<Consumer> {
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    channel.basic_consume(queue.into(), "".into(), options, none).await
}

/// How many consume a queue.
pub(super) async fn consumers(channel: &Channel, queue: &str) -> lapin::Result<u32> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    Ok(channel.queue_declare(queue.into(), options, FieldTable::default()).await?.consumer_count())
}

/// Consumes no longer, and gives back what has been delivered.
async fn step_back(channel: &Channel, consumer: &Consumer) -> lapin::Result<()> {
    channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await?;
    // Everything that the channel has.
    let options = BasicNackOptions { multiple: true, requeue: true };
    channel.basic_nack(0, options).await
}
