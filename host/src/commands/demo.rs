//! `loghost demo`: the whole job in one process.

use std::path::PathBuf;
use std::sync::Arc;

use loghost_core::application::CheckedMetric;

use crate::compose::embedded::embedded;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::scenario_runner::{PlayOptions, ScenarioRunner};
use crate::compose::suggestion::open_scenario;
use crate::files::bundled;
use crate::files::scenario_file::ScenarioFile;
use crate::ui::demo::{self, Playing};
use crate::ui::terminal;

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

/// Plays the scenario on an embedded broker, and shows every metric; to whoever watches, also which log goes where.
pub(crate) async fn demo(options: Options) -> Result<(), Failure> {
    let mut scenario = match options.scenario.to_str().and_then(bundled::scenario) {
        Some((name, text)) => ScenarioFile::bundled(name, text),
        None => open_scenario(&options.scenario)?,
    };
    let (broker, address) = embedded().await?;
    demo::say_playing(scenario.name(), &address);
    let mut scenario_runner = ScenarioRunner::new(vec![address], PlayOptions::default())?;
    let mut playing = None;
    if terminal::is_watched() {
        let logs = scenario.check().status(Status::BadInput)?.logs.total();
        let watching = Arc::new(Playing::begin(logs));
        scenario_runner = scenario_runner.watched_by(Arc::clone(&watching) as _);
        playing = Some(watching);
    }
    let played = Box::pin(scenario_runner.play(scenario)).await;
    if let Some(playing) = playing {
        playing.end();
    }
    let played = played?;
    broker.shutdown().await;
    demo::print(&played.receipts.confirmed, &played.metrics)?;
    if played.metrics.iter().all(CheckedMetric::passed) {
        Ok(())
    } else {
        Err(Failure::silent(Status::Differs))
    }
}
