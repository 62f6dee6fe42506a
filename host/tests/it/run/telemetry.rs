//! OpenTelemetry: metrics and traces that are sent to a collector.

use std::collections::BTreeMap;
use std::time::Instant;

use lapin::types::AMQPValue;
use libtest_mimic::Trial;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::json;

use crate::support::broker::{Broker, Kind, on_each};
use crate::support::cli::{Signal, loghost};
use crate::support::collector::{Answer, Collector, Figures, labels, last_metrics, last_starts};
use crate::support::guest::{Then, guest};
use crate::support::http::Http;
use crate::support::metrics::last_of;
use crate::support::{Skip, TIMEOUT, dead_letters, needing, test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        needing("telemetry::metrics_are_those_of_prometheus", metrics_are_those_of_prometheus),
        test("telemetry::what_is_not_supported_is_refused", what_is_not_supported_is_refused),
        needing("telemetry::counters_that_go_on_have_no_start", counters_that_go_on),
        needing("telemetry::plugins_measure_before_metrics_are_sent", plugins_measure),
        needing("telemetry::publishing_sends_traces_alone", publishing_sends_traces_alone),
        needing("telemetry::what_is_rejected_is_counted", what_is_rejected_is_counted),
        needing("telemetry::an_unrecorded_trace_goes_on", an_unrecorded_trace_goes_on),
    ];
    trials.extend(on_each("telemetry::a_trace_goes_on_to_what_is_derived", a_trace_goes_on));
    trials
}

pub(super) const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// What `/metrics` shows, by names and labels, without what changes all the time.
pub(super) fn shown(http: Http) -> Figures {
    let sample = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let label = |label: &str| {
            let (name, value) = label.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('"').to_owned()))
        };
        let labels: BTreeMap<String, String> =
            labels.trim_end_matches('}').split(',').filter_map(label).collect();
        let name = name.trim_end_matches("_total").to_owned();
        (!name.ends_with("_bucket")).then(|| ((name, labels), value.parse().expect("a number")))
    };
    let text = http.get("/metrics", &[]).body;
    text.lines().filter(|line| line.starts_with("loghost_")).filter_map(sample).collect()
}

/// The same names, where the unit is a suffix.
fn sent(figures: Figures) -> Figures {
    let renamed = |((name, labels), value): ((String, BTreeMap<String, String>), f64)| {
        let seconds = ["_duration_count", "_duration_sum"].iter().any(|suffix| name.ends_with(suffix));
        let name = match &*name {
            _ if seconds => name.replace("_duration", "_duration_seconds"),
            "loghost_consumer_memory" => format!("{name}_bytes"),
            _ => name,
        };
        ((name, labels), value)
    };
    figures.into_iter().filter(|((name, _), _)| name.starts_with("loghost_")).map(renamed).collect()
}

fn metrics_are_those_of_prometheus() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let collector = Collector::start(Answer::Take);
    let folder = tempfile::tempdir().expect("a folder");
    let picky = guest("picky").severities(&["error"]).on("bad", Then::Reject("no".to_owned()));
    let run = broker.loghost(["run", "--listen", "127.0.0.1:0"]).arg(tracked("plugins/error.wasm"));
    let run = run
        .arg(picky.write(folder.path()))
        .env(ENDPOINT, collector.url())
        .env("OTEL_METRIC_EXPORT_INTERVAL", "100")
        .env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s%20ecret")
        .env("OTEL_SERVICE_NAME", "shop-logs")
        .env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        .start();
    run.says(&format!("OpenTelemetry: metrics go to {}/v1/metrics", collector.url()));
    run.says("consuming from");
    let http = Http::of(&run);
    broker.loghost(["publish", "--stdin", "--severity", "error"]).stdin("good\nbad\ngood\n").end().exits(0);
    http.shows(r#"loghost_logs_finished_total{consumer="error",severity="error",outcome="accepted"} 3"#);
    http.shows(r#"loghost_dead_letters_total{consumer="picky",cause="rejected"} 1"#);
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let shown = shown(http);
        let (resource, figures) = collector.wait("a later request", |requests| {
            let count = requests.iter().filter(|request| request.path == "/v1/metrics").count();
            (count > 2).then(|| last_metrics(requests)).flatten()
        });
        if sent(figures.clone()) == shown {
            assert_eq!(resource["service.name"], "shop-logs");
            assert_eq!(resource["deployment.environment.name"], "test");
            assert!(resource.contains_key("service.instance.id") && resource.contains_key("service.version"));
            assert!(shown.len() > 100, "{shown:#?}");
            break;
        }
        assert!(Instant::now() < deadline, "{:#?} is not {shown:#?}", sent(figures));
    }
    collector.wait("a secret", |requests| {
        let has = |name: &str, value: &str| {
            requests[0].headers.iter().any(|(key, given)| key == name && given == value)
        };
        (has("api-key", "s ecret") && has("content-type", "application/x-protobuf")).then_some(())
    });
    let output = run.end_by(Signal::Terminate).exits(0);
    assert!(!output.stderr.contains("ecret"), "{output}");
    Ok(())
}

/// Of what a run before has counted nobody knows when it began; whoever makes deltas would count it again.
fn counters_that_go_on() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let measures = guest("measures").severities(&["info"]).measurement("open", &[], "gauge", 1.0);
    let measures = measures.write(folder.path());
    let count = |collector: &Collector, total: &str| {
        let run = broker.loghost(["run", "--state"]).arg(folder.path().join("state"));
        let run = run.arg(tracked("plugins/error.wasm")).arg(&measures).env(ENDPOINT, collector.url());
        let run = run.env("OTEL_METRIC_EXPORT_INTERVAL", "100").start();
        run.says("consuming from");
        broker.loghost(["publish", "error", "a", "--require-route"]).end().exits(0);
        let starts = |name: &str, value: &str| {
            let what = format!("{name} of {value}");
            collector.wait(&what, |requests| {
                let starts = last_starts(requests, name)?;
                starts.into_iter().find(|(_, found)| found == value).map(|(start, _)| start)
            })
        };
        let found = (starts("loghost_logs_finished", total), starts("loghost_logs_received", "1"));
        collector.wait("what a plugin measures", |requests| {
            let starts = last_starts(requests, "loghost_plugin_asked")?;
            assert!(starts.iter().all(|(start, _)| *start == 0), "{starts:?}");
            Some(())
        });
        run.end_by(Signal::Terminate).exits(0);
        found
    };
    let (finished, received) = count(&Collector::start(Answer::Take), "1");
    assert!(finished > 0 && finished == received);
    let (finished, received) = count(&Collector::start(Answer::Take), "2");
    assert!(finished == 0 && received > 0, "{finished} {received}");
    Ok(())
}

/// Without anybody who asks over HTTP.
fn plugins_measure() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let collector = Collector::start(Answer::Take);
    let folder = tempfile::tempdir().expect("a folder");
    let file = guest("measures").measurement("open", &[], "gauge", 1.0).write(folder.path());
    let run = broker.loghost(["run"]).arg(file).env(ENDPOINT, collector.url());
    let run = run.env("OTEL_METRIC_EXPORT_INTERVAL", "100").start();
    collector.wait("a later answer of the plugin", |requests| {
        let (_, figures) = last_metrics(requests)?;
        let asked = figures.iter().find(|((name, _), _)| name == "loghost_plugin_asked");
        asked.is_some_and(|(_, asked)| *asked >= 3.0).then_some(())
    });
    run.end_by(Signal::Terminate).exits(0);
    Ok(())
}

/// Each call would be another process to whoever takes metrics.
fn publishing_sends_traces_alone() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let collector = Collector::start(Answer::Take);
    let publish = || broker.loghost(["publish", "error", "a", "--trace"]).env(ENDPOINT, collector.url());
    let output = publish().end().exits(0).says("traces go to").does_not_say("metrics go to");
    assert_eq!(collector.paths().into_iter().collect::<Vec<_>>(), ["/v1/traces"], "{output}");
    let nothing = publish().env("OTEL_TRACES_EXPORTER", "none").end().exits(0);
    nothing.does_not_say("OpenTelemetry");
    Ok(())
}

/// It is not sent again.
fn what_is_rejected_is_counted() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let collector = Collector::start(Answer::Reject(3));
    let publish = broker.loghost(["publish", "--stdin", "--severity", "error", "--trace"]);
    let publish = publish.stdin("a\n".repeat(10)).env(ENDPOINT, collector.url());
    let output = publish.end().exits(0);
    let output = output.says("/v1/traces has rejected 3 spans: over the\\u{a}limit");
    let output = output.says("3 spans were dropped in this run");
    assert_eq!(collector.spans().len(), 10, "{output}");
    Ok(())
}

fn what_is_not_supported_is_refused() {
    let given = "OTEL_EXPORTER_OTLP_PROTOCOL";
    for arguments in [&["run", "plugins/error.wasm"][..], &["publish", "error", "a", "--trace"]] {
        let command = loghost(arguments).env(ENDPOINT, "http://127.0.0.1:4318").env(given, "grpc");
        command.end().exits(78).says(&format!("{given}: `grpc` is not supported, only http/protobuf"));
    }
}

fn id(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn is(span: &Span, key: &str, value: &str) -> bool {
    labels(&span.attributes).get(key).is_some_and(|given| given == value)
}

/// From who publishes, through a consumer, to what that derives, or to its dead letters.
fn a_trace_goes_on(broker: &Broker) {
    let collector = Collector::start(Answer::Take);
    let folder = tempfile::tempdir().expect("a folder");
    let echo =
        guest("echo").severities(&["error"]).publishes("info").on("bad", Then::Reject("no".to_owned()));
    let listens = guest("listens").severities(&["info"]).processes();
    let files = [echo.write(folder.path()), listens.write(folder.path())];
    let run = broker.loghost(["run", "--grant", "publish", "--format", "json", "--every", "50ms"]);
    let run = run.args(&files).env(ENDPOINT, collector.url()).start();
    run.says("traces go to");
    run.says("consuming from");
    let publish = |text: &str| {
        let publish = broker.loghost(["publish", "error", text, "--source", "shop", "--trace"]);
        publish.env(ENDPOINT, collector.url()).end().exits(0);
    };
    publish("bad");
    publish("good");
    run.has_printed(|so_far| last_of(so_far, "listens")["counts"]["info"] == 2);
    let output = run.end_by(Signal::Terminate).exits(0);
    for (outcome, text) in [("rejected", "bad"), ("accepted", "good")] {
        let processed =
            collector.span(text, |span| span.name == "process echo" && is(span, "loghost.outcome", outcome));
        assert!(is(&processed, "loghost.severity", "error") && is(&processed, "loghost.consumer", "echo"));
        assert_eq!(processed.kind, 5, "{output}");
        let published = collector.span("the first span", |span| span.span_id == processed.parent_span_id);
        assert_eq!((published.name.as_str(), published.kind), ("publish error", 4));
        assert_eq!(published.trace_id, processed.trace_id);
        assert!(published.parent_span_id.is_empty());
        assert!(published.end_time_unix_nano > published.start_time_unix_nano);
        // The guest publishes a log for each that it is shown.
        let derived = collector.span("the derived log", |span| span.parent_span_id == processed.span_id);
        assert_eq!((derived.name.as_str(), &derived.trace_id), ("process listens", &processed.trace_id));
        if outcome == "rejected" {
            assert_eq!(processed.status.as_ref().map(|status| status.message.as_str()), Some("no"));
            let listed = dead_letters::list(broker, "echo", &[]);
            let context = format!("00-{}-{}-01", id(&published.trace_id), id(&published.span_id));
            assert_eq!(listed[0]["attributes"]["traceparent"], json!(context), "{listed:?}");
        }
    }
    assert_eq!(collector.spans().len(), 6, "{:#?}", collector.spans());
}

/// No span of it is sent, and what is derived is part of it.
fn an_unrecorded_trace_goes_on() -> Result<(), Skip> {
    const CONTEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let broker = Broker::new(Kind::Embedded)?;
    let collector = Collector::start(Answer::Take);
    let folder = tempfile::tempdir().expect("a folder");
    let echo = guest("echo").severities(&["error"]).publishes("info").write(folder.path());
    let (outside, queue) = (broker.outside(), format!("{}-derived", broker.prefix()));
    outside.listen(&queue, &broker.exchange("info"));
    let run = broker.loghost(["run", "--grant", "publish"]).arg(&echo).env(ENDPOINT, collector.url()).start();
    run.says("consuming from");
    let attribute = format!("traceparent={CONTEXT}");
    broker.loghost(["publish", "error", "a", "--trace", "--attribute", &attribute]).end().exits(0);
    let derived = outside.take(&queue);
    let headers = derived.properties.headers().clone().unwrap_or_default();
    assert_eq!(headers.inner().get("traceparent"), Some(&AMQPValue::LongString(CONTEXT.into())));
    run.end_by(Signal::Terminate).exits(0);
    assert!(collector.spans().is_empty(), "{:#?}", collector.spans());
    Ok(())
}
