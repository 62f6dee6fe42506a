//! The RabbitMQ nodes of the tests: a shared one of each version, which is started when the first test asks for it,
//! and nodes that one test uses alone. A test fails if a node does not start or refuses a command.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use loghost_rabbitmq_node as launcher;
pub(crate) use loghost_rabbitmq_node::{ServerTls, Setup, Version, free_address, free_port, management};

use super::broker::Kind;
use super::outside::{DURABLE, Outside, text};
use super::{Need, Skip};

/// A virtual host of version 4 whose queues are quorum queues unless they are declared otherwise.
pub(super) const QUORUM_VHOST: &str = "quorum";

/// A node, or why there is none; empty until a test asks for it.
type Shared = Option<Result<Arc<Node>, Skip>>;

/// One of each version.
static SHARED: [Mutex<Shared>; 2] = [const { Mutex::new(None) }; 2];

fn slot(version: Version) -> MutexGuard<'static, Shared> {
    SHARED[version as usize].lock().unwrap_or_else(PoisonError::into_inner)
}

/// The shared node, which is started if it is not running.
pub(super) fn shared(version: Version) -> Result<Arc<Node>, Skip> {
    let start = || {
        // From version 4 on, AMQP 1.0 needs no plugin.
        let plugins = if version == Version::V3 { "rabbitmq_amqp1_0" } else { "" };
        let node = private(version, Setup { plugins, ..Setup::default() })?;
        match version {
            Version::V3 => node.begin_streams(),
            Version::V4 => node.add_quorum_vhost(),
        }
        Ok(Arc::new(node))
    };
    slot(version).get_or_insert_with(start).clone()
}

/// What `rabbitmqctl` prints about the shared node of this version.
#[track_caller]
pub(crate) fn rabbitmqctl(version: Version, arguments: &[&str]) -> String {
    shared(version).expect("a RabbitMQ to ask").rabbitmqctl(arguments)
}

/// A node for one test, which is stopped when it is dropped. Starting one takes seconds, so share one where that is
/// possible.
pub(crate) fn private(version: Version, setup: Setup<'_>) -> Result<Node, Skip> {
    started(version, launcher::Node::start(version, &setup)).map(Node)
}

/// A node for one test, and the URL of its management plugin.
pub(crate) fn managed(kind: Kind) -> Result<(Node, String), Skip> {
    let port = free_port();
    let setup = Setup { config: &management(port), plugins: "rabbitmq_management", ..Setup::default() };
    let node = private(kind.version().expect("a RabbitMQ"), setup)?;
    Ok((node, format!("http://127.0.0.1:{port}")))
}

/// A cluster of nodes for one test.
pub(crate) fn cluster<const NODES: usize>(version: Version) -> Result<[Node; NODES], Skip> {
    cluster_at(version, [(); NODES].map(|()| free_address()), Setup::default())
}

/// The same at these addresses.
pub(crate) fn cluster_at<const NODES: usize>(
    version: Version,
    addresses: [Ipv4Addr; NODES],
    setup: Setup<'_>,
) -> Result<[Node; NODES], Skip> {
    let nodes = started(version, launcher::cluster(version, &addresses, &setup))?;
    let nodes: Vec<_> = nodes.into_iter().map(Node).collect();
    Ok(nodes.try_into().ok().expect("as many as were asked for"))
}

/// Ends the shared nodes.
pub(super) fn stop() {
    for version in [Version::V3, Version::V4] {
        let node = slot(version).take();
        drop(node);
    }
}

/// What was started, or why it is not available; fails if it does not start.
fn started<T>(version: Version, started: Result<T, launcher::Error>) -> Result<T, Skip> {
    match started {
        Err(launcher::Error::Unavailable(reason)) => {
            let need = match version {
                Version::V3 => Need::RabbitMq,
                Version::V4 => Need::RabbitMq4,
            };
            Err(Skip::new(need, reason))
        }
        started => Ok(done(started)),
    }
}

/// The result; fails on an error.
#[track_caller]
fn done<T>(result: Result<T, launcher::Error>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// A node, running or killed, and what is stored on it.
pub(crate) struct Node(launcher::Node);

impl Node {
    /// Has version 3 read a stream: while it begins to have streams, it ends the connections of those who consume one with an
    /// internal error.
    fn begin_streams(&self) {
        const FIRST: &str = "first";
        let outside = Outside::connect(&self.url());
        outside.declare(FIRST, DURABLE, &[("x-queue-type", text("stream"))]);
        assert!(outside.sends_nothing_of(FIRST, Duration::ZERO), "{FIRST} has a message");
        outside.delete(FIRST);
    }

    pub(crate) fn url(&self) -> String {
        self.0.url()
    }

    /// What the nodes of its cluster call it.
    pub(crate) fn name(&self) -> &str {
        self.0.name()
    }

    /// The address where it listens.
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.0.address()
    }

    /// The port where it speaks the stream protocol, if it does.
    pub(crate) fn stream_port(&self) -> Option<u16> {
        self.0.stream_port()
    }

    /// The port where it listens with TLS, if its setup has TLS.
    pub(crate) fn tls_port(&self) -> Option<u16> {
        self.0.tls_port()
    }

    /// The port where it speaks the stream protocol with TLS, if it does.
    pub(crate) fn stream_tls_port(&self) -> Option<u16> {
        self.0.stream_tls_port()
    }

    /// Kills it without a shutdown; what it has stored stays.
    #[track_caller]
    pub(crate) fn kill(&mut self) {
        done(self.0.kill());
    }

    /// Starts it after [`Self::kill`], on the same port and with what it has stored, and waits until it
    /// answers.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        done(self.0.restart());
    }

    /// What `rabbitmqctl` prints about it.
    #[track_caller]
    pub(crate) fn rabbitmqctl(&self, arguments: &[&str]) -> String {
        done(self.0.rabbitmqctl(arguments))
    }

    /// Enables a plugin while it runs.
    #[track_caller]
    pub(crate) fn enable(&self, plugin: &str) {
        done(self.0.enable(plugin));
    }

    /// Gives queues of the default virtual host a policy.
    #[track_caller]
    pub(crate) fn set_policy(&self, name: &str, pattern: &str, definition: &str) {
        self.set_policy_in("/", name, pattern, definition);
    }

    /// Gives queues of a virtual host a policy.
    #[track_caller]
    pub(super) fn set_policy_in(&self, vhost: &str, name: &str, pattern: &str, definition: &str) {
        done(self.0.set_policy(vhost, name, pattern, definition));
    }

    /// Makes it write its topology to the disk, which would otherwise be lost when it is killed.
    #[track_caller]
    pub(crate) fn store_topology(&self) {
        done(self.0.store_topology());
    }

    /// Adds the virtual host whose queues are quorum queues unless they are declared otherwise.
    #[track_caller]
    pub(super) fn add_quorum_vhost(&self) {
        self.rabbitmqctl(&["add_vhost", QUORUM_VHOST, "--default-queue-type", "quorum"]);
        self.rabbitmqctl(&["set_permissions", "--vhost", QUORUM_VHOST, "guest", ".*", ".*", ".*"]);
    }
}
