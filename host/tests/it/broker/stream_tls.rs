//! Streams that are read over TLS: with the authorities and the client certificate of the URL, at the node that is advertised.

use std::fs;

use lapin::BasicProperties;
use libtest_mimic::Trial;

use crate::support::broker::Broker;
use crate::support::cli::Signal;
use crate::support::cluster::{leader_of, read_at};
use crate::support::metrics::counts;
use crate::support::outside::Outside;
use crate::support::rabbitmq::{self, ServerTls, Setup, Version, free_address};
use crate::support::tls::Certificates;
use crate::support::{Skip, needing, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    vec![needing("stream::tls::is_that_of_the_url", is_that_of_the_url)]
}

/// The user is whom the client certificate names, and has no password.
fn is_that_of_the_url() -> Result<(), Skip> {
    let files = Certificates::new();
    let ours = files.authority("ours");
    let addresses = [(); 2].map(|()| free_address());
    let [near, far] = addresses.map(|address| address.to_string());
    files.sign(&ours, "server", &[&near, &far], 2050);
    files.sign(&ours, "client", &[], 2050);
    let text = |file: &str| fs::read_to_string(files.path(file)).expect("a file of ours");
    let [authority, certificate, key] = ["ours.pem", "server.pem", "server.key"].map(text);
    let tls = ServerTls { authority: &authority, certificate: &certificate, key: &key };
    let config = "auth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = EXTERNAL\nssl_cert_login_from = common_name";
    let plugins = "rabbitmq_auth_mechanism_ssl";
    let setup = Setup { config, plugins, tls: Some(tls), ..Setup::default() };
    let nodes = rabbitmq::cluster_at(Version::V4, addresses, setup)?;
    let node = &nodes[0];
    node.rabbitmqctl(&["add_user", "client", ""]);
    node.rabbitmqctl(&["set_permissions", "client", ".*", ".*", ".*"]);

    let file = |name: &str| files.path(name).display().to_string();
    let broker = Broker::at(format!(
        "amqps://{near}:{}/%2f?auth_mechanism=external&cacertfile={}&certfile={}&keyfile={}",
        node.tls_port().expect("a port for TLS"),
        file("ours.pem"),
        file("client.pem"),
        file("client.key")
    ));
    let run = |arguments: &[&str]| {
        let run = ["run", "--queue-type", "stream", "--every", "20ms", "--format", "json"];
        broker.loghost(run).args(arguments).arg(tracked("plugins/error.wasm"))
    };
    run(&["--declare-only"]).end().exits(0);
    let (outside, exchange) = (Outside::connect(&node.url()), broker.exchange("error"));
    // Each node has a copy then, and the other one is read: at the address and port that it advertises.
    let leader = leader_of(&nodes.each_ref(), &exchange);
    let with_tls = format!("{near}:{}", node.stream_tls_port().expect("a port for TLS"));
    for (arguments, read) in [(&[][..], 1 - leader), (&["--stream-address", &with_tls], 0)] {
        let host = run(arguments).start();
        host.says("consuming from amqps://");
        outside.publish_all((0..50).map(|_| (&*exchange, "web", "x".to_owned(), BasicProperties::default())));
        counts(&host, "error", [50, 0]);
        assert_eq!(read_at(&nodes.each_ref()), [read].into(), "{arguments:?}");
        let connections = node.rabbitmqctl(&["list_stream_connections", "ssl", "user"]);
        let is_ours = |line: &str| line.contains("true") && line.contains("client");
        assert!(connections.lines().any(is_ours) && !connections.contains("false"), "{connections}");
        host.end_by(Signal::Terminate).exits(0);
    }
    let plain = format!("{near}:{}", node.stream_port().expect("a port"));
    let output = run(&["--stream-address", &plain, "--retry-for", "1s"]).end();
    output.says("does not speak TLS").says("5551").does_not_say("through AMQP 0-9-1");
    Ok(())
}
