//! Requests of logs that OpenTelemetry's own libraries encode, as protobuf and as JSON, on a real broker.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::{env, fs};

use lapin::ExchangeKind;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::{have_counted, start};
use crate::support::broker::{Broker, Kind};
use crate::support::cli::Signal;
use crate::support::metrics::{last_of, tally};
use crate::support::{Need, Skip, needing, repository};

/// What encodes and publishes: the program, its script, and the form.
type Client = (&'static str, &'static str, &'static str);

const CLIENTS: [Client; 3] =
    [("python3", "otlp.py", "protobuf"), ("node", "otlp.mjs", "protobuf"), ("node", "otlp.mjs", "json")];

/// When the first record was written; each of the others a second later. All were seen a minute after that.
const BEGIN: u64 = 1_790_000_000_000;

/// The records, in order: severity, message, and the attribute `level`.
const RECORDS: [(&str, &str, Option<&str>); 13] = [
    ("debug", "at TRACE", Some("TRACE")),
    ("debug", "at DEBUG4", Some("DEBUG4")),
    ("info", "at INFO", None),
    ("info", "at WARN", Some("WARN")),
    ("error", "at ERROR3", Some("ERROR3")),
    ("critical", "at FATAL", Some("FATAL")),
    ("error", "number alone", Some("17")),
    ("error", "text alone", None),
    ("info", "neither", None),
    ("error", "with all", Some("17")),
    ("info", r#"{"order":7,"state":"paid"}"#, Some("9")),
    ("info", "order.paid", Some("9")),
    ("critical", "no logger", Some("21")),
];

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |client: Client| {
        let (program, _, form) = client;
        let name = format!("{}::producers::opentelemetry_{form}_of_{program}", Kind::RabbitMq4.name());
        needing(name, move || is_read(client))
    };
    CLIENTS.map(trial).into()
}

fn is_read((program, script, form): Client) -> Result<(), Skip> {
    let broker = Broker::new(Kind::RabbitMq4)?;
    let exchange = format!("{}-otlp", broker.prefix());
    broker.outside().declare_exchange(&exchange, ExchangeKind::Direct);
    let rule = format!("{exchange}/otlp_logs");
    let run = start(&broker, &["plugins", "--bind", &rule].map(str::to_owned));
    let most = RECORDS.len().to_string();
    let tail = broker.loghost(["tail", "--format", "json", "--max-logs", &most, "--bind", &rule]).start();
    tail.says("looking at what comes through");

    // A module of Node is looked for from its own folder.
    let folder = tempfile::tempdir().expect("a folder");
    if let Some(libraries) = env::var_os("NODE_PATH") {
        symlink(libraries, folder.path().join("node_modules")).expect("a folder of ours");
    }
    let path = folder.path().join(script);
    fs::copy(repository().join("host/tests/it/clients").join(script), &path).expect("a file of ours");
    let published = Command::new(program).arg(path).args([broker.url(), &exchange, form]).output();
    let published =
        published.map_err(|_| Skip::new(Need::Producers, format!("{program} is not installed")))?;
    let errors = String::from_utf8_lossy(&published.stderr);
    if errors.contains("ModuleNotFoundError") || errors.contains("ERR_MODULE_NOT_FOUND") {
        return Err(Skip::new(
            Need::Producers,
            format!("{program} does not find OpenTelemetry: see .ci/run"),
        ));
    }
    assert!(published.status.success(), "{errors}");

    let logs = tail.end().exits(0).json();
    for (n, (log, (severity, message, level))) in logs.iter().zip(RECORDS).enumerate() {
        let attributes = &log["attributes"];
        assert_eq!([&log["severity"], &log["message"]], [severity, message], "{log}");
        assert_eq!(attributes["level"], json!(level), "{log}");
        assert_eq!(attributes["ports"], "[80,443]", "what records of a resource share: {log}");
        let is_last = n + 1 == RECORDS.len();
        let seconds = if is_last { 60 } else { n as u64 };
        assert_eq!(log["timestamp"], BEGIN + seconds * 1000, "{log}");
        // The name that JavaScript gives to a logger without one.
        let of_last = if program == "node" { "unknown" } else { "shop" };
        assert_eq!(log["source"], if is_last { of_last } else { "acme.Cart" }, "{log}");
    }
    let names =
        |log: &Value| log["attributes"].as_object().expect("a table").keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(&logs[2]),
        ["host.name", "observedTimeUnixNano", "ports", "service.name", "severityNumber"]
    );
    let all = &logs[9]["attributes"];
    for (name, value) in [
        ("traceId", "0af7651916cd43dd8448eb211c80319c"),
        ("spanId", "b7ad6b7169203331"),
        ("flags", "1"),
        ("user.id", "42"),
        ("ratio", "0.5"),
        ("paid", "true"),
        ("tags", r#"["a","b"]"#),
        ("nested.deep.n", "1"),
        ("exception.type", "IOError"),
        ("exception.message", "disk full"),
        ("stack", "Traceback (most recent call last):\n  File x"),
        ("service.name", "shop"),
    ] {
        assert_eq!(all[name], value, "{all}");
    }
    assert_eq!(logs[11]["attributes"]["eventName"], "order.paid");
    let counted = [2, 5, 4, 2];
    run.has_printed(|so_far| last_of(so_far, "all")["counts"] == tally(counted));
    have_counted(&run.end_by(Signal::Terminate).exits(0), counted, 1);
    Ok(())
}
