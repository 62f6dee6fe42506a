//! The table of metrics in `doc/monitoring.md`: what it names is what a run shows in which all of it happens, no more and no less.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use lapin::{BasicProperties, ExchangeKind};
use libtest_mimic::Trial;

use super::prometheus::promtool_accepts;
use crate::run::telemetry::ENDPOINT;
use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Running, Signal};
use crate::support::collector::{Answer, Collector};
use crate::support::guest::{Does, Guest, Then, guest};
use crate::support::http::Http;
use crate::support::{Skip, needing, tracked};

pub(super) fn trials() -> Vec<Trial> {
    vec![needing("listen::metrics_are_as_documented", metrics_are_as_documented)]
}

/// What stands in a row of the table, or what is shown of a metric.
#[derive(Debug, Default, PartialEq, Eq)]
struct Documented {
    labels: BTreeSet<String>,
    is_histogram: bool,
    /// The values of the labels whose values are documented.
    values: BTreeSet<String>,
}

/// Labels whose values the table lists. Those of the others are names, versions and the like.
const LISTED: [&str; 5] = ["outcome", "cause", "state", "reason", "signal"];

/// What the names of metrics begin with that plugins measure.
const OF_PLUGINS: &str = "loghost_plugin_";

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The table, by the names of the metrics; those of plugins are one.
fn documented() -> BTreeMap<String, Documented> {
    let page = fs::read_to_string(tracked("host/doc/monitoring.md")).expect("a readable page");
    let (_, table) = page.split_once("| Metric | Labels | Meaning |\n").expect("a table of metrics");
    let mut documented = BTreeMap::new();
    for row in table.lines().skip(1).take_while(|line| line.starts_with('|')) {
        let [names, labels, meaning] = row.trim_matches('|').splitn(3, '|').collect::<Vec<_>>()[..] else {
            panic!("no row of three columns: {row}");
        };
        let labels: BTreeSet<String> = labels
            .split(',')
            .map(|label| label.trim().to_owned())
            .filter(|label| !label.is_empty())
            .collect();
        let is_word = |text: &&str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let is_listed = LISTED.iter().any(|label| labels.contains(*label));
        for name in quoted(names) {
            let values = quoted(meaning).filter(|_| is_listed).filter(is_word);
            let row = Documented {
                labels: labels.clone(),
                is_histogram: meaning.trim().starts_with("histogram "),
                values: values.map(str::to_owned).collect(),
            };
            let name = name.trim_end_matches('…').to_owned();
            assert!(documented.insert(name, row).is_none(), "twice: {names}");
        }
    }
    documented
}

/// The same of what is shown: each metric that is declared, with the labels of its samples.
fn shown(metrics: &str) -> BTreeMap<String, Documented> {
    let mut shown: BTreeMap<String, Documented> = BTreeMap::new();
    let mut family = String::new();
    for line in metrics.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let of_plugins = name.starts_with(OF_PLUGINS);
            family = String::from(if of_plugins { OF_PLUGINS } else { name });
            shown.entry(family.clone()).or_default().is_histogram = kind == "histogram";
        } else if !line.starts_with('#') {
            let (series, _) = line.rsplit_once(' ').expect("a sample");
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let it = shown.get_mut(&family).unwrap_or_else(|| panic!("{line} is of no metric"));
            let suffix = if it.is_histogram { name.strip_prefix(&*family) } else { Some("") };
            assert!(matches!(suffix, Some("" | "_bucket" | "_count" | "_sum")), "{line} is not of {family}");
            for label in labels.trim_end_matches("\"}").split("\",").filter(|label| !label.is_empty()) {
                let (label, value) = label.split_once("=\"").expect("a label and its value");
                if label != "le" {
                    it.labels.insert(label.to_owned());
                }
                if LISTED.contains(&label) {
                    it.values.insert(value.to_owned());
                }
            }
        }
    }
    shown
}

/// A plugin whose measurements are left out for each reason that there is; `other` has what is left out because of another plugin.
fn measuring() -> [Guest; 2] {
    let first = guest("measures").severities(&["debug"]).measurement("open", &[("at", "db")], "gauge", 1.0);
    let first = first
        .measurement("open", &[("at", "db")], "gauge", 2.0)
        .measurement("no-name", &[], "gauge", 1.0)
        .measurement("long", &[("of", &"x".repeat(300))], "gauge", 1.0)
        .measurement("negative", &[], "counter", -1.0);
    let first = (0..600).fold(first, |it, n| it.measurement("n", &[("n", &n.to_string())], "gauge", 0.0));
    let other = guest("other").severities(&["debug"]).measurement("open", &[], "counter", 1.0);
    [first, other]
}

/// Starts a host that reads streams, keeps a state, publishes, and sends metrics and traces.
fn start(broker: &Broker, collector: &Collector, exchange: &str, folder: &Path) -> Running {
    let strict = guest("strict")
        .severities(&["error"])
        .on("no", Then::Reject("no".to_owned()))
        .on_attempts_below(2, "later", Then::Retry("not yet".to_owned()))
        .on("never", Then::Retry("not now".to_owned()))
        .on("skip", Then::Skip)
        .on("bad", Then::Do(Does::Panic));
    let echo = guest("echo").severities(&["critical"]).publishes("info");
    let [measures, other] = measuring();
    let files = [strict, echo, measures, other].map(|guest| guest.write(folder));
    let run = broker.loghost(["run", "--listen", "127.0.0.1:0", "--grant", "publish", "--max-batch", "1"]);
    let run = run.args(["--max-retries", "1", "--bind", exchange, "--state"]).arg(folder.join("state"));
    let run = run.args(files).arg(tracked("plugins/all.wasm")).env(ENDPOINT, collector.url());
    let run = run.env("OTEL_METRIC_EXPORT_INTERVAL", "100").start();
    run.has_consuming(&["strict", "echo", "measures", "other", "all"]);
    run
}

fn metrics_are_as_documented() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Stream)?;
    let collector = Collector::start(Answer::Take);
    let (outside, exchange) = (broker.outside(), format!("{}-app", broker.prefix()));
    outside.declare_exchange(&exchange, ExchangeKind::Topic);
    let folder = tempfile::tempdir().expect("a folder");
    let run = start(&broker, &collector, &exchange, folder.path());
    let http = Http::of(&run);
    let publish = |severity: &str, logs: &str| {
        let publish =
            broker.loghost(["publish", "--stdin", "--require-route", "--trace", "--severity", severity]);
        publish.env(ENDPOINT, collector.url()).stdin(logs).end().exits(0);
    };
    publish("error", "good\nno\nlater\nnever\nskip\nbad\n");
    publish("critical", "the database is down\n");
    outside.publish(&exchange, "shop", b"who knows how serious this is", BasicProperties::default());

    let stream = broker.exchange("error");
    let of_strict = |metric: &str, value: u64| format!(r#"loghost_{metric}{{consumer="strict"}} {value}"#);
    let of_stream = |metric: &str, value: u64| {
        format!(r#"loghost_stream_{metric}{{consumer="strict",stream="{stream}"}} {value}"#)
    };
    let finished = |outcome: &str, value: u64| {
        let labels = format!(r#"consumer="strict",severity="error",outcome="{outcome}""#);
        format!("loghost_logs_finished_total{{{labels}}} {value}")
    };
    let dead = |cause: &str| format!(r#"loghost_dead_letters_total{{consumer="strict",cause="{cause}"}} 1"#);
    let certain = [
        // One more than it wants: what producers send says itself how serious it is.
        of_strict("deliveries_received_total", 7),
        of_strict("deliveries_acknowledged_total", 7),
        of_strict("deliveries_unacknowledged", 0),
        of_strict("deliveries_waiting", 0),
        // Of six logs, two are tried again, and one is none that the plugin answers.
        of_strict("process_duration_seconds_count", 7),
        of_strict("batch_logs_count", 7),
        r#"loghost_batch_logs_sum{consumer="strict"} 7.0"#.to_owned(),
        r#"loghost_batch_logs_bucket{le="1.0",consumer="strict"} 7"#.to_owned(),
        of_strict("traps_total", 1),
        of_strict("retries_total", 2),
        of_strict("stops_total", 0),
        finished("accepted", 2),
        finished("rejected", 3),
        finished("skipped", 1),
        dead("rejected"),
        dead("retries_exhausted"),
        dead("trapped"),
        of_stream("committed_offset", 5),
        of_stream("last_offset", 5),
        of_stream("offset_lag", 0),
        r#"loghost_logs_undetermined_total{consumer="all"} 1"#.to_owned(),
        r#"loghost_logs_published_total{purpose="publishing",outcome="confirmed"} 1"#.to_owned(),
        // Of each time that a plugin was shown a log.
        r#"loghost_spans_total{outcome="exported"} 9"#.to_owned(),
        r#"loghost_spans_total{outcome="dropped"} 0"#.to_owned(),
        r#"loghost_queue_messages_ready{consumer="strict"} 0"#.to_owned(),
        r#"loghost_measures_dropped{consumer="other",reason="kind"} 1"#.to_owned(),
    ];
    for line in &certain {
        http.shows(line);
    }
    let answer = http.get("/metrics", &[]);
    assert_eq!(certain.iter().find(|line| !answer.has_line(line)), None, "{answer:#?}");
    let commits = answer.body.lines().find_map(|line| {
        line.strip_prefix(r#"loghost_commit_duration_seconds_count{consumer="strict"} "#)?.parse::<u64>().ok()
    });
    // Several logs may be in one.
    assert!(commits.is_some_and(|commits| commits > 0), "{commits:?}");

    let (documented, shown) = (documented(), shown(&answer.body));
    assert!(documented.len() > 40, "{documented:#?}");
    let names = |of: &BTreeMap<String, Documented>| of.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&documented), names(&shown));
    for (name, documented) in documented.iter().filter(|(name, _)| *name != OF_PLUGINS) {
        assert_eq!(documented, &shown[name], "{name}: what is documented, and what is shown");
    }
    assert_eq!(shown[OF_PLUGINS].labels, ["at", "consumer", "n"].map(str::to_owned).into());
    promtool_accepts(&answer.body)?;
    run.end_by(Signal::Terminate).exits(0);
    Ok(())
}
