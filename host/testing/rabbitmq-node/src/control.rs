//! What a running node is asked and told with `rabbitmqctl`.

use crate::{Error, Node, Version};

impl Node {
    /// What `rabbitmqctl` prints about it.
    pub fn rabbitmqctl(&self, arguments: &[&str]) -> Result<String, Error> {
        self.ask("rabbitmqctl", arguments)
    }

    /// Enables a plugin while it runs.
    pub fn enable(&self, plugin: &str) -> Result<(), Error> {
        self.ask("rabbitmq-plugins", &["enable", plugin]).map(drop)
    }

    /// What one of its commands prints.
    fn ask(&self, program: &'static str, arguments: &[&str]) -> Result<String, Error> {
        let output = self.config.command(program).arg("--quiet").args(arguments).output();
        let output = output.map_err(Error::system("cannot start a command of RabbitMQ"))?;
        if !output.status.success() {
            return Err(Error::Refused {
                arguments: arguments.iter().map(ToString::to_string).collect(),
                errors: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Gives the queues of a virtual host whose names match a pattern a policy.
    pub fn set_policy(&self, vhost: &str, name: &str, pattern: &str, definition: &str) -> Result<(), Error> {
        let arguments = ["set_policy", "--vhost", vhost, "--apply-to", "queues", name, pattern, definition];
        self.rabbitmqctl(&arguments).map(drop)
    }

    /// Has it write what was declared and bound so far, which is gone otherwise when it is killed. Version 3 does that
    /// some seconds later. Both are late with the names under which they keep what is in quorum queues, and version 3 how it
    /// leads streams: without them, a new quorum queue is empty when it is back, or answers nobody, and a new stream stays
    /// "down or inaccessible". A host binds its queues again when it is back, which may be after the next log.
    pub fn store_topology(&self) -> Result<(), Error> {
        let write = match self.config.version {
            Version::V3 => "ok = mnesia:sync_log(), [ok = dets:sync(T) || T <- dets:all()].",
            Version::V4 => "[ok = dets:sync(T) || T <- dets:all()].",
        };
        self.rabbitmqctl(&["eval", write]).map(drop)
    }
}
