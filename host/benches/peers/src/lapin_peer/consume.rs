//! Consuming: a count, and acknowledgements.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer};
use loghost_peers::report::Stopwatch;

use super::connect;

/// How many deliveries may be unacknowledged.
const PREFETCH: u16 = 1000;

/// Delivery by delivery: how many are acknowledged at once.
const EVERY: u64 = 200;

/// In bursts: how many make one at most, and after how many it is worth while to let more gather, and for how
/// long.
const MOST: u64 = 256;
const LARGE: u64 = 64;
const GATHER: Duration = Duration::from_micros(500);

#[derive(Args)]
pub(crate) struct Options {
    /// How deliveries are taken from lapin
    #[arg(long, default_value = "bursts")]
    mode: Mode,

    /// A queue to consume; may be given several times
    #[arg(long = "queue", required = true, value_name = "NAME")]
    queues: Vec<String>,

    /// How many logs to take from each
    #[arg(long, value_name = "N")]
    logs: u64,

    /// Read every byte of the logs, instead of only counting them
    #[arg(long)]
    body: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// What is there, without waiting; after a large burst, more after a moment
    Bursts,
    /// One after the other, each waited for
    Deliveries,
}

/// One connection's consumer.
struct Peer {
    connection: Connection,
    channel: Channel,
    consumer: Consumer,
    body: bool,
}

/// Consumes; the report.
pub(crate) async fn run(broker: &str, options: Options) -> anyhow::Result<String> {
    let Options { mode, queues, logs, body } = options;
    let total = logs * queues.len() as u64;
    let mut channels = Vec::new();
    for queue in queues {
        let connection = connect(broker).await?;
        let channel = connection.create_channel().await?;
        channels.push((queue, connection, channel));
    }
    let watch = Stopwatch::start();
    let mut loops = Vec::new();
    for (queue, connection, channel) in channels {
        let mut peer = Peer::consume(&queue, connection, channel, body).await?;
        loops.push(tokio::spawn(async move {
            match mode {
                Mode::Bursts => peer.bursts(logs).await?,
                Mode::Deliveries => peer.deliveries(logs).await?,
            }
            anyhow::Ok(peer)
        }));
    }
    let mut peers = Vec::new();
    for task in loops {
        peers.push(task.await??);
    }
    let report = watch.report("lapin", total);
    for peer in peers {
        peer.connection.close(200, "done".into()).await?;
    }
    Ok(report)
}

impl Peer {
    async fn consume(
        queue: &str,
        connection: Connection,
        channel: Channel,
        body: bool,
    ) -> anyhow::Result<Self> {
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
        let consumer = channel.basic_consume(queue.into(), "".into(), options, none).await?;
        Ok(Self { connection, channel, consumer, body })
    }

    async fn bursts(&mut self, logs: u64) -> anyhow::Result<()> {
        let mut counted = 0;
        let mut gather = false;
        while counted < logs {
            if gather {
                // As the host does: meanwhile more arrives, and nobody waits for a few.
                tokio::time::sleep(GATHER).await;
            }
            let mut next = match self.consumer.next().now_or_never() {
                Some(next) => next,
                None => self.consumer.next().await,
            };
            let most = MOST.min(logs - counted);
            let mut taken = 0;
            let last = loop {
                let delivery = next.context("the consumer was cancelled")??;
                self.look_at(&delivery);
                taken += 1;
                if taken == most {
                    break delivery.delivery_tag;
                }
                match self.consumer.next().now_or_never() {
                    Some(more) => next = more,
                    None => break delivery.delivery_tag,
                }
            };
            counted += taken;
            gather = (LARGE..MOST).contains(&taken);
            self.acknowledge_through(last).await?;
        }
        Ok(())
    }

    async fn deliveries(&mut self, logs: u64) -> anyhow::Result<()> {
        let mut counted = 0;
        while let Some(delivery) = self.consumer.next().await {
            let delivery = delivery?;
            self.look_at(&delivery);
            counted += 1;
            if counted % EVERY == 0 || counted == logs {
                self.acknowledge_through(delivery.delivery_tag).await?;
            }
            if counted == logs {
                break;
            }
        }
        ensure!(counted == logs, "the consumer was cancelled");
        Ok(())
    }

    fn look_at(&self, delivery: &Delivery) {
        if self.body {
            black_box(delivery.data.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)));
        }
    }

    async fn acknowledge_through(&self, tag: u64) -> lapin::Result<()> {
        self.channel.basic_ack(tag, BasicAckOptions { multiple: true }).await.map(drop)
    }
}
