//! `loghost sources`: what flows is recognised, and the command that it suggests counts it.

use std::{fs, thread};

use lapin::{BasicProperties, ExchangeKind};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::captured::{bytes, captured, properties};
use super::document::Section;
use super::node::wait_for;
use super::program::Program;
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Loghost, Output, Signal, loghost};
use crate::support::metrics::{errors, last_of, tally};
use crate::support::outside::{DURABLE, Outside};
use crate::support::rabbitmq::{Node, Setup, free_port, management, private};
use crate::support::{Skip, needing, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let kinds = [Kind::Embedded, Kind::RabbitMq, Kind::RabbitMq4];
    let mut trials = on(kinds, "sources::producers_are_recognised", producers_are_recognised);
    trials.extend(on(kinds, "sources::own_exchanges_need_no_rule", own_exchanges_need_no_rule));
    trials.extend(on(kinds, "sources::nothing_is_changed", nothing_is_changed));
    for kind in [Kind::RabbitMq, Kind::RabbitMq4] {
        let mut add = |name: &str, test: fn(Kind) -> Result<(), Skip>| {
            trials.push(needing(format!("{}::sources::{name}", kind.name()), move || test(kind)));
        };
        add("all_that_flows_is_found", all_that_flows_is_found);
        add("a_new_user_finds_a_python_program", a_new_user_finds_a_python_program);
    }
    trials
}

/// The command that it ends with, as a shell reads it, with the plugins of the repository.
#[track_caller]
fn suggested(command: &str) -> Loghost {
    let in_quotes = |(n, part): (usize, &str)| match n % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    };
    let words: Vec<String> = command.split('\'').enumerate().flat_map(in_quotes).collect();
    assert_eq!(words[..3], ["loghost", "run", "plugins"], "{command}");
    loghost(["run", "--format", "json"]).args(&words[3..]).arg(tracked("plugins"))
}

/// What it says of an exchange.
#[track_caller]
fn of<'s>(seen: &'s [Value], exchange: &str) -> &'s Value {
    let found = seen.iter().find(|seen| seen["exchange"] == exchange);
    found.unwrap_or_else(|| panic!("nothing is said of {exchange}: {seen:?}"))
}

/// The command of the last line.
#[track_caller]
fn command(output: &Output) -> String {
    let lines = output.json();
    let command = lines.last().and_then(|line| line["command"].as_str());
    command.unwrap_or_else(|| panic!("no command: {output}")).to_owned()
}

/// A producer whose messages were captured.
struct Case {
    producer: &'static str,
    /// What the keys of its messages end with; all that there are, if none is given.
    levels: &'static [&'static str],
    recognised: &'static str,
    severity_from: &'static str,
    /// The first rule, behind the name of the exchange.
    rule: &'static str,
    rules: usize,
}

const CASES: [Case; 8] = [
    Case {
        producer: "python-logging-rabbitmq",
        levels: &["DEBUG", "INFO", "WARNING", "ERROR"],
        recognised: "python-logging-rabbitmq",
        severity_from: "routing_key",
        rule: "/#.DEBUG=debug;decode=json",
        rules: 5,
    },
    Case {
        producer: "winston-amqp-transport",
        levels: &["verbose", "info"],
        recognised: "winston-amqp-transport",
        severity_from: "routing_key",
        rule: "/#.silly=debug;decode=json",
        rules: 7,
    },
    Case {
        producer: "amq.rabbitmq.log",
        levels: &[],
        recognised: "text",
        severity_from: "routing_key",
        rule: "/debug=debug",
        rules: 8,
    },
    Case {
        producer: "node-amqplib/bunyan",
        levels: &[],
        recognised: "Bunyan",
        severity_from: "message",
        rule: "",
        rules: 1,
    },
    Case {
        producer: "graypy-GELF",
        levels: &[],
        recognised: "GELF",
        severity_from: "message",
        rule: "",
        rules: 1,
    },
    Case {
        producer: "go/logrus-text",
        levels: &[],
        recognised: "logfmt",
        severity_from: "message",
        rule: "",
        rules: 1,
    },
    Case {
        producer: "opentelemetry-rabbitmqexporter",
        levels: &[],
        recognised: "OpenTelemetry",
        severity_from: "message",
        rule: "",
        rules: 1,
    },
    Case {
        producer: "serilog-sinks-rabbitmq",
        levels: &[],
        recognised: "Serilog",
        severity_from: "message",
        rule: "",
        rules: 1,
    },
];

/// Without the management API, on exchanges that are named.
fn producers_are_recognised(broker: &Broker) {
    let outside = broker.outside();
    let captured = captured();
    let exchange = |case: &Case| format!("{}-{}", broker.prefix(), case.recognised.replace(' ', "-"));
    let messages = |case: &Case| {
        let of_it = captured.iter().filter(|captured| captured.message["producer"] == case.producer);
        let of_it = of_it.filter(|captured| {
            let key = captured.message["routing_key"].as_str().unwrap_or_default();
            case.levels.is_empty() || case.levels.iter().any(|level| key.ends_with(&format!(".{level}")))
        });
        of_it.collect::<Vec<_>>()
    };
    for case in &CASES {
        outside.declare_exchange(&exchange(case), ExchangeKind::Topic);
    }
    let publish = || {
        for case in &CASES {
            for captured in messages(case) {
                let key = captured.message["routing_key"].as_str().unwrap_or_default();
                let (body, properties) = (bytes(&captured.message["body"]), properties(&captured.message));
                outside.publish(&exchange(case), key, &body, properties);
            }
        }
    };
    let logs = CASES.iter().flat_map(messages).map(|captured| captured.severities.len());
    let logs = logs.sum::<usize>().to_string();
    let run = broker.loghost(["sources", "--format", "json", "--for", "1m", "--max-logs", &logs]);
    let run = run.args(CASES.iter().map(exchange)).start();
    run.says("looking at 8 exchanges for 1m");
    publish();
    let output = run.end().exits(0).does_not_say("not looked at");
    let seen = output.json();
    let mut all = [0; 4];
    for case in &CASES {
        let of_it = of(&seen, &exchange(case));
        let rules = of_it["bind"].as_array().expect("rules");
        let expected = format!("{}{}", exchange(case), case.rule);
        assert_eq!((&rules[0], rules.len()), (&Value::from(expected), case.rules), "{of_it}");
        assert_eq!(of_it["severity_from"], case.severity_from, "{of_it}");
        let logs = messages(case).iter().map(|captured| captured.severities.len()).sum::<usize>();
        assert_eq!(of_it["producers"], json!({ case.recognised: logs }), "{of_it}");
        for (n, severity) in ["debug", "info", "error", "critical"].into_iter().enumerate() {
            let captured = messages(case);
            let said = captured.iter().flat_map(|captured| &captured.severities);
            let said = said.filter(|said| said.as_deref() == Some(severity)).count() as u64;
            assert_eq!(of_it["severities"][severity], said, "{of_it}");
            all[n] += said;
        }
    }
    let command = command(&output);
    suggested(&command).arg("--declare-only").end().exits(0);
    publish();
    let counted = suggested(&command).args(["--until-idle", "500ms"]).end().exits(0);
    assert_eq!(last_of(&counted.stdout, "all")["counts"], tally(all), "{command}: {counted}");
    let counted_errors = &last_of(&counted.stdout, "error")["counts"];
    assert_eq!(*counted_errors, tally([0, 0, all[2], 0]), "{command}: {counted}");
}

fn own_exchanges_need_no_rule(broker: &Broker) {
    let outside = broker.outside();
    let [error, info] = ["error", "info"].map(|severity| broker.exchange(severity));
    outside.declare_exchange(&error, ExchangeKind::Topic);
    outside.declare_exchange(&info, ExchangeKind::Topic);
    let run = broker.loghost(["sources", "--for", "1m", "--max-logs", "2"]).start();
    run.says("only RabbitMQ's management API tells");
    run.says("exchanges for 1m at ");
    outside.publish_all([&error, &error].map(|exchange| {
        (exchange.as_str(), "db-1", r#"{"level":"debug"}"#.to_owned(), BasicProperties::default())
    }));
    let output = run.end().exits(0);
    let output =
        output.prints("it needs no --bind").prints("severities  debug 0  info 0  error 2  critical 0");
    let output = output.says(&info).does_not_say("not looked at");
    let last = output.stdout.lines().last().expect("a line");
    assert!(last.starts_with("loghost run plugins --prefix ") && !last.contains("--bind"), "{output}");
    assert!(last.ends_with(&format!("--broker {}", broker.url())), "{output}");
}

/// Nothing is declared that is not there, and what nobody reads is not kept.
fn nothing_is_changed(broker: &Broker) {
    let (app, outside) = (format!("{}-app", broker.prefix()), broker.outside());
    let missing = format!("{app}-missing");
    outside.declare_exchange(&app, ExchangeKind::Topic);
    let run = broker.loghost(["sources", "--for", "1m"]).args([&app, &missing]).start();
    run.says("looking at 1 exchange for 1m at ");
    outside.publish_all(
        (0..5).map(|_| {
            (&*app, "orders", r#"{"order":7,"state":"paid"}"#.to_owned(), BasicProperties::default())
        }),
    );
    let output = run.end_by(Signal::Interrupt).exits(1);
    let output = output.says(&format!("not looked at: `{missing}`: there is no such exchange"));
    output.says("no logs were seen").says("or look at all exchanges (name none)");
    let again = broker.loghost(["sources", "--for", "100ms", &missing]).end().exits(1);
    again.says("there is no such exchange");
}

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

fn all_that_flows_is_found(kind: Kind) -> Result<(), Skip> {
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

/// The program of the README.
fn program_of_readme() -> String {
    let page = fs::read_to_string(tracked("README.md")).expect("a readable file");
    let block = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next());
    block.expect("a program").trim_end().to_owned()
}

/// With the program of the README, and its commands.
fn a_new_user_finds_a_python_program(kind: Kind) -> Result<(), Skip> {
    let program = Section::of_program("python", program_of_readme());
    Program::look(&program)?;
    let (node, broker, url) = managed(kind)?;
    node.rabbitmqctl(&["add_user", "test", "test"]);
    node.rabbitmqctl(&["set_user_tags", "test", "administrator"]);
    node.rabbitmqctl(&["set_permissions", "test", ".*", ".*", ".*"]);
    let broker = broker.as_user("test", "test");
    let port = broker.url().rsplit_once(':').and_then(|(_, rest)| rest.split('/').next()).expect("a port");
    let place = format!("host=\"127.0.0.1\", port={port}");
    let program = Program::start(&program, &["error"], |text| text.replace("host=\"127.0.0.1\"", &place));
    wait_for(&node, "log");
    let look = loghost(["sources", "--for", "1m", "--max-logs", "3", "--management-url", &url]);
    let found = look.env("LOGHOST_AMQP_URL", broker.url()).end().exits(0);
    let found = found.prints("log (topic)").prints("routing key: ERROR; the broker selects by it");
    let last = found.stdout.lines().last().expect("a command").to_owned();
    assert!(last.contains("--bind 'log/#.ERROR=error;decode=json'") && !last.contains("--broker"), "{found}");
    let run = suggested(&last).args(["--ephemeral", "--every", "20ms"]).env("LOGHOST_AMQP_URL", broker.url());
    let run = run.start();
    run.has_printed(|so_far| {
        errors(&last_of(so_far, "all"))[0] >= 3 && errors(&last_of(so_far, "error"))[0] >= 3
    });
    run.end_by(Signal::Terminate).exits(0);
    drop((program, node));
    Ok(())
}
