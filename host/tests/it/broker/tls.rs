//! TLS: certificates are verified on both sides; if one is not valid there is no connection, and the message says why.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::thread;

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Loghost, Output, Signal, loghost};
use crate::support::outside::Outside;
use crate::support::rabbitmq::{self, Node, Setup, Version};
use crate::support::tls::{Certificates, TlsFront};
use crate::support::{Skip, ipv6_listener, needing, test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        needing("rabbitmq::tls::only_who_is_trusted_connects", only_who_is_trusted_connects),
        test("tls::says_which_file_cannot_be_used", says_which_file_cannot_be_used),
        test("tls::says_which_parameter_cannot_be", says_which_parameter_cannot_be),
        needing("tls::compares_an_ipv6_address", compares_an_ipv6_address),
        needing("tls::says_that_a_port_does_not_speak_it", says_that_a_port_does_not_speak_it),
        test("tls::says_that_a_port_speaks_nothing_else", says_that_a_port_speaks_nothing_else),
    ]
}

/// A URL with these parameters.
fn url(host: &str, port: u16, parameters: &[(&str, &Path)]) -> String {
    let parameters: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{name}={}", value.display())).collect();
    format!("amqps://{USER}@{host}:{port}/%2f?{}", parameters.join("&"))
}

const USER: &str = "tester:s3cret";

/// A short-lived command.
fn publish(url: &str) -> Loghost {
    loghost(["publish", "error", "disk full", "--broker", url])
}

/// Fails unless it ended with `status`, without the password, and said all of `words`.
#[track_caller]
fn fails(command: Loghost, status: i32, words: &[&str]) {
    let output = command.end().exits(status);
    is_discreet(&output);
    words.iter().fold(output, |output, word| output.says(word)).does_not_say("panicked");
}

#[track_caller]
fn is_discreet(output: &Output) {
    assert!(!output.stderr.contains("s3cret") && !output.stdout.contains("s3cret"), "the password: {output}");
}

fn only_who_is_trusted_connects() -> Result<(), Skip> {
    let files = Certificates::new();
    let (ours, theirs) = (files.authority("ours"), files.authority("theirs"));
    files.sign(&ours, "server", &["localhost"], 2020);
    files.sign(&ours, "client", &[], 2050);
    files.sign(&theirs, "stranger", &[], 2050);
    let port = rabbitmq::free_port();
    let config = format!(
        "listeners.ssl.1 = 127.0.0.1:{port}\n\
         ssl_options.cacertfile = {}\nssl_options.certfile = {}\nssl_options.keyfile = {}\n\
         ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true",
        files.path("ours.pem").display(),
        files.path("server.pem").display(),
        files.path("server.key").display(),
    );
    let mut node = rabbitmq::private(Version::V3, Setup { config: &config, ..Setup::default() })?;
    node.rabbitmqctl(&["add_user", "tester", "s3cret"]);
    node.rabbitmqctl(&["set_permissions", "tester", ".*", ".*", ".*"]);
    let [ca, other_ca] =
        [("cacertfile", &*files.path("ours.pem")), ("cacertfile", &*files.path("theirs.pem"))];
    let certificate = [("certfile", &*files.path("client.pem")), ("keyfile", &*files.path("client.key"))];
    let stranger = [("certfile", &*files.path("stranger.pem")), ("keyfile", &*files.path("stranger.key"))];
    let address = format!("amqps://tester@localhost:{port}");
    let with = |ca, [certificate, key]: [_; 2]| url("localhost", port, &[ca, certificate, key]);

    let expired = with(ca, certificate);
    fails(publish(&expired), 69, &[&address, "expired at 2020-01-01", "renew"]);
    files.sign(&ours, "server", &["localhost"], 2050);
    node.kill();
    node.restart();

    let unknown = with(other_ca, certificate);
    fails(publish(&unknown), 69, &[&address, "not signed by an authority in", "theirs.pem"]);
    let system = url("localhost", port, &certificate);
    let system = publish(&system).env("SSL_CERT_FILE", files.path("theirs.pem"));
    fails(system, 69, &[&address, "not signed by an authority that this machine trusts", "cacertfile=FILE"]);
    let [certfile, keyfile] = certificate;
    let elsewhere = url("127.0.0.1", port, &[ca, certfile, keyfile]);
    fails(publish(&elsewhere), 69, &["for localhost, not for 127.0.0.1", "server_name_indication=NAME"]);
    let nobody = url("localhost", port, &[ca]);
    fails(publish(&nobody), 69, &[&address, "wants a client certificate", "certfile=FILE and keyfile=FILE"]);
    fails(
        publish(&with(ca, stranger)),
        69,
        &[&address, "does not take the client certificate", "stranger.pem"],
    );

    let broker = Broker::at(with(ca, certificate));
    let plugin = tracked("plugins/error.wasm");
    let run = broker.loghost(["run", "--every", "50ms"]).arg(plugin).start();
    run.says("consuming from");
    let expected = format!("{elsewhere}&server_name_indication=localhost");
    for url in [broker.url(), &expected] {
        let output = publish(url).args(["--prefix", broker.prefix()]).end().exits(0).prints("total 1");
        is_discreet(&output);
    }
    run.prints("total     2");
    is_connected_as("client", &node);
    is_discreet(&run.end_by(Signal::Terminate).exits(0));

    let renew = || {
        files.sign(&ours, "renewed", &[], 2050);
        for kind in ["pem", "key"] {
            let (from, to) = (format!("renewed.{kind}"), format!("client.{kind}"));
            fs::rename(files.path(&from), files.path(&to)).expect("a file in a folder of ours");
        }
    };
    a_renewed_certificate_counts(&mut node, &broker, renew);
    Ok(())
}

/// From the next connection on.
fn a_renewed_certificate_counts(node: &mut Node, broker: &Broker, renew: impl FnOnce()) {
    let mut publish = broker.loghost(["publish", "--stdin", "--severity", "error"]).start();
    publish.write_line("disk full");
    Outside::connect(&node.url()).wait_for_depth(&broker.queue("error"), 1);
    node.kill();
    renew();
    node.restart();
    publish.write_line("disk full");
    publish.says("connected to amqps://");
    is_connected_as("renewed", node);
    is_discreet(&publish.end().exits(0).prints("total 2"));
}

#[track_caller]
fn is_connected_as(name: &str, node: &Node) {
    let connections = node.rabbitmqctl(&["list_connections", "ssl", "peer_cert_subject"]);
    let wanted = format!("true\tCN={name}");
    assert!(connections.lines().any(|line| line == wanted), "{connections}");
}

fn says_which_file_cannot_be_used() {
    let files = Certificates::new();
    let ours = files.authority("ours");
    files.sign(&ours, "client", &[], 2050);
    files.sign(&ours, "other", &[], 2050);
    fs::write(files.path("text"), "no certificate\n").expect("a file in a folder of ours");
    let rot = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fs::write(files.path("rot"), rot).expect("a file in a folder of ours");
    for (ca, certificate, key, culprit) in [
        ("missing", "client.pem", "client.key", "cacertfile missing"),
        ("text", "client.pem", "client.key", "cacertfile text"),
        ("rot", "client.pem", "client.key", "cacertfile rot"),
        ("ours.pem", "missing", "client.key", "certfile missing"),
        ("ours.pem", "client.key", "client.key", "certfile client.key"),
        ("ours.pem", "rot", "client.key", "certfile rot"),
        ("ours.pem", "client.pem", "missing", "keyfile missing"),
        ("ours.pem", "client.pem", "client.pem", "keyfile client.pem"),
        ("ours.pem", "client.pem", "other.key", "certfile client.pem: it does not go with keyfile other.key"),
    ] {
        let parameters = [("cacertfile", ca), ("certfile", certificate), ("keyfile", key)];
        let parameters = parameters.map(|(name, file)| (name, Path::new(file)));
        // Nobody is there: the files are looked at first.
        let publish = publish(&url("localhost", 1, &parameters)).folder(files.folder());
        fails(publish, 78, &["amqps://tester@localhost:1", culprit]);
    }
    // One that can be used does not make up for one that cannot.
    let folder = files.path("authorities");
    fs::create_dir(&folder).expect("a folder of ours");
    fs::copy(files.path("ours.pem"), folder.join("ours.pem")).expect("a file in a folder of ours");
    let missing = files.path("missing");
    let publish = publish(&url("localhost", 1, &[]));
    let publish = publish.env("SSL_CERT_FILE", &missing).env("SSL_CERT_DIR", folder);
    fails(publish, 78, &["SSL_CERT_FILE", &missing.display().to_string()]);
}

fn says_which_parameter_cannot_be() {
    for (url, words) in [
        ("amqp://tester:s3cret@localhost/?cacertfile=/x", ["cacertfile", "amqps://"]),
        ("amqps://tester:s3cret@localhost/?certfile=/x", ["certfile", "keyfile=FILE"]),
        ("amqps://tester:s3cret@localhost/?keyfile=/x", ["keyfile", "certfile=FILE"]),
    ] {
        fails(publish(url), 2, &words);
        fails(loghost(["publish", "error", "disk full"]).env("AMQP_URL", url), 78, &words);
    }
}

/// A name in the certificate that is an address.
fn compares_an_ipv6_address() -> Result<(), Skip> {
    let files = Certificates::new();
    let ours = files.authority("ours");
    let broker = Broker::new(Kind::Embedded)?;
    let ca = files.path("ours.pem");
    let through = |host: &str| {
        files.sign(&ours, "server", &[host], 2050);
        let behind = broker.url().split(['@', '/']).nth(3).expect("a host in the URL").to_owned();
        let front = TlsFront::start(&files, ipv6_listener()?, behind);
        let url = url("[::1]", front.port, &[("cacertfile", &ca)]).replace(USER, "guest:guest");
        Ok::<_, Skip>((front, publish(&url).args(["--prefix", broker.prefix()])))
    };
    let (_front, right) = through("::1")?;
    right.end().exits(0).prints("total 1");
    let (front, wrong) = through("::2")?;
    let address = format!("amqps://guest@[::1]:{}/", front.port);
    fails(wrong, 69, &[&address, "for ::2, not for ::1", "server_name_indication=NAME"]);
    Ok(())
}

/// A broker's that is there for connections without TLS.
fn says_that_a_port_does_not_speak_it() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let url = broker.url().replace("amqp://guest:guest", "amqps://tester:s3cret");
    assert_ne!(url, broker.url());
    let files = Certificates::new();
    files.authority("ours");
    let publish = publish(&url).env("SSL_CERT_FILE", files.path("ours.pem"));
    fails(publish, 69, &["amqps://tester@127.0.0.1", "does not speak TLS", "5671"]);
    Ok(())
}

/// One that answers a broken handshake with TLS's alert, as it should.
fn says_that_a_port_speaks_nothing_else() {
    let secure = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = secure.local_addr().expect("it is bound").port();
    let answering = thread::spawn(move || {
        let (mut stream, _) = secure.accept().expect("a connection");
        stream.read_exact(&mut [0; 8]).expect("the header of AMQP");
        stream.write_all(b"\x15\x03\x03\x00\x02\x02\x0a").expect("it is read");
        // Until the other side hangs up.
        stream.read_to_end(&mut Vec::new())
    });
    let plain = format!("amqp://{USER}@127.0.0.1:{port}/");
    fails(publish(&plain), 69, &["amqp://tester@127.0.0.1", "is this a port for TLS?", "amqps://"]);
    // However it hung up.
    let _ = answering.join().expect("nobody panics");
}
