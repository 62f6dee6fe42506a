//! `loghost verify`: runs scenarios, and compares what the plugins write with what is expected.

use std::path::{Path, PathBuf};

use loghost_core::application::{Checked, CheckedMetric, UnboundLogs};

use crate::compose::embedded::embedded;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::plugins::suggestion::open_scenario;
use crate::compose::scenario::runner::{ScenarioOptions, ScenarioResult, ScenarioRunner};
use crate::compose::target::BrokerChoice;
use crate::files::scenario_file;
use crate::ui::events::command::ReadingEvent;
use crate::ui::terminal::{self, OutputFormat, Progress};
use crate::ui::verify;

/// What `verify` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) scenarios: Vec<PathBuf>,
    pub(crate) on: BrokerChoice,
    pub(crate) then: MetricUse,
    /// How each of them is run.
    pub(crate) each: ScenarioOptions,
    pub(crate) format: OutputFormat,
}

/// What is done with what the plugins write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricUse {
    /// It is compared with what is expected.
    Compare,
    /// It becomes what is expected.
    Bless,
}

/// Runs the scenarios in turn.
pub(crate) async fn verify(options: Options) -> Result<(), Failure> {
    let (broker, addresses) = match options.on {
        BrokerChoice::Broker(addresses) => (None, addresses),
        BrokerChoice::Embedded => {
            let (broker, address) = embedded().await?;
            (Some(broker), vec![address])
        }
    };
    let mut scenario_runner = ScenarioRunner::new(addresses, options.each)?;
    let mut checked = Checked::default();
    let progress = match options.scenarios.len() {
        0 | 1 => Progress::none(),
        several => Progress::begin("verifying", several as u64, "scenarios"),
    };
    for path in &options.scenarios {
        let scenario = open_scenario(path)?;
        let name = scenario.name().to_owned();
        let result = Box::pin(scenario_runner.run(scenario)).await?;
        progress.one();
        if result.unbound.logs > 0 {
            terminal::tell(ReadingEvent::Unbound(name.clone(), result.unbound.clone()));
        }
        if options.then == MetricUse::Bless {
            bless(path, result)?;
            continue;
        }
        checked.add(&result.metrics);
        verify::print(&name, &result.metrics, options.format)?;
    }
    drop(progress);
    if let Some(broker) = broker {
        broker.shutdown().await;
    }
    if options.then == MetricUse::Bless {
        return Ok(());
    }
    if options.format == OutputFormat::Text {
        verify::print_summary(options.scenarios.len(), checked)?;
    }
    if checked.all_passed() { Ok(()) } else { Err(Failure::silent(Status::Differs)) }
}

fn bless(path: &Path, result: ScenarioResult) -> Result<(), Failure> {
    let UnboundLogs { logs, of, .. } = result.unbound;
    if logs > 0 && logs == of {
        let text = format!("{}: not blessed: none of its logs came to any consumer", path.display());
        return Err(Failure::new(Status::Differs, text));
    }
    let mut texts = Vec::new();
    for CheckedMetric { expectation, actual } in result.metrics {
        match actual {
            Ok(text) => texts.push((expectation, text)),
            Err(reason) => {
                let text = format!("{}: not blessed: {}: {reason}", path.display(), expectation.consumer);
                return Err(Failure::new(Status::Differs, text));
            }
        }
    }
    let blessed = scenario_file::bless(path, &texts).status(Status::BadInput)?;
    Ok(verify::print_blessed(path, blessed)?)
}
