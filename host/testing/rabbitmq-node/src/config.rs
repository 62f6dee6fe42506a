//! The configuration of a node: its folder, its name and its ports, and commands that know them.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::port::{STREAM_PORT, STREAM_TLS_PORT, free_port};
use crate::version::PROGRAMS;
use crate::{Error, ServerTls, Setup, Version};

const UNWRITTEN: &str = "cannot write what RabbitMQ is to read";

/// Where a node listens for the stream protocol.
#[derive(Clone, Copy)]
pub(crate) struct StreamPorts {
    pub(crate) plain: u16,
    pub(crate) tls: Option<u16>,
}

/// The configuration of a node.
pub(crate) struct NodeConfig {
    pub(crate) version: Version,
    pub(crate) folder: TempDir,
    pub(crate) name: String,
    /// Where it listens, but for the management plugin.
    pub(crate) address: Ipv4Addr,
    pub(crate) port: u16,
    pub(crate) tls_port: Option<u16>,
    pub(crate) streams: Option<StreamPorts>,
    /// Nodes of one cluster share their port mapper's.
    pub(crate) mapper_port: u16,
    distribution_port: u16,
}

impl NodeConfig {
    /// One whose ports are all its own, if it has the address of all the others.
    pub(crate) fn new(version: Version, setup: &Setup<'_>) -> Result<Self, Error> {
        let Setup { config, plugins, address, tls } = setup;
        let address = address.unwrap_or(Ipv4Addr::LOCALHOST);
        let folder = tempfile::Builder::new().prefix("loghost-rabbitmq-").tempdir();
        let [port, mapper_port, distribution_port] = [(); 3].map(|()| free_port());
        let port_of = |usual: u16| if address == Ipv4Addr::LOCALHOST { free_port() } else { usual };
        let (plain, with_tls) = (port_of(STREAM_PORT), tls.map(|_| port_of(STREAM_TLS_PORT)));
        let streams = (version == Version::V4).then_some(StreamPorts { plain, tls: with_tls });
        let node = Self {
            version,
            folder: folder.map_err(Error::system("cannot make a folder for RabbitMQ"))?,
            name: unique_name(),
            address,
            port,
            tls_port: tls.map(|_| free_port()),
            streams,
            mapper_port,
            distribution_port,
        };
        let config = format!(
            "listeners.tcp.1 = {address}:{port}\n\
             disk_free_limit.absolute = 200MB\n\
             log.file.level = warning\n\
             {config}\n"
        );
        node.write("rabbitmq.conf", &config)?;
        let of_version = streams.map(|_| "rabbitmq_stream");
        let plugins = of_version.into_iter().chain((!plugins.is_empty()).then_some(*plugins));
        node.write("enabled_plugins", &format!("[{}].", plugins.collect::<Vec<_>>().join(",")))?;
        node.configure_streams()?;
        if let Some(tls) = tls {
            node.configure_tls(tls)?;
        }
        Ok(node)
    }

    /// Has it listen for the stream protocol, and tell clients an address that they reach.
    fn configure_streams(&self) -> Result<(), Error> {
        let Some(StreamPorts { plain, .. }) = self.streams else { return Ok(()) };
        let address = self.address;
        self.configure(&format!(
            "stream.listeners.tcp.1 = {address}:{plain}\n\
             stream.advertised_host = {address}\n\
             stream.advertised_port = {plain}\n"
        ))
    }

    /// Has it listen with TLS.
    fn configure_tls(&self, tls: &ServerTls<'_>) -> Result<(), Error> {
        let files = [("authority", tls.authority), ("certificate", tls.certificate), ("key", tls.key)];
        for (name, text) in files {
            self.write(&format!("{name}.pem"), text)?;
        }
        let (_, inside) = self.version.command("true", self.folder.path());
        let file = |name: &str| inside.join(format!("{name}.pem")).display().to_string();
        let address = self.address;
        let name = if address == Ipv4Addr::LOCALHOST { "localhost".to_owned() } else { address.to_string() };
        let listener = self.tls_port.map(|port| format!("listeners.ssl.1 = {address}:{port}\n"));
        let streams = self.streams.and_then(|streams| streams.tls).map(|port| {
            format!(
                "stream.listeners.ssl.1 = {address}:{port}\n\
                 stream.advertised_tls_host = {name}\n\
                 stream.advertised_tls_port = {port}\n"
            )
        });
        self.configure(&format!(
            "{}{}\
             ssl_options.cacertfile = {}\n\
             ssl_options.certfile = {}\n\
             ssl_options.keyfile = {}\n\
             ssl_options.verify = verify_peer\n\
             ssl_options.fail_if_no_peer_cert = false\n",
            listener.unwrap_or_default(),
            streams.unwrap_or_default(),
            file("authority"),
            file("certificate"),
            file("key"),
        ))
    }

    /// Adds lines to its `rabbitmq.conf`.
    pub(crate) fn configure(&self, lines: &str) -> Result<(), Error> {
        let file = OpenOptions::new().append(true).open(self.folder.path().join("rabbitmq.conf"));
        file.and_then(|mut file| file.write_all(lines.as_bytes())).map_err(Error::system(UNWRITTEN))
    }

    /// Writes what the nodes of a cluster know each other by.
    pub(crate) fn write_cookie(&self, cookie: &str) -> Result<(), Error> {
        let name = ".erlang.cookie";
        self.write(name, cookie)?;
        fs::set_permissions(self.folder.path().join(name), Permissions::from_mode(0o400))
            .map_err(Error::system(UNWRITTEN))
    }

    /// A command, one of `RabbitMQ`'s or another, that knows the node and nothing else of `RabbitMQ` on this
    /// machine.
    pub(crate) fn command(&self, program: &str) -> Command {
        let (mut command, folder) = self.version.command(program, self.folder.path());
        command
            .env("FOLDER", self.folder.path())
            .env("PROGRAMS", PROGRAMS)
            .env("HOME", folder)
            .env("ERL_EPMD_PORT", self.mapper_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", &self.name)
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", folder.join("advanced.config"))
            .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            // Not where the tests are run.
            .env("ERL_CRASH_DUMP", folder.join("log/erl_crash.dump"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("enabled_plugins"))
            .env("RABBITMQ_PID_FILE", folder.join("pid"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}");
        command
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        fs::write(self.folder.path().join(name), text).map_err(Error::system(UNWRITTEN))
    }
}

/// A node's name that no other node on this machine has.
fn unique_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("loghost-{}-{}@localhost", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
