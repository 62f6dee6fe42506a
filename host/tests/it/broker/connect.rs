//! Connecting to a broker: URLs, credentials, and what is said if there is none.

use std::ffi::OsStr;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::ffi::OsStrExt;
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind, on_each};
use crate::support::cli::{Output, Signal, loghost};
use crate::support::{Skip, ipv6_listener, needing, test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        test("connect::says_where_no_broker_is_and_what_to_do", says_where_no_broker_is_and_what_to_do),
        test("connect::gives_up_on_one_that_is_silent", gives_up_on_one_that_is_silent),
        test("connect::says_that_something_else_is_there", says_that_something_else_is_there),
        test("connect::hides_the_password_of_a_wrong_url", hides_the_password_of_a_wrong_url),
        test("connect::refuses_what_it_cannot_do", refuses_what_it_cannot_do),
        test("connect::passes_over_no_variable_that_is_set", passes_over_no_variable_that_is_set),
        needing("connect::leads_where_the_url_says", leads_where_the_url_says),
        needing("connect::leads_to_a_zone", leads_to_a_zone),
        needing("connect::sends_the_password_that_is_written", sends_the_password_that_is_written),
        test("connect::prints_a_url_that_leads_to_the_broker", prints_a_url_that_leads_to_the_broker),
        needing("connect::prints_a_url_of_ipv6_as_well", prints_a_url_of_ipv6_as_well),
        needing("connect::takes_the_variables_in_their_order", takes_the_variables_in_their_order),
    ];
    trials.extend(on_each("connect::tries_several_in_turn", tries_several_in_turn));
    trials
        .extend(on_each("connect::says_that_a_virtual_host_is_missing", says_that_a_virtual_host_is_missing));
    trials.extend(on_each("connect::says_that_a_password_is_wrong", says_that_a_password_is_wrong));
    trials
}

const VARIABLES: [&str; 5] =
    ["LOGHOST_BROKER", "LOGHOST_AMQP_URL", "AMQP_URL", "RABBITMQ_URL", "CLOUDAMQP_URL"];

/// What no broker is at.
const NOBODY: &str = "amqp://user:s3cret@127.0.0.1:1/";

/// Fails if the password is anywhere.
#[track_caller]
fn is_discreet(output: &Output) {
    assert!(!output.stderr.contains("s3cret") && !output.stdout.contains("s3cret"), "the password: {output}");
}

fn says_where_no_broker_is_and_what_to_do() {
    let plugin = tracked("plugins/error.wasm");
    let scenario = tracked("scenarios/1.txt");
    for command in [
        loghost(["run", "--broker", NOBODY]).arg(plugin),
        loghost(["publish", "error", "text", "--broker", NOBODY]),
        loghost(["verify", "--broker", NOBODY]).arg(scenario),
    ] {
        let output = command.start().end_within(Duration::from_secs(15)).exits(69);
        is_discreet(&output);
        assert_eq!(output.stdout, "", "{output}");
        // A broker that is begun now does not know this user.
        let output = output.says("127.0.0.1:1").says("start it, or say where it is");
        output.does_not_say("rabbitmq:4").does_not_say("panicked");
    }
    let new = loghost(["publish", "error", "text", "--broker", "amqp://127.0.0.1:1"]).end().exits(69);
    new.says("-p 1:5672 rabbitmq:4").says("loghost broker --listen 127.0.0.1:1");
}

/// A port that accepts connections and never answers.
fn gives_up_on_one_that_is_silent() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = silent.local_addr().expect("it is bound").to_string();
    let url = format!("amqp://user:s3cret@{address}/?connection_timeout=500");
    let publish = loghost(["publish", "error", "text", "--broker", &url]).start();
    let output = publish.end_within(Duration::from_secs(10)).exits(69).says(&address).says("500ms");
    let output = output.says("no AMQP broker answers at").does_not_say("start it");
    is_discreet(&output);
}

/// Another broker cannot begin at a port that is taken.
fn says_that_something_else_is_there() {
    for (answer, words) in [
        ("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "does not speak AMQP 0-9-1"),
        ("SSH-2.0-OpenSSH_9.2p1\r\n", "does not speak AMQP 0-9-1"),
        ("", "it closed the connection before that was open"),
    ] {
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let url = format!("amqp://{}", other.local_addr().expect("it is bound"));
        let answering = thread::spawn(move || {
            let (mut stream, _) = other.accept().expect("a connection");
            stream.read_exact(&mut [0; 8]).expect("the header of AMQP");
            stream.write_all(answer.as_bytes()).expect("it is read");
        });
        let publish = loghost(["publish", "error", "text"]).env("AMQP_URL", url).end().exits(69);
        let output = publish.says("no AMQP broker answers at").says(words).says("correct AMQP_URL");
        output.does_not_say("docker").does_not_say("Parsing");
        answering.join().expect("nobody panics");
    }
    // Whatever is there.
    let management = loghost(["publish", "error", "text", "--broker", "amqp://127.0.0.1:15672"]).end();
    management.exits(69).says("RabbitMQ's management plugin").says("usually 5672").does_not_say("docker");
}

fn hides_the_password_of_a_wrong_url() {
    for url in ["amqp://user:s3cret@host:port/", "http://user:s3cret@host/", "user:s3cret@host"] {
        let argument = loghost(["publish", "error", "text", "--broker", url]).end().exits(2);
        is_discreet(&argument);
        let variable = loghost(["publish", "error", "text"]).env("AMQP_URL", url).end().exits(78);
        is_discreet(&variable);
        variable.says("AMQP_URL").says("amqp://user:password@host:port/vhost");
    }
    // Where no URL is expected.
    for arguments in [["publish", "error", "text"], ["demo", "--fast", "1"], ["publish", "--broker", "a"]] {
        for url in ["amqp://user:s3cret@host", "user@://:s3cret@"] {
            is_discreet(&loghost(arguments).arg(url).end().exits(2));
        }
        loghost(arguments).arg("@://").end().exits(2).does_not_say("panicked");
    }
}

/// An ignored part might be what protects the connection, and a corrected one might lead to another broker.
fn refuses_what_it_cannot_do() {
    let long = format!("amqp://user:s3cret@127.0.0.1:1/{}", "a".repeat(256));
    for (url, words) in [
        (
            "amqps://user:s3cret@127.0.0.1:1/?cacert=/ca.pem",
            ["no parameter is called `cacert`", "cacertfile"],
        ),
        ("amqps://user:s3cret@127.0.0.1:1/?cacertfile=", ["cacertfile", "no value"]),
        ("amqp://user:s3cret@127.0.0.1:1/?heartbeat=5s", ["heartbeat=5s", "seconds from 0 to 65535"]),
        ("amqp://user:s3cret@127.0.0.1:1/?frame_max=1", ["frame_max=1", "4096"]),
        ("amqp://user:s3cret@127.0.0.1:1/?heartbeat=1&heartbeat=2", ["heartbeat", "given twice"]),
        ("amqp://user:s3cret@127.0.0.1:1,127.0.0.1:2/", ["whole URLs", "amqp://one:5672/vhost,"]),
        ("amqp://user:s3cret@::1:5672/", ["in brackets", "[::1]:5672"]),
        ("amqp://user:s3cret@127.0.0.1:1/a/b", ["virtual host", "%2F"]),
        ("amqp://user:s3cret%ff@127.0.0.1:1/", ["percent-encoded", "UTF-8"]),
        ("amqp://user@127.0.0.1:1/", ["without a password", "user:@host"]),
        (&long, ["virtual host", "255 bytes"]),
    ] {
        let argument = loghost(["publish", "error", "text", "--broker", url]).end().exits(2);
        let variable = loghost(["publish", "error", "text"]).env("RABBITMQ_URL", url).end().exits(78);
        for output in [argument.says("--broker: "), variable.says("RABBITMQ_URL: ")] {
            is_discreet(&output);
            words.iter().fold(output, |output, word| output.says(word)).does_not_say("panicked");
        }
    }
}

/// Not for the next one either, which may lead to another broker.
fn passes_over_no_variable_that_is_set() {
    let next = Decoy::new();
    let broken = OsStr::from_bytes(b"amqp://user:s3cret\xff@127.0.0.1:1/");
    for pair in VARIABLES.windows(2) {
        for value in [broken, OsStr::new(" ")] {
            let publish = loghost(["publish", "error", "text"]).env(pair[0], value);
            let output = publish.env(pair[1], next.url()).end().exits(78).says(&format!("{}: ", pair[0]));
            is_discreet(&output);
        }
    }
    let argument = loghost(["publish", "error", "text", "--broker"]).arg(broken).end().exits(2);
    is_discreet(&argument);
    for command in ["publish", "plugin", "demo"] {
        let output = loghost([command]).args([broken, broken]).end().exits(2).does_not_say("panicked");
        is_discreet(&output);
    }
    next.saw_nobody();
}

/// A port of 127.0.0.1 that nobody may connect to.
struct Decoy(TcpListener);

impl Decoy {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener");
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().expect("it is bound").port()
    }

    fn url(&self) -> String {
        format!("amqp://user:s3cret@127.0.0.1:{}/?connection_timeout=1000", self.port())
    }

    /// Fails if there was a connection, whatever was sent over it.
    #[track_caller]
    fn saw_nobody(self) {
        let nobody = self.0.accept().map(|(_, from)| from).expect_err("nobody connected");
        assert_eq!(nobody.kind(), ErrorKind::WouldBlock);
    }
}

/// To an IPv6 address, and not to a broker at the same port of this machine's other address.
fn leads_where_the_url_says() -> Result<(), Skip> {
    drop(ipv6_listener()?);
    let decoy = Decoy::new();
    let address = format!("[::1]:{}", decoy.port());
    let url = format!("amqp://user:s3cret@{address}/%2f?connection_timeout=1000");
    let nowhere = loghost(["publish", "error", "text", "--broker", &url]).end().exits(69);
    is_discreet(&nowhere);
    nowhere.says(&format!("no broker at amqp://user@{address}/%2f"));

    let process = loghost(["broker", "--listen", &address]).start();
    assert_eq!(process.prints("amqp://"), format!("amqp://guest:guest@{address}/%2f"));
    let broker = Broker::at(format!("amqp://guest:guest@{address}/%2f"));
    let run = broker.loghost(["run", "--every", "50ms"]).arg(tracked("plugins/error.wasm")).start();
    let said = run.says("consuming from");
    assert!(said.contains(&format!("consuming from amqp://guest@{address}/%2f")), "{said}");
    broker.loghost(["publish", "error", "text"]).end().exits(0).prints("total 1");
    run.prints("total     1");
    run.end_by(Signal::Terminate).exits(0);
    decoy.saw_nobody();
    Ok(())
}

/// The interface that an address is reached by: that of the loopback address has the number 1.
fn leads_to_a_zone() -> Result<(), Skip> {
    let port = ipv6_listener()?.local_addr().expect("it is bound").port();
    let broker = loghost(["broker", "--listen", &format!("[::1]:{port}")]).start();
    broker.prints("amqp://");
    for (zone, status) in [("1", 0), ("nowhere", 69)] {
        let address = format!("[::1%25{zone}]:{port}");
        let url = format!("amqp://guest:guest@{address}/");
        let output = loghost(["publish", "error", "text", "--broker", &url]).end().exits(status);
        if status != 0 {
            output.says(&format!("no broker at amqp://guest@{address}/%2f"));
        }
    }
    Ok(())
}

/// The default password goes with the default user, where both are missing.
fn sends_the_password_that_is_written() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let publish = |user: &str| {
        let url = broker.url().replace("guest:guest@", user);
        loghost(["publish", "error", "text", "--prefix", broker.prefix(), "--broker", &url]).end()
    };
    publish("").exits(0).prints("total 1");
    publish("guest:g%75est@").exits(0).prints("total 1");
    for other in ["guest:@", ":guest@", ":@", "guest:%67%75%65%73@"] {
        publish(other).exits(78).says("ACCESS_REFUSED");
    }
    publish("guest@").exits(2).says("user:@host");
    Ok(())
}

#[track_caller]
fn leads_to_the_broker(listen: &str, host: &str) {
    let broker = loghost(["broker", "--listen", listen]).start();
    let url = broker.prints("amqp://");
    broker.says("an in-memory broker");
    let is_for_all = broker.stderr_so_far().contains("over the network can connect");
    assert_eq!(is_for_all, listen.starts_with("0.0.0.0") || listen.starts_with("[::]"), "{broker}");
    assert!(url.starts_with(&format!("amqp://guest:guest@{host}:")), "{url}");
    loghost(["publish", "error", "text", "--broker", &url]).end().exits(0).prints("total 1");
}

fn prints_a_url_that_leads_to_the_broker() {
    leads_to_the_broker("127.0.0.1:0", "127.0.0.1");
    leads_to_the_broker("0.0.0.0:0", "127.0.0.1");
}

fn prints_a_url_of_ipv6_as_well() -> Result<(), Skip> {
    drop(ipv6_listener()?);
    leads_to_the_broker("[::1]:0", "[::1]");
    leads_to_the_broker("[::]:0", "[::1]");
    Ok(())
}

/// It would be missing the next time too.
fn says_that_a_virtual_host_is_missing(broker: &Broker) {
    let url = broker.url_of_vhost("nowhere");
    let output = loghost(["publish", "error", "text", "--retry-for", "1h", "--broker", &url]).end().exits(78);
    output.says("nowhere").says("virtual host").does_not_say("trying again");
}

fn tries_several_in_turn(broker: &Broker) {
    let urls = format!("{NOBODY},{}", broker.url());
    let prefix = ["--prefix", broker.prefix()];
    loghost(["publish", "error", "a", "--broker", &urls]).args(prefix).end().exits(0).prints("total 1");
    loghost(["publish", "error", "a", "--broker", NOBODY, "--broker", broker.url()])
        .args(prefix)
        .end()
        .exits(0)
        .prints("total 1");

    let other = "amqp://user:s3cret@127.0.0.1:2/";
    let neither = loghost(["publish", "error", "a", "--broker", NOBODY, "--broker", other]).end().exits(69);
    is_discreet(&neither);
    neither.says("127.0.0.1:1").says("127.0.0.1:2");
}

fn says_that_a_password_is_wrong(broker: &Broker) {
    let publish = broker.as_user("guest", "s3cret").loghost(["publish", "error", "text"]).start();
    let output = publish.end_within(Duration::from_secs(15)).exits(78);
    is_discreet(&output);
    let (_, address) = broker.url().split_once('@').expect("a user in the URL");
    let (address, _) = address.split_once('/').expect("a virtual host in the URL");
    let output = output.says(address);
    // Both say it in the words of the specification; a container would not help here.
    output.says("ACCESS_REFUSED").does_not_say("rabbitmq:4");
}

fn takes_the_variables_in_their_order() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let order = VARIABLES;
    for (n, name) in order.into_iter().enumerate() {
        let mut publish =
            loghost(["publish", "error", "text", "--prefix", broker.prefix()]).env(name, broker.url());
        for later in &order[n + 1..] {
            publish = publish.env(later, NOBODY);
        }
        if let Some(before) = n.checked_sub(1) {
            // An empty variable is none.
            publish = publish.env(order[before], "");
        }
        publish.end().exits(0).prints("total 1");
    }
    let argument = broker.loghost(["publish", "error", "text"]).env(order[0], NOBODY);
    argument.end().exits(0).prints("total 1");
    Ok(())
}
