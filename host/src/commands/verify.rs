//! `loghost verify`: plays scenarios, and compares what the plugins write with what is expected.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use loghost_broker::Broker;
use loghost_core::domain::{printable, printable_line};
use loghost_rabbitmq::{Address, Names, Prefix, Retry};
use loghost_wasm::Limits;
use serde_json::json;
use similar::{ChangeTag, TextDiff};

use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::scenario_runner::{Played, PlayedMetric, ScenarioRunner};
use crate::compose::suggestion::open_scenario;
use crate::compose::target::Target;
use crate::files::scenario_file::{self, Blessed};
use crate::ui::terminal::{self, BAD, Format, GOOD, TITLE, Unwritable};

/// What `verify` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) scenarios: Vec<PathBuf>,
    pub(crate) on: On,
    pub(crate) then: Then,
    pub(crate) timeout: Duration,
    pub(crate) format: Format,
    pub(crate) limits: Limits,
}

/// Which broker scenarios are played on.
#[derive(Clone, Debug)]
pub(crate) enum On {
    /// An embedded one, of its own.
    Embedded,
    /// The first of these that answers.
    Broker(Vec<Address>),
}

/// What is done with what the plugins write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is compared with what is expected.
    Compare,
    /// It becomes what is expected.
    Bless,
}

/// Plays the scenarios in turn.
pub(crate) async fn verify(options: Options) -> Result<(), Failure> {
    let (broker, addresses) = match options.on {
        On::Broker(addresses) => (None, addresses),
        On::Embedded => {
            let broker = embedded().await?;
            let address = address(&broker)?;
            (Some(broker), vec![address])
        }
    };
    // What is played goes with its connections: a play whose broker is lost has failed.
    let target =
        Target { addresses, names: Names::new(Prefix::default()), variable: None, retry: Retry::Never };
    let mut scenario_runner = ScenarioRunner::new(target, options.limits, options.timeout)?;
    let (mut passed, mut failed) = (0, 0);
    for path in &options.scenarios {
        let scenario = open_scenario(path)?;
        let name = scenario.name().to_owned();
        let played = scenario_runner.play(scenario).await?;
        if options.then == Then::Bless {
            bless(path, played)?;
            continue;
        }
        for metric in &played.metrics {
            if metric.passed() {
                passed += 1;
            } else {
                failed += 1;
            }
        }
        show(&name, &played, options.format)?;
    }
    if let Some(broker) = broker {
        broker.shutdown().await;
    }
    if options.then == Then::Bless {
        return Ok(());
    }
    if options.format == Format::Text {
        summarize(options.scenarios.len(), passed, failed)?;
    }
    if failed == 0 { Ok(()) } else { Err(Failure::silent(Status::Differs)) }
}

/// Starts a broker of this process's own.
pub(crate) async fn embedded() -> Result<Broker, Failure> {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Broker::bind(anywhere, loghost_broker::Options::default())
        .await
        .context("cannot start the embedded broker")
        .status(Status::Unavailable)
}

/// Where an embedded broker is.
pub(crate) fn address(broker: &Broker) -> Result<Address, Failure> {
    broker.url().parse().context("the embedded broker's URL").status(Status::Internal)
}

fn bless(path: &Path, played: Played) -> Result<(), Failure> {
    let mut texts = Vec::new();
    for PlayedMetric { expectation, actual } in played.metrics {
        match actual {
            Ok(text) => texts.push((expectation, text)),
            Err(reason) => {
                let text = format!("{}: not blessed: {}: {reason}", path.display(), expectation.consumer);
                return Err(Failure::new(Status::Differs, text));
            }
        }
    }
    let done = match scenario_file::bless(path, &texts).status(Status::BadInput)? {
        Blessed::Rewritten => "rewritten",
        Blessed::Unchanged => "as it was",
    };
    Ok(terminal::print(&format!("{}: {done}", printable_line(&path.to_string_lossy())))?)
}

fn show(scenario: &str, played: &Played, format: Format) -> Result<(), Unwritable> {
    if format == Format::Json {
        for metric in &played.metrics {
            terminal::print_json(&json!({
                "scenario": scenario,
                "consumer": metric.expectation.consumer.to_string(),
                "passed": metric.passed(),
                "expected": metric.expectation.text,
                "actual": metric.actual.as_ref().ok(),
                "error": metric.actual.as_ref().err(),
            }))?;
        }
        return Ok(());
    }
    terminal::print(&format!("{TITLE}{}{TITLE:#}", printable_line(scenario)))?;
    for metric in &played.metrics {
        terminal::print(&line(metric))?;
    }
    Ok(())
}

/// A metric's line of the report, and below it what differs.
pub(crate) fn line(metric: &PlayedMetric) -> String {
    let consumer = metric.expectation.consumer.to_string();
    let consumer = printable_line(&consumer);
    match &metric.actual {
        Err(reason) => format!("  {BAD}failed{BAD:#}   {consumer}: {}", printable_line(reason)),
        Ok(_) if metric.passed() => format!("  {GOOD}ok{GOOD:#}       {consumer}"),
        Ok(actual) => {
            format!("  {BAD}differs{BAD:#}  {consumer}\n{}", difference(&metric.expectation.text, actual))
        }
    }
}

/// What is expected and not there, and what is there and not expected, line by line.
fn difference(expected: &str, actual: &str) -> String {
    let diff = TextDiff::from_lines(expected, actual);
    let lines: Vec<String> = diff
        .iter_all_changes()
        .map(|change| {
            let text = change.value().strip_suffix('\n').unwrap_or(change.value());
            let text = printable(text);
            match change.tag() {
                ChangeTag::Delete => format!("    {BAD}- {text}{BAD:#}"),
                ChangeTag::Insert => format!("    {GOOD}+ {text}{GOOD:#}"),
                ChangeTag::Equal => format!("      {text}"),
            }
        })
        .collect();
    lines.join("\n")
}

fn summarize(scenarios: usize, passed: usize, failed: usize) -> Result<(), Unwritable> {
    let metrics = passed + failed;
    let (style, verdict) = match failed {
        0 => (GOOD, "all as expected".to_owned()),
        failed => (BAD, format!("{failed} not as expected (- expected, + written)")),
    };
    terminal::print(&format!(
        "{} of {}: {style}{verdict}{style:#}",
        counted(metrics, "metric"),
        counted(scenarios, "scenario"),
    ))
}

/// `1 metric`, `2 metrics`.
pub(crate) fn counted(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}
