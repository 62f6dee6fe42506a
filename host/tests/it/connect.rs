//! Finding a broker, and not finding one.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind, on_both};
use crate::support::cli::{Output, loghost};
use crate::support::{Skip, needing, test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        test("connect::says_where_no_broker_is_and_what_to_do", says_where_no_broker_is_and_what_to_do),
        test("connect::gives_up_on_one_that_is_silent", gives_up_on_one_that_is_silent),
        test("connect::hides_the_password_of_a_wrong_url", hides_the_password_of_a_wrong_url),
        test("connect::refuses_parameters_that_nobody_knows", refuses_parameters_that_nobody_knows),
        needing("connect::takes_the_variables_in_their_order", takes_the_variables_in_their_order),
    ];
    trials.extend(on_both("connect::tries_several_in_turn", tries_several_in_turn));
    trials
        .extend(on_both("connect::says_that_a_virtual_host_is_missing", says_that_a_virtual_host_is_missing));
    trials.extend(on_both("connect::says_that_a_password_is_wrong", says_that_a_password_is_wrong));
    trials
}

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
        output.says("127.0.0.1:1").says("rabbitmq:3").says("loghost broker").does_not_say("panicked");
    }
}

/// A port that takes connections and never says a word.
fn gives_up_on_one_that_is_silent() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = silent.local_addr().expect("it is bound").to_string();
    let url = format!("amqp://user:s3cret@{address}/?connection_timeout=500");
    let publish = loghost(["publish", "error", "text", "--broker", &url]).start();
    let output = publish.end_within(Duration::from_secs(10)).exits(69).says(&address).says("500ms");
    is_discreet(&output);
}

fn hides_the_password_of_a_wrong_url() {
    for url in ["amqp://user:s3cret@host:port/", "http://user:s3cret@host/", "user:s3cret@host"] {
        let argument = loghost(["publish", "error", "text", "--broker", url]).end().exits(2);
        is_discreet(&argument);
        let variable = loghost(["publish", "error", "text"]).env("AMQP_URL", url).end().exits(78);
        is_discreet(&variable);
        variable.says("AMQP_URL").says("amqp://user:password@host:port/vhost");
    }
}

/// What is ignored may be what keeps others out.
fn refuses_parameters_that_nobody_knows() {
    let url = "amqps://user:s3cret@127.0.0.1:1/?cacert=/ca.pem";
    let output = loghost(["publish", "error", "text", "--broker", url]).end().exits(2);
    is_discreet(&output);
    output.says("no parameter is called `cacert`").says("cacertfile");
}

/// It would be missing the next time too.
fn says_that_a_virtual_host_is_missing(broker: &Broker) {
    let url = broker.url().replace("%2f", "nowhere");
    let output = loghost(["publish", "error", "text", "--retry-for", "1h", "--broker", &url]).end().exits(69);
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
    let url = broker.url().replace("guest:guest", "guest:s3cret");
    assert_ne!(url, broker.url());
    let publish = loghost(["publish", "error", "text", "--broker", &url]).start();
    let output = publish.end_within(Duration::from_secs(15)).exits(69);
    is_discreet(&output);
    let (_, address) = url.split_once('@').expect("a user in the URL");
    let output = output.says(address.trim_end_matches("/%2f"));
    // Both say it in the words of the specification; a container would not help here.
    output.says("ACCESS_REFUSED").does_not_say("rabbitmq:3");
}

fn takes_the_variables_in_their_order() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let order = ["LOGHOST_AMQP_URL", "AMQP_URL", "RABBITMQ_URL", "CLOUDAMQP_URL"];
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
