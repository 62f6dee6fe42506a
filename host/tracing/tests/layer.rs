//! A program of its own logs through the layer; what it says is read from the broker with a client of AMQP.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use lapin::message::BasicGetMessage;
use lapin::options::{BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};
use loghost_broker::{Broker, Options};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tracing_subscriber::prelude::*;

const SEVERITIES: [&str; 4] = ["debug", "info", "error", "critical"];

/// The example `service`, which cargo builds beside the tests.
fn service() -> Command {
    let tests = std::env::current_exe().expect("a path");
    let profile: PathBuf = tests.ancestors().nth(2).expect("a folder of the profile").to_owned();
    Command::new(profile.join("examples/service"))
}

/// A queue for each severity, called like it.
async fn queues(url: &str) -> Channel {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("a connection");
    let channel = connection.create_channel().await.expect("a channel");
    for severity in SEVERITIES {
        let exchange = format!("logs.{severity}");
        let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let declared = channel.exchange_declare(
            (&*exchange).into(),
            ExchangeKind::Topic,
            durable,
            FieldTable::default(),
        );
        declared.await.expect("an exchange");
        let queue =
            channel.queue_declare(severity.into(), QueueDeclareOptions::default(), FieldTable::default());
        queue.await.expect("a queue");
        let bind = QueueBindOptions::default();
        let bound =
            channel.queue_bind(severity.into(), (&*exchange).into(), "#".into(), bind, FieldTable::default());
        bound.await.expect("a binding");
    }
    channel
}

async fn next(channel: &Channel, queue: &str) -> Option<BasicGetMessage> {
    channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await.expect("an answer")
}

fn text(message: &BasicGetMessage) -> String {
    String::from_utf8(message.data.clone()).expect("UTF-8")
}

fn header(message: &BasicGetMessage, name: &str) -> Option<String> {
    match message.properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(value) => Some(value.to_string()),
        other => panic!("{other:?}"),
    }
}

fn broker(runtime: &Runtime) -> Broker {
    let bound = Broker::bind(([127, 0, 0, 1], 0).into(), Options::default());
    runtime.block_on(bound).expect("a port")
}

/// The URL of a proxy of the broker at `url` that ends each connection until `true` is sent, so that queues are bound before
/// the first log comes.
async fn gated_proxy(url: &str) -> (String, watch::Sender<bool>) {
    let (before, address) = url.split_once('@').expect("credentials");
    let (address, vhost) = address.split_once('/').expect("a virtual host");
    let (address, listener) = (address.to_owned(), TcpListener::bind("127.0.0.1:0").await.expect("a port"));
    let proxy = format!("{before}@{}/{vhost}", listener.local_addr().expect("an address"));
    let (open, is_open) = watch::channel(false);
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.expect("a connection");
            if *is_open.borrow() {
                let mut broker = TcpStream::connect(&address).await.expect("a connection to the broker");
                tokio::spawn(async move { copy_bidirectional(&mut client, &mut broker).await });
            }
        }
    });
    (proxy, open)
}

#[test]
fn a_program_publishes_each_severity_with_its_fields() {
    let runtime = Runtime::new().expect("a runtime");
    let broker = broker(&runtime);
    let url = broker.url();
    let channel = runtime.block_on(queues(&url));
    let output = service().args([&*url, "shop", "1000"]).output().expect("it is built");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains(
            "confirmed: 1000, unroutable: 0, refused: 0, dropped: 0, unconfirmed: 0, failure: None"
        ),
        "{said}"
    );
    runtime.block_on(async {
        for (queue, count) in SEVERITIES.into_iter().zip([200, 400, 200, 200]) {
            let first = next(&channel, queue).await.expect("a log");
            let id = first.properties.message_id().as_ref().expect("an id").to_string();
            assert!(id.starts_with("loghost:") && id.ends_with("/1"), "{id}");
            assert_eq!(first.routing_key.as_str(), "shop");
            assert_eq!(header(&first, "span").as_deref(), Some("day:request"));
            assert_eq!(header(&first, "date").as_deref(), Some("2026-11-25"));
            assert_eq!(header(&first, "user").as_deref(), Some("eve"));
            assert_eq!(header(&first, "target").as_deref(), Some("service"));
            let (message, level) = match queue {
                "debug" => ("order looked at", Some("trace")),
                "info" => ("order taken", None),
                "error" => ("order failed", None),
                _ => ("disk full", None),
            };
            assert_eq!((text(&first).as_str(), header(&first, "level").as_deref()), (message, level));
            if queue == "info" {
                assert_eq!(header(&first, "field.CC").as_deref(), Some("nobody"));
                let second = next(&channel, queue).await.expect("a log");
                assert_eq!(
                    (text(&second).as_str(), header(&second, "level").as_deref()),
                    ("order late", Some("warn"))
                );
                assert_eq!(header(&second, "order").as_deref(), Some("2"));
            }
            let mut rest = if queue == "info" { 2 } else { 1 };
            while next(&channel, queue).await.is_some() {
                rest += 1;
            }
            assert_eq!(rest, count, "{queue}");
        }
        broker.shutdown().await;
    });
}

#[test]
fn without_a_broker_nothing_blocks_and_what_does_not_fit_is_counted() {
    let runtime = Runtime::new().expect("a runtime");
    let broker = broker(&runtime);
    let channel = runtime.block_on(queues(&broker.url()));
    let (url, open) = runtime.block_on(gated_proxy(&broker.url()));
    let options = loghost_tracing::Options::new(&url, "shop").expect("options").queue(100, 1 << 20);
    let publisher = options.start().expect("a thread");
    tracing::subscriber::with_default(tracing_subscriber::registry().with(publisher.layer()), || {
        for order in 0..150 {
            tracing::info!(order, "order taken");
        }
        let counts = publisher.counts();
        assert_eq!((counts.dropped, counts.unconfirmed, counts.confirmed), (50, 100, 0), "{counts:?}");
        open.send_replace(true);
        let counts = publisher.close(Duration::from_secs(30));
        // With the log that tells of those.
        assert_eq!((counts.dropped, counts.unconfirmed, counts.confirmed), (50, 0, 101), "{counts:?}");
        runtime.block_on(async {
            let told = next(&channel, "error").await.expect("a log");
            assert_eq!(text(&told), "50 logs were dropped before this: they were more than could wait");
            broker.shutdown().await;
        });
    });
}

#[test]
fn a_broker_that_refuses_is_told_of() {
    let runtime = Runtime::new().expect("a runtime");
    let broker = broker(&runtime);
    let url = broker.url().replacen("guest:guest", "guest:wrong", 1);
    let publisher = loghost_tracing::Options::new(&url, "shop").expect("options").start().expect("a thread");
    tracing::subscriber::with_default(tracing_subscriber::registry().with(publisher.layer()), || {
        tracing::error!("disk full");
    });
    let counts = publisher.close(Duration::from_secs(30));
    assert_eq!((counts.unconfirmed, counts.confirmed), (1, 0), "{counts:?}");
    let failure = counts.failure.expect("a failure");
    assert!(failure.contains("refuse") && !failure.contains("wrong"), "{failure}");
    runtime.block_on(broker.shutdown());
}

#[test]
fn what_cannot_be_a_source_is_said() {
    let output =
        service().args(["amqp://127.0.0.1:1", "", "1"]).stderr(Stdio::piped()).output().expect("it is built");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("a source must not be empty"), "{error}");
}

#[test]
fn a_publisher_that_is_dropped_publishes_what_waits() {
    let runtime = Runtime::new().expect("a runtime");
    let broker = broker(&runtime);
    let channel = runtime.block_on(queues(&broker.url()));
    let publisher =
        loghost_tracing::Options::new(&broker.url(), "shop").expect("options").start().expect("a thread");
    tracing::subscriber::with_default(tracing_subscriber::registry().with(publisher.layer()), || {
        tracing::error!("disk full");
    });
    drop(publisher);
    let log = runtime.block_on(next(&channel, "error")).expect("a log");
    assert_eq!(text(&log), "disk full");
    runtime.block_on(broker.shutdown());
}
