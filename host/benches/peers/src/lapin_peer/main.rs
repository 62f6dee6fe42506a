//! A bare lapin loop, as one would write it instead of running loghost: the reference of the comparison.
//! Besides, it makes and fills the queues that the peers consume.
//!
//! It has the system's allocator and lapin's own defaults, on tokio's multi-thread runtime.

mod consume;
mod publish;
mod queues;

use anyhow::Context;
use clap::{Parser, Subcommand};
use lapin::{Connection, ConnectionProperties};

/// A bare lapin loop; prints a line of JSON with what it took
#[derive(Parser)]
struct Arguments {
    /// The broker
    #[arg(long, global = true, default_value = "amqp://guest:guest@127.0.0.1:5672/%2f", value_name = "URL")]
    broker: String,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Consume from queues that exist, each on a connection of its own
    Consume(consume::Options),
    /// Publish with confirms, a full window in flight
    Publish(publish::Options),
    /// Make queues again, as loghost declares them, and fill them
    Fill(queues::Options),
    /// Delete queues and exchanges
    Delete(queues::Doomed),
}

fn main() -> anyhow::Result<()> {
    let Arguments { broker, command } = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Consume(options) => println!("{}", consume::run(&broker, options).await?),
            Command::Publish(options) => println!("{}", publish::run(&broker, options).await?),
            Command::Fill(options) => queues::fill(&broker, options).await?,
            Command::Delete(doomed) => queues::delete(&broker, doomed).await?,
        }
        Ok(())
    })
}

async fn connect(broker: &str) -> anyhow::Result<Connection> {
    let connected = Connection::connect(broker, ConnectionProperties::default()).await;
    connected.context("cannot connect to the broker")
}
