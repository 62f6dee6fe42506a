//! `loghost sources` with `RabbitMQ`'s management API, which tells of exchanges that nobody has named.

use std::{fs, thread};

use lapin::{BasicProperties, ExchangeKind};
use serde_json::{Value, json};

use super::super::document::Section;
use super::super::node::wait_for;
use super::super::program::Program;
use super::{command, of, suggested};
use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Loghost, Output, Signal, loghost};
use crate::support::metrics::{errors, last_of, tally};
use crate::support::outside::{DURABLE, Outside};
use crate::support::rabbitmq::{Node, Setup, free_port, management, private};
use crate::support::{Skip, tracked};

/// A node with its management plugin, which publishes its own log.
fn managed(kind: Kind) -> Result<(Node, Broker, String), Skip> {
    let port = free_port();
    let config = format!("{}\nlog.exchange = true\nlog.exchange.level = info", management(port));
    let setup = Setup { config: &config, plugins: "rabbitmq_management", ..Setup::default() };
    let node = private(kind.version().expect("a RabbitMQ"), setup)?;
    let broker = Broker::on(kind, &node);
    Ok((node, broker, format!("http://127.0.0.1:{port}")))
}

/// Does something again and again until it has ended.
fn while_it_looks(run: Loghost, mut publish: impl FnMut()) -> Output {
    let run = run.start();
    run.says("looking at ");
    let ending = thread::spawn(move || run.end());
    while !ending.is_finished() {
        publish();
    }
    ending.join().expect("it ends")
}

fn message<'a>(exchange: &'a str, key: &'a str, body: &str) -> (&'a str, &'a str, String, BasicProperties) {
    (exchange, key, body.to_owned(), BasicProperties::default())
}

fn declare(outside: &Outside) {
    for (exchange, kind) in [
        ("app", ExchangeKind::Topic),
        ("orders", ExchangeKind::Fanout),
        ("jobs", ExchangeKind::Direct),
        ("lonely", ExchangeKind::Direct),
        ("secret", ExchangeKind::Topic),
        ("headers", ExchangeKind::Headers),
    ] {
        outside.declare_exchange(exchange, kind);
    }
    outside.declare("others", DURABLE, &[]);
    for key in ["error", "shop", "quiet"] {
        outside.bind_with("others", "jobs", key);
    }
    outside.declare_with_alternate("strict", "orders");
}

pub(super) fn all_that_flows_is_found(kind: Kind) -> Result<(), Skip> {
    let (node, broker, url) = managed(kind)?;
    let outside = broker.outside();
    declare(&outside);
    wait_for(&node, "amq.rabbitmq.log");
    let policy = ["headers", "^headers$", r#"{"alternate-exchange":"orders"}"#, "--apply-to", "exchanges"];
    node.rabbitmqctl(&[&["set_policy"], &policy[..]].concat());
    node.rabbitmqctl(&["add_user", "looker", "s3cret"]);
    node.rabbitmqctl(&["set_user_tags", "looker", "monitoring"]);
    node.rabbitmqctl(&["set_permissions", "looker", r"^amq\.gen", r"^amq\.gen", "^(?!secret$)"]);
    let looker = broker.as_user("looker", "s3cret");
    let look = |arguments: &[&str]| {
        let run = looker.loghost(["sources", "--management-url", &url, "--format", "json"]).args(arguments);
        while_it_looks(run, || {
            outside.publish_all([
                message("app", "web.info", r#"{"level":"info","msg":"one"}"#),
                message("app", "web.fatal", r#"{"level":"fatal","msg":"two"}"#),
                message("orders", "", r#"{"order":7}"#),
                message("jobs", "error", "disk full"),
                message("jobs", "shop", r#"{"level":"debug"}"#),
                message("jobs", "another", "ERROR: nobody is bound to it"),
                message("secret", "a.error", "disk full"),
                message("amq.topic", "logs.error.web-1", "disk full"),
            ]);
            // The broker logs that somebody connects.
            drop(broker.outside());
        })
    };
    let output = look(&["--for", "3s"]).exits(0);
    let seen = output.json();
    let rules = |exchange: &str| of(&seen, exchange)["bind"].clone();
    assert_eq!(rules("jobs"), json!(["jobs/error=error;decode=auto", "jobs/shop"]));
    let levels = ["trace=debug", "debug=debug", "info=info", "warn=info", "error=error", "fatal=critical"];
    assert_eq!(rules("app"), json!(levels.map(|level| format!("app/#.{level};decode=json"))));
    assert_eq!((rules("orders"), &of(&seen, "orders")["severity_from"]), (json!([]), &Value::Null));
    assert_eq!(rules("amq.topic"), json!(["amq.topic"]), "it may be warn or warning");
    let own = of(&seen, "amq.rabbitmq.log");
    assert_eq!((&own["bind"][4], &own["type"]), (&"amq.rabbitmq.log/error=error".into(), &"topic".into()));
    assert!(own["producers"]["RabbitMQ's log"].as_u64() >= Some(1), "{own}");
    assert_eq!(of(&seen, "amq.fanout")["messages"], 0);
    let why = |exchange: &str| of(&seen, exchange)["not_looked_at"].as_str().unwrap_or_default().to_owned();
    assert!(why("secret").contains("access"), "{}", why("secret"));
    assert!(why("lonely").contains("its keys are not known"), "{}", why("lonely"));
    for exchange in ["strict", "headers"] {
        assert!(why(exchange).contains("alternate exchange"), "{}", why(exchange));
    }
    assert!(!seen.iter().any(|seen| seen["exchange"] == "" || seen["exchange"] == "amq.rabbitmq.trace"));

    // The password is not shown, and not in the command.
    let command = command(&output);
    assert!(!command.contains("s3cret") && command.contains("looker@127.0.0.1"), "{command}");
    let (command, _) = command.split_once(" --broker ").expect("a broker");
    let run = || suggested(command).args(["--broker", broker.url()]);
    run().arg("--declare-only").end().exits(0);
    outside.publish_all([
        message("app", "web.error", r#"{"level":"error"}"#),
        message("jobs", "error", "disk full"),
        message("jobs", "shop", r#"{"level":"error"}"#),
        message("amq.topic", "logs.error.web-1", "disk full"),
        message("secret", "a.error", "disk full"),
    ]);
    let counted = run().args(["--until-idle", "500ms"]).end().exits(0);
    assert_eq!(last_of(&counted.stdout, "error")["counts"], tally([0, 0, 4, 0]), "{command}: {counted}");

    // What is named is looked at all the same, and a key of a direct exchange that nobody is bound to.
    let named = look(&["--for", "1s", "jobs/another", "headers", "jbos"]).exits(0);
    let seen = named.json();
    assert_eq!(of(&seen, "jobs")["bind"], json!(["jobs/another"]));
    assert_eq!(of(&seen, "headers")["messages"], 0);
    assert_eq!(of(&seen, "jbos")["not_looked_at"], "there is no such exchange (is `jobs` meant?)");
    Ok(())
}

/// The program of the README, and the lines that are given in another terminal.
fn of_readme() -> (String, Vec<String>) {
    let page = fs::read_to_string(tracked("README.md")).expect("a readable file");
    let (_, rest) = page.split_once("```python\n").expect("a program");
    let (program, rest) = rest.split_once("```").expect("its end");
    let (_, rest) = rest.split_once("```sh\n").expect("commands");
    let (commands, _) = rest.split_once("```").expect("their end");
    (program.trim_end().to_owned(), commands.lines().map(str::to_owned).collect())
}

/// With the program of the README, and its commands.
pub(super) fn a_new_user_finds_a_python_program(kind: Kind) -> Result<(), Skip> {
    let (program, commands) = of_readme();
    let program = Section::of_program("python", program);
    Program::look(&program)?;
    let (node, broker, url) = managed(kind)?;
    node.rabbitmqctl(&["add_user", "test", "test"]);
    node.rabbitmqctl(&["set_user_tags", "test", "administrator"]);
    node.rabbitmqctl(&["set_permissions", "test", ".*", ".*", ".*"]);
    let broker = broker.as_user("test", "test");
    let port = broker.url().rsplit_once(':').and_then(|(_, rest)| rest.split('/').next()).expect("a port");
    let labels = format!("host=\"127.0.0.1\", port={port}");
    let program = Program::start(&program, &["error"], |text| text.replace("host=\"127.0.0.1\"", &labels));
    wait_for(&node, "log");
    // What the page says, at the ports of this broker.
    let [name, look] = &commands[..] else { panic!("{commands:?}") };
    let name = name.replace("5672", port);
    let (variable, named) =
        name.strip_prefix("export ").and_then(|name| name.split_once('=')).expect("a variable");
    let look = look.replace("http://127.0.0.1:15672", &url);
    let words = look.split(' ').skip(1).chain(["--for", "1m", "--max-logs", "3"]);
    let found = loghost(words.collect::<Vec<_>>()).env(variable, named).end().exits(0);
    let found = found.prints("log (topic)").prints("routing key: ERROR; the broker selects by it");
    let last = found.stdout.lines().last().expect("a command").to_owned();
    assert!(last.contains("--bind 'log/#.ERROR=error;decode=json'") && !last.contains("--broker"), "{found}");
    let run = suggested(&last).args(["--ephemeral", "--every", "20ms"]).env(variable, named);
    let run = run.start();
    run.has_printed(|so_far| {
        errors(&last_of(so_far, "all"))[0] >= 3 && errors(&last_of(so_far, "error"))[0] >= 3
    });
    run.end_by(Signal::Terminate).exits(0);
    drop((program, node));
    Ok(())
}
