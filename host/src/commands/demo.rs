//! `loghost demo`: the whole job in one process.

use std::path::PathBuf;
use std::sync::Arc;

use loghost_core::application::CheckedMetric;

use crate::compose::embedded::embedded;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::plugins::suggestion::open_scenario;
use crate::compose::scenario::runner::{ScenarioOptions, ScenarioRunner};
use crate::files::bundled;
use crate::files::scenario_file::ScenarioFile;
use crate::ui::demo::{self, DemoView};
use crate::ui::events::command::ReadingEvent;
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

/// Runs the scenario on an embedded broker, and shows every metric; to whoever watches, also which log goes where.
pub(crate) async fn demo(options: Options) -> Result<(), Failure> {
    let mut scenario = match options.scenario.to_str().and_then(bundled::scenario) {
        Some((name, text)) => ScenarioFile::bundled(name, text),
        None => open_scenario(&options.scenario)?,
    };
    let (broker, address) = embedded().await?;
    let begins = ReadingEvent::Demo { scenario: scenario.name().to_owned(), address: address.to_string() };
    terminal::tell(begins);
    let mut scenario_runner = ScenarioRunner::new(vec![address], ScenarioOptions::default())?;
    let mut view = None;
    if terminal::is_watched() {
        let logs = scenario.check().status(Status::BadInput)?.logs.total();
        let watching = Arc::new(DemoView::begin(logs));
        scenario_runner = scenario_runner.watched_by(Arc::clone(&watching) as _);
        view = Some(watching);
    }
    let result = Box::pin(scenario_runner.run(scenario)).await;
    if let Some(view) = view {
        view.end();
    }
    let result = result?;
    broker.shutdown().await;
    demo::print(&result.receipts.confirmed, &result.metrics)?;
    if result.metrics.iter().all(CheckedMetric::passed) {
        Ok(())
    } else {
        Err(Failure::silent(Status::Differs))
    }
}
