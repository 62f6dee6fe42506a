//! `loghost demo`: the whole job in one process.

use std::path::{Path, PathBuf};
use std::time::Duration;

use loghost_core::domain::{printable, printable_line};
use loghost_rabbitmq::{Names, Prefix, Retry};
use loghost_wasm::Limits;

use crate::commands::verify::{address, counted, embedded, line};
use crate::compose::failure::{Failure, Status};
use crate::compose::scenario_runner::{Played, PlayedMetric, ScenarioRunner, confirmed_text};
use crate::compose::suggestion::open_scenario;
use crate::compose::target::Target;
use crate::files::bundled;
use crate::files::scenario_file::ScenarioFile;
use crate::ui::terminal::{self, DIM, GOOD, TITLE, Unwritable};

/// What `demo` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The number of one in the binary, or a file.
    pub(crate) scenario: PathBuf,
}

/// Plays the scenario on an embedded broker, and shows every metric.
pub(crate) async fn demo(options: Options) -> Result<(), Failure> {
    let scenario = match options.scenario.to_str().and_then(bundled::scenario) {
        Some((name, text)) => ScenarioFile::bundled(name, text),
        None => open_scenario(&options.scenario).map_err(|failure| of_number(&options.scenario, failure))?,
    };
    let broker = embedded().await?;
    let address = address(&broker)?;
    terminal::notice(&format!("playing {} on an embedded broker at {address}", scenario.name()));
    let names = Names::new(Prefix::default());
    let target = Target { addresses: vec![address], names, variable: None, retry: Retry::Never };
    let mut scenario_runner = ScenarioRunner::new(target, Limits::default(), Duration::from_secs(30))?;
    let played = scenario_runner.play(scenario).await?;
    broker.shutdown().await;
    show(&played)?;
    if played.metrics.iter().all(PlayedMetric::passed) {
        Ok(())
    } else {
        Err(Failure::silent(Status::Differs))
    }
}

/// Of a number, which there are; of a file, what is wrong with it.
fn of_number(scenario: &Path, failure: Failure) -> Failure {
    match scenario.to_str().and_then(|text| text.parse::<i64>().ok()) {
        Some(number) if !scenario.exists() => {
            let all = bundled::scenarios().collect::<Vec<_>>().join(", ");
            Failure::new(
                Status::BadInput,
                format!("there is no scenario {number} in the binary: there are {all}"),
            )
        }
        _ => failure,
    }
}

fn show(played: &Played) -> Result<(), Unwritable> {
    terminal::print(&format!("published  {}\n", confirmed_text(&played.receipts.confirmed)))?;
    for metric in &played.metrics {
        let text = match &metric.actual {
            Ok(text) => indented(text),
            Err(_) => String::new(),
        };
        terminal::print(&format!(
            "{TITLE}{}{TITLE:#}\n{text}",
            printable_line(&metric.expectation.consumer.to_string())
        ))?;
    }
    let wrong: Vec<String> = played.metrics.iter().filter(|metric| !metric.passed()).map(line).collect();
    if wrong.is_empty() {
        let metrics = counted(played.metrics.len(), "metric");
        return terminal::print(&format!("{GOOD}{metrics}, as the scenario expects{GOOD:#}"));
    }
    terminal::print(&format!(
        "not as the scenario expects {DIM}(- expected, + written){DIM:#}\n{}",
        wrong.join("\n")
    ))
}

fn indented(text: &str) -> String {
    printable(text).split_inclusive('\n').flat_map(|line| ["  ", line]).chain(["\n"]).collect()
}
