//! Where it is measured: a broker, and names on it that nobody else has.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, io, iter};

use anyhow::{Context, anyhow};
use loghost_core::application::Consumer;
use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::{self, Address, Names, Retry};
use loghost_wasm::{Limits, Plugin, Runtime, WasmConsumer};
use tokio::task::block_in_place;
use uuid::Uuid;

use super::Options;
use super::connections::{ConsumedQueues, connect};
use crate::compose::consumer_builder::ConsumerBuilder;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::plugins::loader;
use crate::compose::plugins::source::PluginSource;
use crate::compose::target::{BrokerChoice, Target, refused};
use crate::files::bench_plugins::BenchPlugin;
use crate::platform::process::{ChildOutput, ChildProcess};

/// A broker, names on it, and the plugins that are measured.
pub(super) struct Environment {
    target: Target,
    queues: ConsumedQueues,
    prefix: String,
    embedded: Option<Embedded>,
    runtime: Runtime,
    plugins: HashMap<(BenchPlugin, u32), Arc<Plugin>>,
    /// Whose queues may be there.
    used: HashSet<ConsumerName>,
    /// Where files are, if there are any.
    folder: PathBuf,
}

/// An embedded broker, in a process of its own.
pub(super) struct Embedded {
    pub(super) process: ChildProcess,
    pub(super) address: Address,
}

impl Embedded {
    pub(super) async fn start() -> Result<Self, Failure> {
        let arguments = ["broker", "--listen", "127.0.0.1:0", "--max-memory", "1GiB", "--until-eof"];
        let starting = async {
            let mut process = ChildProcess::start(arguments, [], ChildOutput::Output)?;
            let url = process.line().await?.ok_or_else(|| anyhow!("it has ended at once"))?;
            Ok::<_, anyhow::Error>(Self { process, address: url.parse()? })
        };
        starting.await.context("cannot start the embedded broker").status(Status::Unavailable)
    }

    /// The broker, for names under this prefix.
    pub(super) fn target(&self, names: Names) -> Target {
        Target { addresses: vec![self.address.clone()], names, from: None, retry: Retry::Never }
    }
}

impl Environment {
    /// Finds the broker, or starts one.
    pub(super) async fn open(options: &Options) -> Result<Self, Failure> {
        let unique = Uuid::new_v4().simple().to_string();
        let prefix = format!("{}-{}", options.prefix, &unique[..8]);
        let names = Names::new(prefix.parse().status(Status::Usage)?);
        let (embedded, target) = match &options.on {
            BrokerChoice::Embedded => {
                let embedded = Embedded::start().await?;
                let target = embedded.target(names);
                (Some(embedded), target)
            }
            // What is measured on a connection that was lost in between is nothing.
            BrokerChoice::Broker(addresses) => {
                (None, Target { addresses: addresses.clone(), names, from: None, retry: Retry::Never })
            }
        };
        let environment = Self {
            target,
            queues: options.queues.clone(),
            folder: env::temp_dir().join(format!("loghost-{prefix}")),
            prefix,
            embedded,
            runtime: loader::runtime(Limits::default())?,
            plugins: HashMap::new(),
            used: HashSet::new(),
        };
        // Better now than after the warm-up.
        environment.target.connect("measuring").await?.close().await;
        Ok(environment)
    }

    /// The broker, for people.
    pub(super) fn broker(&self) -> String {
        match (&self.embedded, self.target.addresses.first()) {
            (None, Some(address)) => address.to_string(),
            _ => "embedded".to_owned(),
        }
    }

    /// What the names of its exchanges begin with, and what is part of those of its queues.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn names(&self) -> &Names {
        &self.target.names
    }

    /// Declares the queues of these consumers, and connects as their host does.
    pub(super) async fn connect(&self, consumers: &[WasmConsumer]) -> Result<ConsumerBuilder, Failure> {
        connect(&self.target, &self.queues, consumers).await
    }

    /// So many consumers, as they are when they have just been configured.
    pub(super) fn load_plugins(
        &mut self,
        plugin: BenchPlugin,
        plugins: u32,
    ) -> Result<Vec<WasmConsumer>, Failure> {
        (0..plugins).map(|number| self.consumer(plugin, number)).collect()
    }

    fn consumer(&mut self, plugin: BenchPlugin, number: u32) -> Result<WasmConsumer, Failure> {
        let source = PluginSource::Bundled(BenchPlugin::name(number));
        let loaded = if let Some(loaded) = self.plugins.get(&(plugin, number)) {
            Arc::clone(loaded)
        } else {
            let component = plugin.component(number);
            let loaded = block_in_place(|| Plugin::load(&self.runtime, &component));
            let loaded = Arc::new(loaded.with_context(|| source.to_string()).status(Status::Internal)?);
            self.plugins.insert((plugin, number), Arc::clone(&loaded));
            loaded
        };
        let consumer = loader::start(&self.runtime, loaded, &source, &[])?;
        self.used.insert(consumer.descriptor().name.clone());
        Ok(consumer)
    }

    /// Files with plugins, written when they are first asked for, for hosts in processes of their own.
    pub(super) fn files(
        &mut self,
        folder: &str,
        plugins: impl Iterator<Item = (String, Vec<u8>)>,
    ) -> Result<PathBuf, Failure> {
        let folder = self.folder.join(folder);
        let write = |path: &PathBuf, component: Vec<u8>| {
            if path.exists() { Ok(()) } else { fs::write(path, component) }
        };
        let context = || format!("cannot write plugins to {}", folder.display());
        fs::create_dir_all(&folder).with_context(context).status(Status::Internal)?;
        for (name, component) in plugins {
            let written = write(&folder.join(format!("{name}.wasm")), component);
            written.with_context(context).status(Status::Internal)?;
            self.used.insert(ConsumerName::new(name).status(Status::Internal)?);
        }
        Ok(folder)
    }

    /// Starts a host of the plugins in a folder, under the names of this environment; it ends by itself when it has
    /// nothing to do, should nobody be left to end it.
    pub(super) fn host(
        &self,
        folder: &Path,
        arguments: &[&str],
        variable: Option<(&str, String)>,
        pipe: ChildOutput,
    ) -> Result<ChildProcess, Failure> {
        let urls: Vec<&str> = self.target.addresses.iter().map(Address::secret).collect();
        // Other users see the arguments of a process, but not its variables.
        let variables = iter::once(("LOGHOST_BROKER", urls.join(","))).chain(variable);
        let run = ["run", "--prefix", &self.prefix, "--retry-for", "5s"];
        let queues = self.queues.arguments();
        let run = run.iter().chain(arguments).map(OsStr::new).chain(queues.iter().map(OsStr::new));
        let run = run.chain([folder.as_os_str()]);
        ChildProcess::start(run, variables, pipe)
            .context("cannot start another host")
            .status(Status::Internal)
    }

    /// Deletes the queues, or the streams, with all that is in them.
    pub(super) async fn delete_queues(&mut self) -> Result<(), Failure> {
        let reconnecting = self.target.connect("deleting queues").await?;
        let connection = reconnecting.connection().await.map_err(|error| self.target.unreachable(&error))?;
        let names = &self.target.names;
        loghost_rabbitmq::delete_queues(&connection, names, &self.used).await.map_err(refused)?;
        if self.queues.streams.is_some() {
            loghost_rabbitmq::delete_streams(&connection, names).await.map_err(refused)?;
        }
        self.used.clear();
        reconnecting.close().await;
        Ok(())
    }

    /// Leaves nothing behind: no queue, no exchange, no file, no process.
    pub(super) async fn clear(mut self) -> Result<(), Failure> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let context = format!("cannot remove {}", self.folder.display());
                Err(error).context(context).status(Status::Internal)?;
            }
            _ => {}
        }
        if let Some(Embedded { process, .. }) = self.embedded {
            return process.end().await.context("cannot end the embedded broker").status(Status::Internal);
        }
        self.delete_queues().await?;
        let reconnecting = self.target.connect("deleting queues").await?;
        let connection = reconnecting.connection().await.map_err(|error| self.target.unreachable(&error))?;
        loghost_rabbitmq::delete_exchanges(&connection, &self.target.names).await.map_err(refused)?;
        reconnecting.close().await;
        Ok(())
    }
}
