//! Streams that are read over TLS: with the authorities and the client certificate of the URL.

use std::fs;

use lapin::BasicProperties;
use libtest_mimic::Trial;

use super::tls::Certificates;
use crate::support::broker::Broker;
use crate::support::cli::Signal;
use crate::support::metrics::counts;
use crate::support::outside::Outside;
use crate::support::rabbitmq::{self, ServerTls, Setup, Version};
use crate::support::{Skip, needing, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    vec![needing("stream::tls::is_that_of_the_url", is_that_of_the_url)]
}

/// The user is whom the client certificate names, and has no password.
fn is_that_of_the_url() -> Result<(), Skip> {
    let files = Certificates::new();
    let ours = files.authority("ours");
    files.sign(&ours, "server", &["localhost"], 2050);
    files.sign(&ours, "client", &[], 2050);
    let text = |file: &str| fs::read_to_string(files.path(file)).expect("a file of ours");
    let [authority, certificate, key] = ["ours.pem", "server.pem", "server.key"].map(text);
    let tls = ServerTls { authority: &authority, certificate: &certificate, key: &key };
    let config = "auth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = EXTERNAL\nssl_cert_login_from = common_name";
    let setup = Setup { config, plugins: "rabbitmq_auth_mechanism_ssl", tls: Some(tls) };
    let node = rabbitmq::private(Version::V4, setup)?;
    node.rabbitmqctl(&["add_user", "client", ""]);
    node.rabbitmqctl(&["set_permissions", "client", ".*", ".*", ".*"]);

    let file = |name: &str| files.path(name).display().to_string();
    let broker = Broker::at(format!(
        "amqps://localhost:{}/%2f?auth_mechanism=external&cacertfile={}&certfile={}&keyfile={}",
        node.tls_port().expect("a port for TLS"),
        file("ours.pem"),
        file("client.pem"),
        file("client.key")
    ));
    let (port, plain) =
        (node.stream_tls_port().expect("a port for TLS"), node.stream_port().expect("a port"));
    let run = |port: u16| {
        let address = format!("localhost:{port}");
        let run =
            ["run", "--queue-type", "stream", "--every", "20ms", "--format", "json", "--stream-address"];
        broker.loghost(run).arg(address).arg(tracked("plugins/error.wasm"))
    };
    let host = run(port).start();
    host.says("consuming from amqps://");
    let (outside, exchange) = (Outside::connect(&node.url()), broker.exchange("error"));
    outside.publish_all((0..50).map(|_| (&*exchange, "web", "x".to_owned(), BasicProperties::default())));
    counts(&host, "error", [50, 0]);
    let connections = node.rabbitmqctl(&["list_stream_connections", "ssl", "user"]);
    let is_ours = |line: &str| line.contains("true") && line.contains("client");
    assert!(connections.lines().any(is_ours), "{connections}");
    host.end_by(Signal::Terminate).exits(0);
    let output = run(plain).args(["--retry-for", "1s"]).end();
    output.says("does not speak TLS").says("5551").does_not_say("through AMQP 0-9-1");
    Ok(())
}
