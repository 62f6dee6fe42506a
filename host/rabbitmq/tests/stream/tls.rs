//! TLS: by the same authorities and client certificates as AMQP.

use std::path::Path;

use libtest_mimic::Trial;
use loghost_rabbitmq::{Obstacle, StreamConnection};
use loghost_rabbitmq_node::{Node, ServerTls, Setup, Version};
use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::fixture::start;
use crate::support::{Skip, connect, endpoint, needing, says, soon};

pub(crate) fn trials() -> Vec<Trial> {
    vec![needing("rabbitmq4::tls_is_that_of_amqp", tls_is_that_of_amqp)]
}

/// An authority, and its certificate.
fn authority(name: &str) -> (Issuer<'static, KeyPair>, Certificate) {
    let mut params = params(name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    (Issuer::new(params, key), certificate)
}

/// A certificate for these hosts, or for a client, and its key.
fn sign(issuer: &Issuer<'_, KeyPair>, name: &str, hosts: &[&str]) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let certificate = params(name, hosts).signed_by(&key, issuer).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

fn params(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(hosts).expect("names of hosts");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Why there is no connection to a host of the node, by a URL with these parameters.
async fn fails(host: &str, port: u16, parameters: &str, obstacle: Obstacle, words: &[&str]) {
    let endpoint = endpoint(&format!("amqps://guest:guest@localhost/%2f?{parameters}"), host, port);
    let error = soon(StreamConnection::open(&endpoint, "test")).await.err().expect("no connection");
    says(&error, &[&[&*endpoint.to_string()], words].concat());
    assert_eq!(error.obstacle(), obstacle, "{error}");
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file in a folder of ours");
    path.display().to_string()
}

async fn tls_is_that_of_amqp() -> Result<(), Skip> {
    let folder = tempfile::tempdir().expect("a folder");
    let ((ours, our_certificate), (_, their_certificate)) = (authority("ours"), authority("theirs"));
    let (certificate, key) = sign(&ours, "server", &["localhost"]);
    let (client, client_key) = sign(&ours, "client", &[]);
    let tls = ServerTls { authority: &our_certificate.pem(), certificate: &certificate, key: &key };
    let config = "auth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = EXTERNAL\nssl_cert_login_from = common_name";
    let setup = Setup { config, plugins: "rabbitmq_auth_mechanism_ssl", tls: Some(tls), ..Setup::default() };
    let node: Node = start(Version::V4, &setup)?;
    node.rabbitmqctl(&["add_user", "client", ""]).expect("a new user");
    node.rabbitmqctl(&["set_permissions", "client", ".*", ".*", ".*"]).expect("a user");
    let (port, plain) =
        (node.stream_tls_port().expect("a port for TLS"), node.stream_port().expect("a port"));
    let ca = format!("cacertfile={}", write(folder.path(), "ours.pem", &our_certificate.pem()));
    let other = format!("cacertfile={}", write(folder.path(), "theirs.pem", &their_certificate.pem()));

    let with = |parameters: &str| {
        endpoint(&format!("amqps://guest:guest@localhost/%2f?{parameters}"), "localhost", port)
    };
    let connection = connect(&with(&ca)).await;
    assert_eq!(connection.advertised(), Some(("localhost", port)));
    says(
        &soon(connection.statistics("nowhere")).await.unwrap_err(),
        &["rabbitmq-stream+tls://guest@localhost:"],
    );
    soon(connection.close()).await;
    let named = format!("{ca}&server_name_indication=localhost");
    let by_address = endpoint(&format!("amqps://guest:guest@localhost/%2f?{named}"), "127.0.0.1", port);
    soon(connect(&by_address).await.close()).await;

    fails("localhost", port, &other, Obstacle::Distrust, &["not signed by an authority in cacertfile"]).await;
    fails("127.0.0.1", port, &ca, Obstacle::Distrust, &["is for localhost", "not for 127.0.0.1"]).await;
    fails("localhost", plain, &ca, Obstacle::NotABroker, &["does not speak TLS", "5551"]).await;
    fails("localhost", port, "cacertfile=/nowhere", Obstacle::Setting, &["cacertfile /nowhere"]).await;
    let without = endpoint("amqp://guest:guest@localhost", "127.0.0.1", port);
    let error = soon(StreamConnection::open(&without, "test")).await.err().expect("no connection");
    says(&error, &["TLS"]);
    assert_eq!(error.obstacle(), Obstacle::NotABroker);

    let identity = format!(
        "{ca}&auth_mechanism=external&certfile={}&keyfile={}",
        write(folder.path(), "client.pem", &client),
        write(folder.path(), "client.key", &client_key)
    );
    let external = with(&identity);
    assert_eq!(external.to_string(), format!("rabbitmq-stream+tls://localhost:{port}/%2f"));
    soon(connect(&external).await.close()).await;
    fails("localhost", port, &format!("{ca}&auth_mechanism=external"), Obstacle::Refusal, &["certfile=FILE"])
        .await;
    Ok(())
}
