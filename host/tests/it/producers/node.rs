//! The nodes that producers publish to: a shared one of each version, which also takes MQTT, STOMP and AMQP 1.0 and publishes its
//! own log, as the page says to configure it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::broker_log;
use super::document::section;
use crate::support::Skip;
use crate::support::broker::{Broker, Kind};
use crate::support::outside::Outside;
use crate::support::rabbitmq::{self, Setup, Version, free_port, private};

/// A node, and where it listens for other protocols.
pub(super) struct Node {
    pub(super) rabbitmq: rabbitmq::Node,
    mqtt: u16,
    stomp: u16,
}

/// A node, or why there is none; empty until a test asks for it.
type Shared = Option<Result<Arc<Node>, Skip>>;

/// One of each version.
static SHARED: [Mutex<Shared>; 2] = [const { Mutex::new(None) }; 2];

fn slot(version: Version) -> MutexGuard<'static, Shared> {
    SHARED[version as usize].lock().unwrap_or_else(PoisonError::into_inner)
}

/// The shared node of this kind, which is started if it is not running, and its broker with a new prefix.
pub(super) fn shared(kind: Kind) -> Result<(Arc<Node>, Broker), Skip> {
    let version = kind.version().expect("a RabbitMQ");
    let node = slot(version).get_or_insert_with(|| start(version).map(Arc::new)).clone()?;
    let broker = Broker::on(kind, &node.rabbitmq);
    Ok((node, broker))
}

/// Ends the shared nodes.
pub(crate) fn stop() {
    for version in [Version::V3, Version::V4] {
        let node = slot(version).take();
        drop(node);
    }
}

fn start(version: Version) -> Result<Node, Skip> {
    let (mqtt, stomp) = (free_port(), free_port());
    let own_log = section(broker_log::SECTION).configuration.remove(0).text;
    let config = format!(
        "mqtt.listeners.tcp.1 = 127.0.0.1:{mqtt}\n\
         stomp.listeners.tcp.1 = 127.0.0.1:{stomp}\n\
         {own_log}"
    );
    // From version 4 on, AMQP 1.0 needs no plugin.
    let plugins = match version {
        Version::V3 => "rabbitmq_mqtt,rabbitmq_stomp,rabbitmq_amqp1_0",
        Version::V4 => "rabbitmq_mqtt,rabbitmq_stomp",
    };
    let rabbitmq = private(version, Setup { config: &config, plugins, ..Setup::default() })?;
    // Version 3 declares it some time after it has started.
    wait_for(&rabbitmq, "amq.rabbitmq.log");
    Ok(Node { rabbitmq, mqtt, stomp })
}

/// Waits until there is an exchange of this name.
#[track_caller]
pub(super) fn wait_for(node: &rabbitmq::Node, name: &str) {
    Outside::connect(&node.url()).wait_until(|| {
        let exchanges = node.rabbitmqctl(&["list_exchanges", "--silent", "name"]);
        exchanges.lines().any(|exchange| exchange == name)
    });
}

impl Node {
    /// A text of the page with the ports of this node instead of the usual ones.
    pub(super) fn reached_by(&self, text: &str) -> String {
        let url = self.rabbitmq.url();
        let amqp = url.rsplit_once(':').and_then(|(_, rest)| rest.split('/').next()).expect("a port");
        text.replace("61613", &self.stomp.to_string())
            .replace("1883", &self.mqtt.to_string())
            .replace("5672", amqp)
    }
}
