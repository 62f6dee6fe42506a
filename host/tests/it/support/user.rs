//! Users of a broker with permissions of their own.

use super::broker::Broker;
use super::cli::{Loghost, loghost};
use super::rabbitmq::rabbitmqctl;

/// A user of a broker, deleted at the end of the test.
pub(crate) struct User<'a> {
    broker: &'a Broker,
    name: String,
}

impl<'a> User<'a> {
    /// A user with these patterns for configure, write and read; `PREFIX` in them is that of the broker.
    pub(crate) fn new(broker: &'a Broker, role: &str, permissions: [&str; 3]) -> Self {
        let user = Self::without_permissions(broker, role);
        user.may(permissions);
        user
    }

    /// A user without permissions.
    pub(crate) fn without_permissions(broker: &'a Broker, role: &str) -> Self {
        let user = Self { broker, name: format!("{}-{role}", broker.prefix()) };
        user.ctl(&["add_user", &user.name, "s3cret"]);
        user
    }

    /// Replaces the permissions.
    pub(crate) fn may(&self, permissions: [&str; 3]) {
        let permissions = permissions.map(|pattern| pattern.replace("PREFIX", self.broker.prefix()));
        let [configure, write, read] = &permissions;
        self.ctl(&["set_permissions", &self.name, configure, write, read]);
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The broker's, for this user.
    pub(crate) fn url(&self) -> String {
        self.broker.url().replace("guest:guest", &format!("{}:s3cret", self.name))
    }

    pub(crate) fn ctl(&self, arguments: &[&str]) {
        let version = self.broker.version().expect("a RabbitMQ");
        drop(rabbitmqctl(version, arguments));
    }

    pub(crate) fn loghost<const N: usize>(&self, arguments: [&str; N]) -> Loghost {
        // In the environment: options stand at another place of each command.
        loghost(arguments).env("LOGHOST_AMQP_URL", self.url()).args(["--prefix", self.broker.prefix()])
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        self.ctl(&["delete_user", &self.name]);
    }
}
