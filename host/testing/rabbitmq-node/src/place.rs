//! Where a node is: its folder, its configuration, its name and its ports, and commands that know them.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::version::PROGRAMS;
use crate::{Error, Setup, Version, free_port};

const UNWRITTEN: &str = "cannot write what RabbitMQ is to read";

/// Where a node is.
pub(crate) struct Place {
    pub(crate) version: Version,
    pub(crate) folder: TempDir,
    pub(crate) name: String,
    pub(crate) port: u16,
    /// Nodes of one cluster share their port mapper's.
    pub(crate) mapper_port: u16,
    distribution_port: u16,
}

impl Place {
    pub(crate) fn new(version: Version, setup: &Setup<'_>) -> Result<Self, Error> {
        let Setup { config, plugins } = setup;
        let folder = tempfile::Builder::new().prefix("loghost-rabbitmq-").tempdir();
        let [port, mapper_port, distribution_port] = [(); 3].map(|()| free_port());
        let place = Self {
            version,
            folder: folder.map_err(Error::system("cannot make a folder for RabbitMQ"))?,
            name: unique_name(),
            port,
            mapper_port,
            distribution_port,
        };
        let config = format!(
            "listeners.tcp.1 = 127.0.0.1:{port}\n\
             disk_free_limit.absolute = 200MB\n\
             log.file.level = warning\n\
             {config}\n"
        );
        place.write("rabbitmq.conf", &config)?;
        place.write("enabled_plugins", &format!("[{plugins}]."))?;
        Ok(place)
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
