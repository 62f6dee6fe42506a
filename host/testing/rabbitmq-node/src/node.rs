//! A node that nobody else has.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::thread;

use crate::config::NodeConfig;
use crate::evidence::keep_log;
use crate::readiness::wait_until_up;
use crate::watch::Watch;
use crate::{Error, Setup, Version};

/// A node, running or killed, and what is stored on it; it is gone when it is dropped.
pub struct Node {
    // Before the configuration: the shell has to end before the folder is deleted.
    watch: Watch,
    pub(crate) config: NodeConfig,
}

impl Node {
    /// Starts a node and waits until it answers, which takes seconds.
    pub fn start(version: Version, setup: &Setup<'_>) -> Result<Self, Error> {
        version.look()?;
        let mut node = Self::new(NodeConfig::new(version, setup)?)?;
        node.restart()?;
        Ok(node)
    }

    /// One that has not been started.
    pub(crate) fn new(config: NodeConfig) -> Result<Self, Error> {
        Ok(Self { watch: Watch::new(&config)?, config })
    }

    /// Where it listens, with its default user and virtual host.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@{}:{}/%2f", self.config.address, self.config.port)
    }

    /// What the nodes of its cluster call it.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// The address where it listens: 127.0.0.1, or one of its own in 127.0.0.0/8.
    pub fn address(&self) -> Ipv4Addr {
        self.config.address
    }

    /// The port where it listens with TLS, if its setup has TLS.
    pub fn tls_port(&self) -> Option<u16> {
        self.config.tls_port
    }

    /// The port where it listens for the stream protocol, which is 5552 at an address of its own; none before version 4.
    pub fn stream_port(&self) -> Option<u16> {
        self.config.streams.map(|streams| streams.plain)
    }

    /// The port where it listens for the stream protocol with TLS, if its setup has TLS; none before version 4.
    pub fn stream_tls_port(&self) -> Option<u16> {
        self.config.streams.and_then(|streams| streams.tls)
    }

    /// The id of its process.
    pub fn pid(&self) -> Result<u32, Error> {
        let text = fs::read_to_string(self.config.folder.path().join("pid"));
        text.and_then(|text| text.trim().parse().map_err(io::Error::other))
            .map_err(Error::system("cannot read RabbitMQ's process id"))
    }

    /// Kills it as a power cut would; what it has stored stays.
    pub fn kill(&mut self) -> Result<(), Error> {
        self.watch.crash()
    }

    /// Starts it after [`Self::kill`], on the same port and with what it has stored, and waits until it
    /// answers.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.begin()?;
        self.wait_until_up()
    }

    /// Starts it, and waits for nothing.
    pub(crate) fn begin(&mut self) -> Result<(), Error> {
        self.watch.start()
    }

    pub(crate) fn wait_until_up(&self) -> Result<(), Error> {
        wait_until_up(&self.config)
    }
}

impl Drop for Node {
    /// Stores its log where a failing test uses it.
    fn drop(&mut self) {
        if thread::panicking() {
            keep_log(&self.config);
        }
    }
}
