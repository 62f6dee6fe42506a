//! Collectors of OpenTelemetry that do not take what they are sent: they are no hindrance.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use super::telemetry::{ENDPOINT, shown};
use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Running, Signal, loghost};
use crate::support::collector::{Answer, Collector};
use crate::support::guest::guest;
use crate::support::http::Http;
use crate::support::metrics::last_of;
use crate::support::tls::{Certificates, TlsFront};
use crate::support::{Skip, TIMEOUT, needing, test};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        needing("collector::that_hangs_is_no_hindrance", that_hangs),
        needing("collector::that_is_down_is_no_hindrance", that_is_down),
        needing("collector::that_comes_back_has_all", that_comes_back),
        needing("collector::whose_certificate_is_trusted_is_sent_to", whose_certificate_is_trusted),
        test("collector::files_of_authorities_that_cannot_be_used", unusable_authorities),
    ]
}

/// More than there are spans that may wait.
const LOGS: usize = 4000;

/// Has them processed, and says what the run did then.
fn counts_all(broker: &Broker, url: &str) -> Running {
    let folder = tempfile::tempdir().expect("a folder");
    let file = guest("counts").severities(&["error"]).processes().write(folder.path());
    let run = broker.loghost(["run", "--every", "50ms", "--format", "json", "--listen", "127.0.0.1:0"]);
    let run = run.arg(file).env(ENDPOINT, url).env("OTEL_METRIC_EXPORT_INTERVAL", "100").start();
    run.says("consuming from");
    let publish = broker.loghost(["publish", "--stdin", "--severity", "error", "--trace"]);
    publish.stdin("a\n".repeat(LOGS)).end().exits(0);
    run.has_printed(|so_far| last_of(so_far, "counts")["counts"]["error"] == LOGS);
    run
}

fn that_hangs() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let collector = Collector::start(Answer::Nothing);
    let run = counts_all(&broker, &collector.url());
    run.says("spans come faster than the collector takes them, and are dropped");
    let dropped = shown(Http::of(&run)).into_iter().find(|((name, labels), _)| {
        name == "loghost_spans" && labels.get("outcome").is_some_and(|outcome| outcome == "dropped")
    });
    assert!(dropped.is_some_and(|(_, dropped)| dropped > 1000.0));
    // Also those that waited until the end.
    let output = run.end_by(Signal::Terminate).exits(0);
    let output = output.says(&format!(": {LOGS} spans were dropped in this run"));
    assert_eq!(output.stderr.matches("spans come faster").count(), 1, "{output}");
    Ok(())
}

fn that_is_down() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    let run = counts_all(&broker, &format!("http://{free}"));
    run.says(&format!("http://{free}/v1/metrics does not take metrics: "));
    let http = Http::of(&run);
    let deadline = Instant::now() + TIMEOUT;
    let failures = |signal: &str| {
        let key = (
            "loghost_export_failures".to_owned(),
            BTreeMap::from([("signal".to_owned(), signal.to_owned())]),
        );
        shown(http).get(&key).copied().unwrap_or_default()
    };
    while failures("metrics") < 3.0 || failures("traces") < 1.0 {
        assert!(Instant::now() < deadline, "what fails is not counted: {run}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = run.end_by(Signal::Terminate).exits(0);
    assert_eq!(output.stderr.matches("does not take metrics").count(), 1, "{output}");
    assert_eq!(output.stderr.matches("does not take traces").count(), 1, "{output}");
    Ok(())
}

/// What it did not take for now, it gets.
fn that_comes_back() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let collector = Collector::start(Answer::Refuse(503));
    let folder = tempfile::tempdir().expect("a folder");
    let file = guest("counts").severities(&["error"]).processes().write(folder.path());
    let run = broker.loghost(["run"]).arg(file).env(ENDPOINT, collector.url()).start();
    run.says("consuming from");
    broker.loghost(["publish", "error", "a", "--trace"]).end().exits(0);
    run.says("/v1/traces does not take traces: it answers 503");
    collector.answers(Answer::Take);
    run.says("/v1/traces takes traces again");
    collector.span("the span", |span| span.name == "process counts");
    run.end_by(Signal::Terminate).exits(0);
    Ok(())
}

/// By an authority in a file, or one of those of the system.
fn whose_certificate_is_trusted() -> Result<(), Skip> {
    let files = Certificates::new();
    let ours = files.authority("ours");
    files.authority("theirs");
    files.sign(&ours, "server", &["localhost"], 2050);
    let broker = Broker::new(Kind::Embedded)?;
    let collector = Collector::start(Answer::Take);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let front = TlsFront::start(&files, listener, collector.url().replace("http://", ""));
    let url = format!("https://localhost:{}", front.port);
    let publish = |variable: &str, file: &str| {
        let publish = broker.loghost(["publish", "error", "a", "--trace"]).env(ENDPOINT, &url);
        publish.env(variable, files.path(file)).end().exits(0)
    };
    let certificate = "OTEL_EXPORTER_OTLP_CERTIFICATE";
    publish(certificate, "theirs.pem").says("/v1/traces does not take traces: ").says("UnknownIssuer");
    collector.wait("nothing", |requests| requests.is_empty().then_some(()));
    for (sent, variable) in
        [certificate, "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "SSL_CERT_FILE"].into_iter().enumerate()
    {
        publish(variable, "ours.pem").does_not_say("does not take");
        collector.wait(variable, |requests| (requests.len() == sent + 1).then_some(()));
    }
    // What is for another signal is for that alone.
    publish("OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "ours.pem").says("does not take traces");
    Ok(())
}

fn unusable_authorities() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "none").expect("a file in a folder of ours");
    let publish = |url: &str, file: &Path| {
        let publish = loghost(["publish", "error", "a", "--trace", "--broker", "amqp://127.0.0.1:1"]);
        publish.args(["--retry-for", "10ms"]).env(ENDPOINT, url).env("OTEL_EXPORTER_OTLP_CERTIFICATE", file)
    };
    let refused = |file: &Path| publish("https://127.0.0.1:1", file).end().exits(78);
    refused(&empty).says("OTEL_EXPORTER_OTLP_CERTIFICATE: there is no certificate in ");
    refused(&folder.path().join("missing.pem")).says("missing.pem: ");
    // It is not looked at where nothing is encrypted.
    publish("http://127.0.0.1:1", &empty).end().exits(69);
}
