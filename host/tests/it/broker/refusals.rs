//! Refusals of RabbitMQ, and the advice for each, which depends on the text of the refusal and not on its code.

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Loghost, loghost};
use crate::support::rabbitmq::rabbitmqctl;
use crate::support::user::User;
use crate::support::{needing, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in [Kind::RabbitMq, Kind::RabbitMq4] {
        let mut add = |name: &str, body: fn(&Broker)| {
            trials.push(needing(format!("{}::refusals::{name}", kind.name()), move || {
                body(&Broker::new(kind)?);
                Ok(())
            }));
        };
        add("a_topic_permission_that_is_missing", a_topic_permission_that_is_missing);
        add("an_exchange_that_is_missing", an_exchange_that_is_missing);
        add("a_limit_of_queues", a_limit_of_queues);
        add("a_limit_of_connections", a_limit_of_connections);
        add("a_limit_of_channels", a_limit_of_channels);
        add("who_is_not_let_in", who_is_not_let_in);
    }
    trials
}

/// A virtual host with a limit, deleted at the end of the test.
struct Vhost<'a> {
    broker: &'a Broker,
    name: String,
}

impl<'a> Vhost<'a> {
    fn new(broker: &'a Broker, limits: &str) -> Self {
        let vhost = Self { broker, name: format!("{}-limited", broker.prefix()) };
        vhost.ctl(&["add_vhost", &vhost.name]);
        vhost.ctl(&["set_permissions", "-p", &vhost.name, "guest", ".*", ".*", ".*"]);
        vhost.limit(limits);
        vhost
    }

    fn limit(&self, limits: &str) {
        self.ctl(&["set_vhost_limits", "-p", &self.name, limits]);
    }

    fn ctl(&self, arguments: &[&str]) {
        drop(rabbitmqctl(self.broker.version().expect("a RabbitMQ"), arguments));
    }

    fn url(&self) -> String {
        self.broker.url().replace("%2f", &self.name)
    }
}

impl Drop for Vhost<'_> {
    fn drop(&mut self) {
        self.ctl(&["delete_vhost", &self.name]);
    }
}

/// Each of the commands that use a broker, at this one.
fn each(url: &str) -> [Loghost; 5] {
    let error = tracked("plugins/error.wasm");
    [
        loghost(["publish", "error", "text"]),
        loghost(["run", "--until-idle", "1s"]).arg(&error),
        loghost(["run", "--declare-only"]).arg(&error),
        loghost(["dead-letters", "list", "error"]),
        loghost(["bench", "--runs", "1", "--logs", "40", "publish"]),
    ]
    .map(|command| command.args(["--broker", url]))
}

fn a_topic_permission_that_is_missing(broker: &Broker) {
    broker.loghost(["run", "--declare-only"]).arg(tracked("plugins/error.wasm")).end().exits(0);
    let user = User::new(broker, "topics", ["PREFIX"; 3]);
    let exchange = broker.exchange("error");
    for (write, read, command) in [
        ("^$", ".*", user.loghost(["publish", "error", "text", "--source", "db-1"])),
        (".*", "^$", user.loghost(["run", "--declare-only"]).arg(tracked("plugins/error.wasm"))),
    ] {
        user.ctl(&["set_topic_permissions", user.name(), &exchange, write, read]);
        let refused =
            command.end().exits(78).says("access to topic").says("rabbitmqctl set_topic_permissions");
        refused.does_not_say("rabbitmqctl set_permissions").does_not_say("--declare-only");
    }
}

fn an_exchange_that_is_missing(broker: &Broker) {
    let user = User::new(broker, "writer", ["^$", "PREFIX", "PREFIX"]);
    let publish = || user.loghost(["publish", "error", "text"]).end();
    publish().exits(78).says("it is not there, and the user may not declare it").says("--declare-only");
    broker.loghost(["run", "--declare-only"]).arg(tracked("plugins/error.wasm")).end().exits(0);
    publish().exits(0);
    // It is there, and the user may not write to it.
    let reader = User::new(broker, "reader", ["^$", "^$", "PREFIX"]);
    let refused = reader.loghost(["publish", "error", "text"]).end().exits(78);
    refused.says("the permission to write to it").does_not_say("it is not there");
}

/// For a limit, the advice is not to delete anything.
fn a_limit_of_queues(broker: &Broker) {
    let vhost = Vhost::new(broker, r#"{"max-queues": 0}"#);
    let url = vhost.url();
    let error = tracked("plugins/error.wasm");
    let declare = loghost(["run", "--declare-only", "--broker", &url]).arg(&error).end().exits(69);
    declare.says("max-queues").does_not_say("delete it").does_not_say("--prefix");
    let run = loghost(["run", "--until-idle", "1s", "--broker", &url]).arg(&error).start();
    run.says("max-queues");
    vhost.limit(r#"{"max-queues": -1}"#);
    run.end().exits(0);
}

fn a_limit_of_connections(broker: &Broker) {
    let vhost = Vhost::new(broker, r#"{"max-connections": 0}"#);
    let user = User::new(broker, "connections", ["PREFIX"; 3]);
    user.ctl(&["set_user_limits", user.name(), r#"{"max-connections": 0}"#]);
    for (url, limits) in [(vhost.url(), "set_vhost_limits"), (user.url(), "set_user_limits")] {
        for command in each(&url) {
            let refused = command.end().exits(69).says("raise max-connections").says(limits);
            refused.does_not_say("docker run").does_not_say("check the user and the password");
        }
    }
    let publish = user.loghost(["publish", "error", "text", "--retry-for", "1m"]).start();
    publish.says("trying again");
    user.ctl(&["set_user_limits", user.name(), r#"{"max-connections": -1}"#]);
    publish.end().exits(0);
}

fn a_limit_of_channels(broker: &Broker) {
    let user = User::new(broker, "channels", ["PREFIX"; 3]);
    user.ctl(&["set_user_limits", user.name(), r#"{"max-channels": 1}"#]);
    let run = || user.loghost(["run", "--until-idle", "1s"]).arg(tracked("plugins/error.wasm"));
    run().args(["--retry-for", "1s"]).end().exits(69).says("raise max-channels");
    let running = run().start();
    running.says("raise max-channels");
    user.ctl(&["set_user_limits", user.name(), r#"{"max-channels": -1}"#]);
    running.end().exits(0);
    let url = format!("{}?channel_max=1", broker.url());
    let run = loghost(["run", "--retry-for", "1s", "--prefix", broker.prefix(), "--broker", &url]);
    run.arg(tracked("plugins/error.wasm")).end().exits(69).says("raise channel_max in the URL");
}

fn who_is_not_let_in(broker: &Broker) {
    let wrong = broker.url().replace("guest:guest", "guest:s3cret");
    let missing = broker.url().replace("%2f", "nowhere");
    let stranger = User::without_permissions(broker, "stranger");
    for (url, advice) in [
        (wrong, "check the user and the password"),
        (missing, "rabbitmqctl add_vhost"),
        (stranger.url(), "rabbitmqctl set_permissions -p"),
    ] {
        for command in each(&url) {
            command.end().exits(78).says(advice).does_not_say("s3cret");
        }
    }
}
