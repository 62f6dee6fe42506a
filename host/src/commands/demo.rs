//! `loghost demo`: the whole job in one process.

use std::path::PathBuf;

use crate::compose::embedded::embedded;
use crate::compose::failure::{Failure, Status};
use crate::compose::scenario_runner::{PlayOptions, ScenarioRunner};
use crate::compose::suggestion::open_scenario;
use crate::files::bundled;
use crate::files::scenario_file::ScenarioFile;
use crate::ui::demo;
use crate::ui::verify::PlayedMetric;

/// What `demo` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The number of one in the binary, or a file.
    pub(crate) scenario: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self { scenario: "1".into() }
    }
}

/// Plays the scenario on an embedded broker, and shows every metric.
pub(crate) async fn demo(options: Options) -> Result<(), Failure> {
    let scenario = match options.scenario.to_str().and_then(bundled::scenario) {
        Some((name, text)) => ScenarioFile::bundled(name, text),
        None => open_scenario(&options.scenario)?,
    };
    let (broker, address) = embedded().await?;
    demo::say_playing(scenario.name(), &address);
    let mut scenario_runner = ScenarioRunner::new(vec![address], PlayOptions::default())?;
    let played = Box::pin(scenario_runner.play(scenario)).await?;
    broker.shutdown().await;
    demo::print(&played.receipts.confirmed, &played.metrics)?;
    if played.metrics.iter().all(PlayedMetric::passed) {
        Ok(())
    } else {
        Err(Failure::silent(Status::Differs))
    }
}
