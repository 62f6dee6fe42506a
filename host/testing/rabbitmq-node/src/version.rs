//! Which `RabbitMQ`, where it is installed, and whether it can be started here.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;

/// Where Debian's package has its scripts; those in the path want to be another user.
pub(crate) const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// Where a node's folder is, seen from the root of version 4.
const INSIDE: &str = "/mnt";

/// Enters the root of version 4, with the node's folder at [`INSIDE`].
const ENTER: &str = include_str!("enter.sh");

/// Which `RabbitMQ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 3.10, of Debian 12.
    V3,
    /// 4.3 or later, in the root that `LOGHOST_RABBITMQ4_ROOT` names, or `target/rabbitmq4`.
    V4,
}

impl Version {
    /// Whether it can be started here.
    pub(crate) fn look(self) -> Result<(), Error> {
        match self {
            _ if self.has("rabbitmq-server") => {}
            Self::V3 => return Err(Error::Unavailable("rabbitmq-server is not installed".to_owned())),
            Self::V4 => {
                let root = self.root();
                let reason = format!("RabbitMQ 4 is not installed in {} (see .ci/run)", root.display());
                return Err(Error::Unavailable(reason));
            }
        }
        let unshared = || Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
        if self == Self::V4 && !unshared().is_ok_and(|status| status.success()) {
            return Err(Error::Unavailable("only root can enter the root of RabbitMQ 4".to_owned()));
        }
        Ok(())
    }

    /// A command, one of `RabbitMQ`'s or another, where this version is installed; and where it sees a node's folder.
    pub(crate) fn command<'a>(self, program: &str, folder: &'a Path) -> (Command, &'a Path) {
        let program = if self.has(program) { Path::new(PROGRAMS).join(program) } else { program.into() };
        match self {
            Self::V3 => (Command::new(program), folder),
            Self::V4 => {
                let mut command = Command::new("unshare");
                command.args(["--mount", "sh", "-c", ENTER, "sh"]).arg(program);
                command.env("ROOT", self.root());
                (command, Path::new(INSIDE))
            }
        }
    }

    fn has(self, program: &str) -> bool {
        self.root().join(&PROGRAMS[1..]).join(program).exists()
    }

    /// The folder that has its programs and all that they need.
    fn root(self) -> PathBuf {
        match self {
            Self::V3 => PathBuf::from("/"),
            Self::V4 => env::var_os("LOGHOST_RABBITMQ4_ROOT").map_or_else(
                || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target/rabbitmq4"),
                PathBuf::from,
            ),
        }
    }
}
