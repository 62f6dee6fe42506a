//! Memory: what a host takes for each plugin, and an embedded broker for each log in a queue. Both are looked at in processes
//! of their own, which have done nothing else.

use std::collections::HashSet;
use std::net::SocketAddr;

use anyhow::{Context, anyhow};
use serde_json::Value;

use super::collector::SinkCollector;
use super::connections::{ConsumedQueues, connect};
use super::environment::{Embedded, Environment};
use super::publish::Publisher;
use super::sample::{Sample, float};
use super::watchers::Watchers;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::files::bench_plugins::BenchPlugin;
use crate::platform::process::{ChildProcess, Ear, resident_bytes};
use crate::ui::bench::Quantity;
use crate::ui::terminal;

/// How many bytes a log has that a plugin counts before its memory is looked at.
const LOG: u64 = 100;

/// What a host takes with one plugin, and for each further one when there are so many, after each has
/// counted `logs` logs.
pub(super) async fn host(
    environment: &mut Environment,
    plugin: BenchPlugin,
    plugins: u32,
    logs: u64,
) -> Result<Sample, Failure> {
    let Some(one) = resident_host(environment, plugin, 1, logs, None).await? else { return Ok(untold()) };
    let mut sample = vec![(Quantity::HostMemory, one)];
    if plugins > 1 {
        let Some(many) = resident_host(environment, plugin, plugins, logs, None).await? else {
            return Ok(untold());
        };
        sample.push((Quantity::PluginMemory, (many - one) / f64::from(plugins - 1)));
    }
    Ok(sample)
}

/// What an embedded broker takes for each of `logs` logs in a queue.
pub(super) async fn broker(environment: &mut Environment, size: u64, logs: u64) -> Result<Sample, Failure> {
    let broker = Embedded::start().await?;
    let target = broker.target(environment.names().clone());
    let builder =
        connect(&target, &ConsumedQueues::default(), &environment.cast(BenchPlugin::Counting, 1)?).await?;
    let mut publisher = Publisher::open(&builder.connections, size).await?;
    let empty = resident(&broker.process);
    publisher.send(logs).await?;
    let full = resident(&broker.process);
    builder.connections.close().await;
    broker.process.end().await.context("cannot end the embedded broker").status(Status::Internal)?;
    let (Some(empty), Some(full)) = (empty, full) else { return Ok(untold()) };
    Ok(vec![(Quantity::QueuedLog, (full - empty) / float(logs))])
}

fn untold() -> Sample {
    terminal::warning("how much memory a process has cannot be told on this system");
    Vec::new()
}

fn resident(process: &ChildProcess) -> Option<f64> {
    resident_bytes(process.pid()?).map(float)
}

/// What a host has of memory after each of its plugins has counted `logs` logs; if it listens at an address and sends to a
/// collector, while it is watched there.
pub(super) async fn resident_host(
    environment: &mut Environment,
    plugin: BenchPlugin,
    plugins: u32,
    logs: u64,
    watched: Option<(SocketAddr, &SinkCollector)>,
) -> Result<Option<f64>, Failure> {
    let components = (0..plugins).map(|number| (BenchPlugin::name(number), plugin.component(number)));
    let folder = environment.files(&format!("{plugin}-{plugins}"), components)?;
    let consumers = environment.cast(plugin, plugins)?;
    let builder = environment.connect(&consumers).await?;
    Publisher::open(&builder.connections, LOG).await?.send(logs).await?;

    let (listen, collector) = watched.unzip();
    let address = listen.map(|address| address.to_string());
    let variables = collector.map(|collector| ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()));
    let mut arguments = vec!["--format", "json", "--every", "50ms", "--until-idle", "10s"];
    arguments.extend(address.iter().flat_map(|address| ["--listen", address]));
    let mut host = environment.host(&folder, &arguments, variables, Ear::Output)?;
    let mut done = HashSet::new();
    while done.len() < plugins as usize {
        let line = host.line().await.context("cannot listen to another host").status(Status::Internal)?;
        let Some(line) = line else {
            let error = anyhow!("a host that was started has ended before it had counted all logs");
            return Err(Failure::of(Status::Internal, error));
        };
        let metric: Value = serde_json::from_str(&line).unwrap_or_default();
        let counts = metric["counts"].as_object().into_iter().flat_map(|counts| counts.values());
        if counts.filter_map(Value::as_u64).sum::<u64>() >= logs {
            done.insert(metric["consumer"].to_string());
        }
    }
    let watchers = match listen {
        Some(address) => Some(Watchers::begin(address).await.status(Status::Internal)?),
        None => None,
    };
    let bytes = resident(&host);
    watchers.map_or(Ok(()), Watchers::end).status(Status::Internal)?;
    host.end().await.context("cannot end another host").status(Status::Internal)?;
    builder.connections.close().await;
    environment.sweep().await?;
    Ok(bytes)
}
