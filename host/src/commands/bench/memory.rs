//! Memory: what a host takes for each plugin, and an embedded broker for each log in a queue. Both are looked at in processes
//! of their own, which have done nothing else.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use loghost_core::domain::Tracing;
use serde_json::Value;

use super::collector::SinkCollector;
use super::connections::{ConsumedQueues, connect};
use super::environment::{Embedded, Environment};
use super::publish::Publisher;
use super::sample::{BenchSample, float};
use super::watchers::Watchers;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::files::bench_plugins::BenchPlugin;
use crate::platform::process::{ChildOutput, ChildProcess, resident_bytes};
use crate::ui::bench::Quantity;
use crate::ui::events::command::BenchEvent;
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
) -> Result<BenchSample, Failure> {
    let Some(one) = resident_host(environment, plugin, 1, logs).await? else { return Ok(untold()) };
    let mut sample = vec![(Quantity::HostMemory, one)];
    if plugins > 1 {
        let Some(many) = resident_host(environment, plugin, plugins, logs).await? else {
            return Ok(untold());
        };
        sample.push((Quantity::PluginMemory, (many - one) / f64::from(plugins - 1)));
    }
    Ok(sample)
}

/// What an embedded broker takes for each of `logs` logs in a queue.
pub(super) async fn broker(
    environment: &mut Environment,
    size: u64,
    logs: u64,
) -> Result<BenchSample, Failure> {
    let broker = Embedded::start().await?;
    let target = broker.target(environment.names().clone());
    let builder =
        connect(&target, &ConsumedQueues::default(), &environment.load_plugins(BenchPlugin::Counting, 1)?)
            .await?;
    let mut publisher = Publisher::open(&builder.connections, size).await?;
    let empty = resident(&broker.process);
    publisher.send(logs).await?;
    let full = resident(&broker.process);
    builder.connections.close().await;
    broker.process.end().await.context("cannot end the embedded broker").status(Status::Internal)?;
    let (Some(empty), Some(full)) = (empty, full) else { return Ok(untold()) };
    Ok(vec![(Quantity::QueuedLog, (full - empty) / float(logs))])
}

fn untold() -> BenchSample {
    terminal::tell(BenchEvent::MemoryUnknown);
    Vec::new()
}

fn resident(process: &ChildProcess) -> Option<f64> {
    resident_bytes(process.pid()?).map(float)
}

/// What a host has of memory after each of its plugins has counted `logs` logs.
async fn resident_host(
    environment: &mut Environment,
    plugin: BenchPlugin,
    plugins: u32,
    logs: u64,
) -> Result<Option<f64>, Failure> {
    let folder = filled(environment, plugin, plugins, logs, None).await?;
    let arguments = ["--format", "json", "--every", "50ms", "--until-idle", "10s"];
    let mut host = environment.host(&folder, &arguments, None, ChildOutput::Output)?;
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
    let bytes = resident(&host);
    end(environment, host).await?;
    Ok(bytes)
}

/// What a host with one plugin has of memory after that has counted `logs` logs, and how much more it has if it is watched meanwhile:
/// at this address, by a collector to which it sends the traces of `tracing`, and with its view on a terminal. None where that
/// cannot be told.
pub(super) async fn watched_host(
    environment: &mut Environment,
    plugin: BenchPlugin,
    logs: u64,
    (address, collector, tracing): (SocketAddr, &SinkCollector, &Tracing),
) -> Result<Option<f64>, Failure> {
    let Some(alone) = resident_host(environment, plugin, 1, logs).await? else { return Ok(None) };
    let folder = filled(environment, plugin, 1, logs, Some(tracing)).await?;
    let listen = address.to_string();
    let variable = ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url());
    let arguments = ["--every", "50ms", "--until-idle", "10s", "--listen", &listen];
    let mut host = environment.host(&folder, &arguments, Some(variable), ChildOutput::Screen)?;
    Watchers::counted(address, logs, || host.has_ended()).await.status(Status::Internal)?;
    let watchers = Watchers::begin(address).await.status(Status::Internal)?;
    let watched = resident(&host);
    watchers.end().status(Status::Internal)?;
    end(environment, host).await?;
    Ok(watched.map(|watched| watched - alone))
}

/// Has `logs` logs in the queue of each plugin, which belong to traces if there is somebody to trace them; the folder of the plugins.
async fn filled(
    environment: &mut Environment,
    plugin: BenchPlugin,
    plugins: u32,
    logs: u64,
    tracing: Option<&Tracing>,
) -> Result<PathBuf, Failure> {
    let components = (0..plugins).map(|number| (BenchPlugin::name(number), plugin.component(number)));
    let folder = environment.files(&format!("{plugin}-{plugins}"), components)?;
    let consumers = environment.load_plugins(plugin, plugins)?;
    let builder = environment.connect(&consumers).await?;
    let publisher = Publisher::open(&builder.connections, LOG).await?;
    let mut publisher = match tracing {
        Some(tracing) => publisher.traced(tracing.clone()),
        None => publisher,
    };
    publisher.send(logs).await?;
    builder.connections.close().await;
    Ok(folder)
}

/// Ends a host, and leaves nothing of it on the broker.
async fn end(environment: &mut Environment, host: ChildProcess) -> Result<(), Failure> {
    host.end().await.context("cannot end another host").status(Status::Internal)?;
    environment.delete_queues().await
}
