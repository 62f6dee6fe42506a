//! What a Rust program does with rabbitmq-stream-client: counts the logs of a stream from its first.

use std::time::Instant;

use anyhow::Context;
use clap::{Parser, Subcommand};
use futures_util::StreamExt;
use rabbitmq_stream_client::Environment;
use rabbitmq_stream_client::types::OffsetSpecification;
use rustix::time::{ClockId, clock_gettime};
use url::Url;

/// Counts the logs of a stream with rabbitmq-stream-client; prints a line of JSON with what it took
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Read so many logs of a stream from its first
    Consume {
        /// The broker, as rabbitmq-stream://USER:PASSWORD@HOST:PORT/VHOST
        #[arg(long)]
        broker: Url,
        /// The stream
        #[arg(long)]
        queue: String,
        #[arg(long)]
        logs: u64,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Command::Consume { broker, queue, logs } = Arguments::parse().command;
    let environment = Environment::builder()
        .host(broker.host_str().context("the address names no host")?)
        .port(broker.port().context("the address names no port")?)
        .username(broker.username())
        .password(broker.password().unwrap_or_default())
        // Percent-encoded in an address; the comparison has only this one.
        .virtual_host("/")
        .build()
        .await?;
    let (wall, cpu) = (Instant::now(), clock_gettime(ClockId::ProcessCPUTime));
    let mut consumer = environment.consumer().offset(OffsetSpecification::First).build(&queue).await?;
    for _ in 0..logs {
        consumer.next().await.context("the stream has ended")??;
    }
    let (wall, cpu) = (wall.elapsed(), clock_gettime(ClockId::ProcessCPUTime) - cpu);
    let cpu = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
    println!(
        r#"{{"peer": "rabbitmq-stream-client", "logs": {logs}, "seconds": {:.6}, "cpu_seconds": {cpu:.6}}}"#,
        wall.as_secs_f64()
    );
    consumer.handle().close().await?;
    Ok(())
}
