//! The brokers that tests run on: the embedded one, as a process, and private `RabbitMQ` nodes.
//!
//! All tests share them; each test has a prefix of its own.

mod kind;

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use libtest_mimic::Trial;

pub(crate) use self::kind::Kind;
use super::cli::{Loghost, Running, Signal, loghost};
use super::outside::Outside;
use super::rabbitmq::{Node, QUORUM_VHOST, Setup, Version};
use super::{Skip, needing, rabbitmq};

/// A broker, and the prefix of one test.
#[derive(Clone, Debug)]
pub(crate) struct Broker {
    kind: Kind,
    url: String,
    /// The other nodes of its cluster.
    others: Vec<String>,
    prefix: String,
    /// Where it speaks the stream protocol, if its streams are read through that.
    streams: Option<u16>,
}

/// The same test on most kinds of broker.
pub(crate) fn on_each(name: &str, body: fn(&Broker)) -> Vec<Trial> {
    on(Kind::MOST, name, body)
}

/// The same test on every kind of broker.
pub(crate) fn on_all(name: &str, body: fn(&Broker)) -> Vec<Trial> {
    on(Kind::ALL, name, body)
}

/// The same test on these kinds of broker.
pub(crate) fn on(kinds: impl IntoIterator<Item = Kind>, name: &str, body: fn(&Broker)) -> Vec<Trial> {
    let trial = |kind: Kind| {
        needing(format!("{}::{name}", kind.name()), move || {
            body(&Broker::new(kind)?);
            Ok(())
        })
    };
    kinds.into_iter().map(trial).collect()
}

/// The same test on each of [`Kind::RABBITMQ`], with a node that no other test has.
pub(crate) fn on_nodes(name: &str, setup: Setup<'static>, body: fn(&mut Node, &Broker)) -> Vec<Trial> {
    let trial = |kind: Kind| {
        needing(format!("{}::{name}", kind.name()), move || {
            let mut node = rabbitmq::private(kind.version().expect("a RabbitMQ"), setup)?;
            let broker = Broker::on(kind, &node);
            body(&mut node, &broker);
            Ok(())
        })
    };
    Kind::RABBITMQ.into_iter().map(trial).collect()
}

impl Broker {
    /// The shared broker of this kind, started if it is not running, with a new prefix.
    pub(crate) fn new(kind: Kind) -> Result<Self, Skip> {
        let Some(version) = kind.version() else {
            return Ok(Self::with(kind, embedded(), None));
        };
        let node = rabbitmq::shared(version)?;
        Ok(Self::with(kind, kind.vhost_of(node.url()), kind.streams(node.stream_port())))
    }

    /// A node as a broker of this kind, with a new prefix.
    pub(crate) fn on(kind: Kind, node: &Node) -> Self {
        if kind == Kind::QuorumVhost {
            node.add_quorum_vhost();
        }
        Self::with(kind, kind.vhost_of(node.url()), kind.streams(node.stream_port()))
    }

    /// A cluster as a broker of this kind, with a new prefix: loghost is told all of its nodes, and finds out by itself where
    /// they speak the stream protocol.
    pub(crate) fn of_cluster(kind: Kind, nodes: &[Node]) -> Self {
        let mut urls = nodes.iter().map(Node::url);
        let first = Self::with(kind, urls.next().expect("a node"), None);
        Self { others: urls.collect(), ..first }
    }

    /// The RabbitMQ at this URL, with a new prefix.
    pub(crate) fn at(url: impl Into<String>) -> Self {
        Self::with(Kind::RabbitMq, url.into(), None)
    }

    fn with(kind: Kind, url: String, streams: Option<u16>) -> Self {
        Self { kind, url, others: Vec::new(), prefix: unique("it"), streams }
    }

    /// The same for another user.
    pub(crate) fn as_user(&self, name: &str, password: &str) -> Self {
        Self { url: self.url.replace("guest:guest", &format!("{name}:{password}")), ..self.clone() }
    }

    /// Its URL for another virtual host.
    pub(crate) fn url_of_vhost(&self, name: &str) -> String {
        let (server, _) = self.url.rsplit_once('/').expect("a virtual host in the URL");
        format!("{server}/{name}")
    }

    /// Which RabbitMQ it is, if it is one.
    pub(crate) fn version(&self) -> Option<Version> {
        self.kind.version()
    }

    /// Whether it is a RabbitMQ, and not the embedded broker.
    pub(crate) fn is_rabbitmq(&self) -> bool {
        self.kind != Kind::Embedded
    }

    /// Whether its queues are quorum queues.
    pub(crate) fn is_quorum(&self) -> bool {
        matches!(self.kind, Kind::Quorum | Kind::Quorum3) || self.is_stream()
    }

    /// Whether logs are read from streams.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.kind, Kind::Stream | Kind::Stream3)
    }

    /// Whether quorum queues are the default of its virtual host.
    pub(crate) fn is_quorum_vhost(&self) -> bool {
        self.kind == Kind::QuorumVhost
    }

    /// The port where it speaks the stream protocol, if streams are read through that.
    pub(crate) fn stream_port(&self) -> Option<u16> {
        self.streams
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The name of a consumer's queue.
    pub(crate) fn queue(&self, consumer: &str) -> String {
        format!("loghost.{}.{consumer}", self.prefix)
    }

    /// The name of the queue of a consumer's dead letters.
    pub(crate) fn dead_queue(&self, consumer: &str) -> String {
        format!("{}.dead", self.queue(consumer))
    }

    /// The name of a severity's exchange.
    pub(crate) fn exchange(&self, severity: &str) -> String {
        format!("{}.{severity}", self.prefix)
    }

    /// `loghost` with a command and its arguments, on this broker and under this prefix.
    pub(crate) fn loghost<const N: usize>(&self, arguments: [&str; N]) -> Loghost {
        let (command, arguments) = arguments.split_first().expect("a command");
        let connection = [*command, "--broker", self.url(), "--prefix", self.prefix()];
        let queue_type: &[&str] = match (self.kind, *command) {
            (Kind::Quorum | Kind::Quorum3, "run") => &["--queue-type", "quorum"],
            (Kind::Stream | Kind::Stream3, "run" | "publish") => &["--queue-type", "stream"],
            _ => &[],
        };
        let others = self.others.iter().flat_map(|url| ["--broker", url]);
        let loghost = loghost(connection).args(others).args(arguments).unless_ephemeral(queue_type);
        match self.streams {
            Some(port) => loghost.env("LOGHOST_STREAM_ADDRESS", format!("127.0.0.1:{port}")),
            None => loghost,
        }
    }

    /// Another client of it, which declares quorum queues where loghost does.
    pub(crate) fn outside(&self) -> Outside {
        let outside = Outside::connect(&self.url);
        if self.is_quorum() { outside.with_quorum_queues() } else { outside }
    }

    /// The arguments that a queue of the shared RabbitMQ was declared with, as `rabbitmqctl` prints them; none if there is no
    /// such queue.
    #[track_caller]
    pub(crate) fn arguments(&self, queue: &str) -> Option<String> {
        let queues = rabbitmq::rabbitmqctl(
            self.version().expect("a RabbitMQ"),
            &["list_queues", "--silent", "name", "type", "arguments"],
        );
        let line = queues.lines().find_map(|line| line.strip_prefix(queue)?.strip_prefix('\t'));
        line.map(str::to_owned)
    }

    /// Gives queues of the shared RabbitMQ a policy.
    #[track_caller]
    pub(crate) fn set_policy(&self, name: &str, pattern: &str, definition: &str) {
        let vhost = if self.is_quorum_vhost() { QUORUM_VHOST } else { "/" };
        let node = rabbitmq::shared(self.version().expect("a RabbitMQ"));
        node.expect("what was started before").set_policy_in(vhost, name, pattern, definition);
    }
}

/// A name that no other test has.
pub(crate) fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{name}-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

static EMBEDDED: Mutex<Option<(Running, String)>> = Mutex::new(None);

/// Starts `loghost broker`, and gives the URL that it prints.
pub(crate) fn start_embedded() -> (Running, String) {
    let broker = loghost(["broker", "--listen", "127.0.0.1:0"]).start();
    let url = broker.prints("amqp://");
    (broker, url)
}

/// Starts a broker on the port that another one had.
#[track_caller]
pub(crate) fn start_again(url: &str) -> Running {
    let port = url.rsplit_once(':').and_then(|(_, port)| port.split('/').next()).expect("a port");
    let broker = loghost(["broker", "--listen", &format!("127.0.0.1:{port}")]).start();
    broker.prints("amqp://");
    broker
}

fn embedded() -> String {
    let mut shared = EMBEDDED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.get_or_insert_with(start_embedded).1.clone()
}

/// Ends what was started.
pub(crate) fn stop() {
    let shared = EMBEDDED.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((broker, _)) = shared {
        // How it ends is not tested here.
        drop(broker.end_by(Signal::Terminate));
    }
    rabbitmq::stop();
}
