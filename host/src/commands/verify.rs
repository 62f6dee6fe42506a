//! `loghost verify`: plays scenarios, and compares what the plugins write with what is expected.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use loghost_broker::Broker;
use loghost_core::domain::printable_line;
use loghost_rabbitmq::{Address, Names, Prefix, Retry};
use loghost_wasm::Limits;

use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::scenario_runner::{Played, ScenarioRunner};
use crate::compose::suggestion::open_scenario;
use crate::compose::target::Target;
use crate::files::scenario_file::{self, Blessed};
use crate::ui::terminal::{self, Format};
use crate::ui::verify::{self, PlayedMetric};

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
    let target = Target { addresses, names: Names::new(Prefix::default()), retry: Retry::Never };
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
        verify::print(&name, &played.metrics, options.format)?;
    }
    if let Some(broker) = broker {
        broker.shutdown().await;
    }
    if options.then == Then::Bless {
        return Ok(());
    }
    if options.format == Format::Text {
        verify::print_summary(options.scenarios.len(), passed, failed)?;
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
