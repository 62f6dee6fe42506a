//! `loghost sources`: what flows is recognised, and the command that it suggests counts it.

mod managed;

use lapin::{BasicProperties, ExchangeKind};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::captured::{bytes, captured, properties};
use crate::support::amqp10::publish_undeliverable_to;
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Loghost, Output, Signal, loghost};
use crate::support::metrics::{last_of, tally};
use crate::support::rabbitmq::{self, Setup, Version};
use crate::support::{Skip, needing, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let kinds = [Kind::Embedded, Kind::RabbitMq, Kind::RabbitMq4];
    let mut trials = on(kinds, "sources::producers_are_recognised", producers_are_recognised);
    trials.extend(on(kinds, "sources::own_exchanges_need_no_rule", own_exchanges_need_no_rule));
    trials.extend(on(kinds, "sources::nothing_is_changed", nothing_is_changed));
    let name = "sources::it_goes_on_with_another_connection";
    trials.extend(on([Kind::RabbitMq4], name, it_goes_on_with_another_connection));
    let name = "rabbitmq4::sources::what_was_seen_before_the_connection_ends_is_shown";
    trials.push(needing(name.to_owned(), what_was_seen_is_shown));
    for kind in [Kind::RabbitMq, Kind::RabbitMq4] {
        let mut add = |name: &str, test: fn(Kind) -> Result<(), Skip>| {
            trials.push(needing(format!("{}::sources::{name}", kind.name()), move || test(kind)));
        };
        add("all_that_flows_is_found", managed::all_that_flows_is_found);
        add("a_new_user_finds_a_python_program", managed::a_new_user_finds_a_python_program);
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

/// Where `RabbitMQ` cannot deliver a message, and ends the connection: it goes on looking.
fn it_goes_on_with_another_connection(broker: &Broker) {
    let (outside, app) = (broker.outside(), format!("{}-app", broker.prefix()));
    outside.declare_exchange(&app, ExchangeKind::Topic);
    let run = broker.loghost(["sources", "--for", "1m", "--max-logs", "6", "--format", "json", &app]).start();
    run.says("looking at 1 exchange for 1m at ");
    for text in ["one", "two"] {
        let body = json!({ "level": "error", "msg": text }).to_string();
        outside.publish(&app, "web", body.as_bytes(), BasicProperties::default());
    }
    publish_undeliverable_to(broker, &app, "poison");
    let said = run.says("sources: lost the connection to the broker at");
    assert!(said.contains("INTERNAL_ERROR"), "{said}");
    run.says("sources: connected to");
    // Which is an empty message.
    outside.wait_until_routed(&app, "web");
    for text in ["three", "four", "five"] {
        let body = json!({ "level": "critical", "msg": text }).to_string();
        outside.publish(&app, "web", body.as_bytes(), BasicProperties::default());
    }
    let output = run.end().exits(0);
    let output = output.says("the connection was lost once and made again: what was published meanwhile");
    let seen = output.json();
    assert_eq!(
        (&seen[0]["severities"], &seen[0]["undetermined"]),
        (&tally([0, 0, 2, 3]), &json!(1)),
        "{output}"
    );
}

/// Where there is no broker any more for the rest of the time.
fn what_was_seen_is_shown() -> Result<(), Skip> {
    let mut node = rabbitmq::private(Version::V4, Setup::default())?;
    let broker = Broker::on(Kind::RabbitMq4, &node);
    let (outside, app) = (broker.outside(), format!("{}-app", broker.prefix()));
    outside.declare_exchange(&app, ExchangeKind::Topic);
    let run = broker.loghost(["sources", "--for", "5s", &app]).start();
    run.says("looking at 1 exchange for 5s at ");
    for text in ["one", "two"] {
        let body = json!({ "level": "error", "msg": text }).to_string();
        outside.publish(&app, "web", body.as_bytes(), BasicProperties::default());
    }
    node.kill();
    let output = run.end().exits(69).says("is shown: lost the connection to the broker at");
    drop(output.prints("2 in 2 messages").prints(&format!("loghost run plugins --bind {app}")));
    Ok(())
}
