//! The brokers that tests run on: the embedded one, as a process, and a private RabbitMQ.
//!
//! All tests share them. Each has a prefix of its own, so that they do not meet.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use libtest_mimic::Trial;

use super::cli::{Loghost, Running, Signal, loghost};
use super::outside::Outside;
use super::{Skip, needing, rabbitmq};

/// Which broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Embedded,
    RabbitMq,
}

/// A broker, and one test's names on it.
#[derive(Clone, Debug)]
pub(crate) struct Broker {
    kind: Kind,
    url: String,
    prefix: String,
}

/// The same test on both brokers: `embedded::name` and `rabbitmq::name`.
pub(crate) fn on_both(name: &str, body: fn(&Broker)) -> [Trial; 2] {
    [
        needing(format!("embedded::{name}"), move || {
            body(&Broker::new(Kind::Embedded)?);
            Ok(())
        }),
        needing(format!("rabbitmq::{name}"), move || {
            body(&Broker::new(Kind::RabbitMq)?);
            Ok(())
        }),
    ]
}

impl Broker {
    /// The shared broker of this kind, started if it is not running, under a prefix that is new.
    pub(crate) fn new(kind: Kind) -> Result<Self, Skip> {
        let url = match kind {
            Kind::Embedded => embedded(),
            Kind::RabbitMq => rabbitmq::url()?,
        };
        Ok(Self { kind, url, prefix: unique("it") })
    }

    /// The RabbitMQ at this URL, under a prefix that is new.
    pub(crate) fn at(url: impl Into<String>) -> Self {
        Self { kind: Kind::RabbitMq, url: url.into(), prefix: unique("it") }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
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

    /// The name of a severity's exchange.
    pub(crate) fn exchange(&self, severity: &str) -> String {
        format!("{}.{severity}", self.prefix)
    }

    /// `loghost` with a command and its arguments, on this broker and under this prefix.
    pub(crate) fn loghost<const N: usize>(&self, arguments: [&str; N]) -> Loghost {
        let (command, arguments) = arguments.split_first().expect("a command");
        loghost([*command, "--broker", self.url(), "--prefix", self.prefix()]).args(arguments)
    }

    /// Another program's look at it.
    pub(crate) fn outside(&self) -> Outside {
        Outside::connect(&self.url)
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

/// A broker on the port that another one had.
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
        // Its end is not what is tested here.
        drop(broker.end_by(Signal::Terminate));
    }
    rabbitmq::stop();
}
