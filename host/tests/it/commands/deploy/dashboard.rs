//! The dashboard for Grafana and the alerts: what they ask is what Prometheus takes, and is on metrics and labels that a run shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use libtest_mimic::Trial;
use regex::Regex;
use serde_json::{Value, json};
use yaml_rust2::{Yaml, YamlLoader};

use super::{promtool, succeeds, text};
use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Running, Signal};
use crate::support::guest::{Then, guest};
use crate::support::http::Http;
use crate::support::{Skip, needing, test};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        needing("deploy::prometheus_takes_what_the_dashboard_asks", prometheus_takes_what_the_dashboard_asks),
        needing("deploy::alerts_and_dashboard_are_on_metrics_that_exist", metrics_exist),
        test("deploy::the_dashboard_asks_the_data_source_that_there_is", the_data_source_is_there),
    ]
}

fn dashboard() -> Value {
    serde_json::from_str(&text("grafana/loghost.json")).expect("JSON")
}

fn items(of: &Value) -> &[Value] {
    of.as_array().expect("a list")
}

/// What a panel of the dashboard asks Prometheus, and how it calls what it gets; or an alert, and what it says of it.
struct Asked {
    query: String,
    said: String,
}

/// What the panels ask.
fn of_panels() -> Vec<Asked> {
    let dashboard = dashboard();
    let targets = items(&dashboard["panels"]).iter().flat_map(|panel| items(&panel["targets"]));
    let asked = targets.map(|target| Asked {
        query: target["expr"].as_str().expect("a query").to_owned(),
        said: target["legendFormat"].as_str().expect("a name, which may be empty").to_owned(),
    });
    asked.collect()
}

/// What the alerts are on.
fn of_alerts() -> Vec<Asked> {
    let all = YamlLoader::load_from_str(&text("prometheus/alerts.yml")).expect("YAML");
    let rules = all[0]["groups"][0]["rules"].as_vec().expect("rules");
    let asked = rules.iter().map(|rule| Asked {
        query: rule["expr"].as_str().expect("a query").to_owned(),
        said: format!("{:?}", rule["annotations"]),
    });
    asked.collect()
}

/// The variables of the dashboard, and what each is.
fn variables() -> BTreeMap<String, Value> {
    let dashboard = dashboard();
    let variable = |it: &Value| (it["name"].as_str().expect("a name").to_owned(), it.clone());
    items(&dashboard["templating"]["list"]).iter().map(variable).collect()
}

/// As rules: nothing else has it read queries.
fn prometheus_takes_what_the_dashboard_asks() -> Result<(), Skip> {
    let asked = of_panels();
    assert!(asked.len() >= 15, "{}", asked.len());
    let rule = |(Asked { query, .. }, n): (&Asked, u32)| {
        let given = query.replace("$__rate_interval", "1m");
        let given = variables().keys().fold(given, |query, name| query.replace(&format!("${name}"), ".*"));
        assert!(!given.contains('$'), "a variable that the dashboard does not have: {query}");
        json!({ "record": format!("query:{n}"), "expr": given })
    };
    let rules: Vec<Value> = asked.iter().zip(1..).map(rule).collect();
    let folder = tempfile::tempdir().expect("a folder");
    // JSON is YAML.
    let file = json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string();
    fs::write(folder.path().join("rules.yml"), file).expect("a folder of ours");
    succeeds(&promtool(folder.path(), &["check", "rules", "rules.yml"])?);
    Ok(())
}

/// A run that shows each metric that an alert or a panel is on: also those of what goes wrong.
fn start(broker: &Broker) -> Running {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("strict").processes().on("no", Then::Reject("no".to_owned())).write(folder.path());
    let run = broker.loghost(["run", "--listen", "127.0.0.1:0"]).arg(&plugin).start();
    run.says("consuming from");
    broker.loghost(["publish", "error", "no"]).end().exits(0);
    fs::write(&plugin, "no plugin").expect("a file of ours");
    run.signal(Signal::Hangup);
    run.says("not reloaded, the old one goes on");
    run
}

/// The labels that the samples of a metric have.
fn labels(metrics: &str, metric: &str) -> Option<BTreeSet<String>> {
    let label = Regex::new(r#"([a-z0-9_]+)=""#).expect("a pattern");
    let of_metric = |line: &&str| line.strip_prefix(metric).is_some_and(|rest| rest.starts_with(['{', ' ']));
    let mut samples = metrics.lines().filter(of_metric).peekable();
    samples.peek()?;
    Some(samples.flat_map(|sample| label.captures_iter(sample).map(|found| found[1].to_owned())).collect())
}

/// The names that a pattern finds in a text, in lists whose items are apart by commas.
fn named(pattern: &str, text: &str) -> BTreeSet<String> {
    let found = Regex::new(pattern).expect("a pattern");
    let names = found
        .captures_iter(text)
        .flat_map(|found| found[1].split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>());
    names.collect()
}

/// With the labels by which they are chosen, grouped and called.
fn metrics_exist() -> Result<(), Skip> {
    // What Prometheus adds to each.
    const OF_SCRAPES: [&str; 2] = ["job", "instance"];
    let broker = Broker::new(Kind::Stream)?;
    let run = start(&broker);
    let http = Http::of(&run);
    let has = |metric: &str, wanted: &BTreeSet<String>, what: &str| {
        let answer = http.get_until("/metrics", |answer| labels(&answer.body, metric).is_some());
        let labels = labels(&answer.body, metric).unwrap_or_default();
        let missing: Vec<_> = wanted.iter().filter(|it| !labels.contains(*it)).collect();
        assert!(
            missing.iter().all(|it| OF_SCRAPES.contains(&it.as_str())),
            "{what}: {metric} has no {missing:?}"
        );
    };
    let mut seen = BTreeSet::new();
    for Asked { query, said } in of_panels().into_iter().chain(of_alerts()) {
        let metrics = named(r"((?:loghost|process)_[a-z_]+)", &query);
        assert!(!metrics.is_empty(), "{query}");
        let chosen = named(r#"([a-z_]+)(?:=~|!=|!~|=)""#, &query);
        let grouped = named(r"\bby \(([^)]*)\)", &query);
        let called = named(r"\{\{ *(?:\$labels\.)?([a-z_]+) *\}\}", &said);
        if !grouped.is_empty() {
            assert!(called.is_subset(&grouped), "{said}: {query} has nothing but {grouped:?}");
        }
        let wanted = [chosen, grouped, called].into_iter().flatten().collect();
        for metric in metrics {
            has(&metric, &wanted, &query);
            seen.insert(metric);
        }
    }
    assert!(seen.len() >= 15, "{seen:?}");
    for (name, variable) in variables().iter().filter(|(_, it)| it["type"] == "query") {
        let query = variable["query"]["query"].as_str().expect("a query");
        assert_eq!(variable["definition"], query, "{name}");
        let values = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        let (metric, label) = values.and_then(|values| values.split_once(", ")).expect("values of a label");
        has(metric, &[label.to_owned()].into(), query);
    }
    // The columns of the table.
    let columns = ["consumer", "state", "version", "sha256"].map(str::to_owned);
    let dashboard = dashboard();
    let include = items(&dashboard["panels"])
        .iter()
        .flat_map(|panel| panel["transformations"].as_array().into_iter().flatten())
        .find_map(|it| it["options"]["include"]["names"].as_array());
    assert_eq!(include, Some(&columns.iter().map(|it| json!(it)).collect()));
    has("loghost_consumer_state", &columns[..2].iter().cloned().collect(), "the table");
    has("loghost_consumer_info", &[0, 2, 3].map(|n| columns[n].clone()).into(), "the table");
    run.end_by(Signal::Terminate).exits(0);
    Ok(())
}

/// The one that is chosen on the dashboard; in the compose file it is the one that Grafana is provisioned with.
fn the_data_source_is_there() {
    let sources = YamlLoader::load_from_str(&text("compose/grafana/datasources.yaml")).expect("YAML");
    let [source] = &sources[0]["datasources"].as_vec().expect("data sources")[..] else {
        panic!("not one: {sources:?}");
    };
    let of_source = |key: &str| source[key].as_str().unwrap_or_default();
    assert_eq!(source["isDefault"].as_bool(), Some(true), "nothing is chosen on a new dashboard");
    let variables = variables();
    let chosen: Vec<_> = variables.iter().filter(|(_, it)| it["type"] == "datasource").collect();
    let [(name, variable)] = chosen[..] else { panic!("not one to choose from: {variables:?}") };
    // Without a value of its own, Grafana takes the default one of that type.
    assert_eq!((&variable["query"], &variable["current"]), (&json!(of_source("type")), &json!({})));
    let mut named = Vec::new();
    data_sources(&dashboard(), &mut named);
    assert!(named.len() >= 15, "{named:?}");
    let expected = json!({ "type": of_source("type"), "uid": format!("${{{name}}}") });
    assert_eq!(named.iter().find(|it| **it != expected), None);
    // Where it asks is where Prometheus listens, on the network of loghost.
    let compose = YamlLoader::load_from_str(&text("compose/compose.yaml")).expect("YAML");
    let prometheus = &compose[0]["services"]["prometheus"];
    assert_eq!(prometheus["network_mode"].as_str(), Some("service:loghost"));
    let port = of_source("url").strip_prefix("http://loghost:").expect("at loghost");
    let listens = format!("--web.listen-address=:{port}");
    let command: Vec<_> =
        prometheus["command"].as_vec().expect("a command").iter().filter_map(Yaml::as_str).collect();
    assert!(command.contains(&&*listens), "{listens} is not in {command:?}");
}

/// All that is called a data source in this.
fn data_sources(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("datasource").cloned());
            map.values().for_each(|value| data_sources(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| data_sources(value, found)),
        _ => {}
    }
}
