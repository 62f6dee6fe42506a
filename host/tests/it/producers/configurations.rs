//! Each producer of the page, with the lines of the page, on a real broker.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libtest_mimic::Trial;
use loghost_core::domain::Severity::{self, Critical, Debug, Error, Info};
use serde_json::Value;

use super::document::{section, sections};
use super::program::Program;
use super::{broker_log, counts_and_ends, node, start};
use crate::support::broker::Kind;
use crate::support::metrics::tally;
use crate::support::{Skip, needing, test, tracked};

/// The words of a producer for its levels, of which one is `error` in whatever case, and what they are counted as.
type Levels = &'static [(&'static str, Severity)];

const NAMED: Levels =
    &[("debug", Debug), ("info", Info), ("warning", Info), ("error", Error), ("critical", Critical)];
const SHORT: Levels =
    &[("debug", Debug), ("info", Info), ("warn", Info), ("error", Error), ("fatal", Critical)];
const OSLO: Levels = &[
    ("debug", Debug),
    ("info", Info),
    ("audit", Info),
    ("warn", Info),
    ("error", Error),
    ("critical", Critical),
];
const WINSTON: Levels = &[("debug", Debug), ("info", Info), ("warn", Info), ("error", Error)];
const JAVA: Levels = &[("debug", Debug), ("info", Info), ("warn", Info), ("error", Error)];
const GO: Levels = &[("Debug", Debug), ("Info", Info), ("Warn", Info), ("Error", Error)];
/// The last of them ends no program but one in development.
const ZAP: Levels =
    &[("Debug", Debug), ("Info", Info), ("Warn", Info), ("Error", Error), ("DPanic", Critical)];
const SYSLOG: Levels = &[
    ("debug", Debug),
    ("info", Info),
    ("notice", Info),
    ("warning", Info),
    ("error", Error),
    ("crit", Critical),
    ("alert", Critical),
    ("emerg", Critical),
];

/// A producer that is run.
#[derive(Clone, Copy)]
struct Producer {
    /// What the page says of it.
    section: &'static str,
    on: &'static [Kind],
    levels: Levels,
    /// What its logs are said to be of.
    source: &'static str,
}

/// Stands for the name of this machine.
const HOST: &str = "";

const V4: &[Kind] = &[Kind::RabbitMq4];
const V3: &[Kind] = &[Kind::RabbitMq];
const BOTH: &[Kind] = &[Kind::RabbitMq, Kind::RabbitMq4];

const PRODUCERS: [Producer; 25] = [
    Producer { section: "Python: logging", on: V4, levels: NAMED, source: "shop" },
    Producer { section: "Python: python-json-logger", on: V4, levels: NAMED, source: "shop" },
    Producer { section: "Python: structlog", on: V4, levels: NAMED, source: "shop" },
    Producer { section: "Python: loguru", on: V4, levels: NAMED, source: "__main__" },
    Producer { section: "Python: GELF", on: V4, levels: NAMED, source: HOST },
    Producer { section: "OpenStack: oslo.messaging", on: V4, levels: OSLO, source: "shop" },
    Producer { section: "Node: pino", on: V4, levels: SHORT, source: "shop" },
    Producer { section: "Node: bunyan", on: V4, levels: SHORT, source: "shop" },
    Producer { section: "Node: winston", on: V4, levels: WINSTON, source: "shop" },
    Producer { section: "Node: winston-amqp-transport", on: V3, levels: WINSTON, source: "shop.logs" },
    Producer { section: "Node: winston-rabbitmq", on: V3, levels: WINSTON, source: "shop" },
    Producer { section: "Node: log4js", on: V4, levels: SHORT, source: "shop" },
    Producer { section: "PHP: Monolog", on: V4, levels: NAMED, source: "shop" },
    Producer { section: "Ruby: Logger", on: V4, levels: SHORT, source: "shop" },
    Producer { section: "Java: Logback", on: V4, levels: JAVA, source: "shop" },
    Producer { section: "Java: Log4j 2", on: V4, levels: SHORT, source: "shop" },
    Producer { section: "Go: logrus", on: V4, levels: GO, source: "shop" },
    Producer { section: "Go: logrus' text", on: V4, levels: GO, source: "shop" },
    Producer { section: "Go: zap", on: V4, levels: ZAP, source: "shop" },
    Producer { section: "Go: zerolog", on: V4, levels: GO, source: "shop" },
    Producer { section: "MQTT", on: BOTH, levels: NAMED, source: "logs.web-1" },
    Producer { section: "STOMP", on: BOTH, levels: NAMED, source: "shop" },
    Producer { section: "AMQP 1.0, RabbitMQ 4", on: V4, levels: NAMED, source: "shop" },
    Producer { section: "AMQP 1.0, RabbitMQ 3", on: V3, levels: NAMED, source: "shop" },
    Producer { section: "syslog-ng", on: V4, levels: SYSLOG, source: "shop" },
];

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |producer: Producer, kind: Kind| {
        let name = producer.section.to_lowercase();
        let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let name = words.collect::<Vec<_>>().join("_");
        needing(format!("{}::producers::{name}", kind.name()), move || is_counted(producer, kind))
    };
    let trials =
        PRODUCERS.iter().flat_map(|&producer| producer.on.iter().map(move |&kind| trial(producer, kind)));
    let of_pages = [
        test("producers::each_of_the_page_is_run", each_of_the_page_is_run),
        test("producers::the_readme_says_the_same_of_syslog_ng", the_readme_says_the_same_of_syslog_ng),
    ];
    trials.chain(of_pages).collect()
}

fn each_of_the_page_is_run() {
    let on_page: BTreeSet<String> = sections().into_iter().map(|section| section.name).collect();
    let run = PRODUCERS.iter().map(|producer| producer.section).chain([broker_log::SECTION]);
    assert_eq!(on_page, run.map(str::to_owned).collect());
}

/// But for the user, who is that of the other commands of the README.
fn the_readme_says_the_same_of_syslog_ng() {
    let readme = fs::read_to_string(tracked("README.md")).expect("a readable file");
    let section = section("syslog-ng");
    let [conf, ..] = &section.configuration[..] else { panic!("it has a configuration") };
    assert_eq!(conf.language, "conf");
    let conf = conf.text.replace("\"guest\"", "\"test\"");
    assert!(readme.contains(&format!("```conf\n{conf}\n```\n")), "the README has not these lines:\n{conf}");
    let [command] = &section.commands[..] else { panic!("one command reads it") };
    let rule = command.last().expect("a rule");
    assert!(
        readme.contains(&format!("\nloghost run plugins --bind '{rule}'\n")),
        "the README has not {rule}"
    );
}

fn is_counted(producer: Producer, kind: Kind) -> Result<(), Skip> {
    let section = section(producer.section);
    Program::look(&section)?;
    let (node, broker) = node::shared(kind)?;
    let [command] = &section.commands[..] else { panic!("one command reads {}", section.name) };
    let rule = command.last().expect("a rule");
    let exchange = rule.split(['/', ';', '=']).next().unwrap_or_default();
    if !rule.contains(";type=") && !exchange.starts_with("amq.") {
        // As the producer declares it; what it logs before it is bound would be lost.
        broker.outside().declare_transient(exchange);
    }
    let run = start(&broker, command);
    let lines = producer.levels.len().to_string();
    let tail = broker.loghost(["tail", "--format", "json", "--max-logs", &lines, "--bind", rule]).start();
    tail.says("looking at what comes through");
    let route = rule.split([';', '=']).next().unwrap_or_default();
    let looks = ["sources", "--format", "json", "--for", "1m", "--max-logs", &lines, route];
    let sources = broker.loghost(looks).start();
    sources.says("looking at 1 exchange for 1m");
    let levels: Vec<&str> = producer.levels.iter().map(|(word, _)| *word).collect();
    let _program = Program::start(&section, &levels, |text| node.reached_by(text));
    let of = |severity| producer.levels.iter().filter(|(_, counted)| *counted == severity).count() as u64;
    counts_and_ends(run, Severity::ALL.map(of));
    let seen = sources.end().exits(0).json();
    assert_eq!(
        (&seen[0]["severities"], &seen[0]["undetermined"]),
        (&tally(Severity::ALL.map(of)), &0.into())
    );
    assert!(seen[0]["bind"].as_array().is_some_and(|rules| !rules.is_empty()), "{seen:?}");
    let host = fs::read_to_string("/proc/sys/kernel/hostname").expect("a readable file");
    let source = if producer.source == HOST { host.trim_end() } else { producer.source };
    for log in tail.end().exits(0).json() {
        assert_eq!([&log["message"], &log["source"]], [&Value::from("disk full"), &source.into()]);
        // Some write the time of their zone, without saying which.
        let time = UNIX_EPOCH + Duration::from_millis(log["timestamp"].as_u64().expect("a time"));
        let apart = SystemTime::now().duration_since(time).unwrap_or_else(|later| later.duration());
        assert!(apart < Duration::from_hours(15), "{log}");
    }
    Ok(())
}
