//! Starting: how long a host takes from the start of its process until it consumes.

use std::time::Instant;

use anyhow::{Context, anyhow};

use super::environment::Environment;
use super::sample::BenchSample;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::files::bundled;
use crate::platform::process::ChildOutput;
use crate::ui::bench::Quantity;

/// The bundled plugins, the one that counts everything first.
const PLUGINS: [&str; 4] = ["all", "critical", "debug-info", "error"];

/// How long a host of so many bundled plugins takes to start.
pub(super) async fn start(environment: &mut Environment, plugins: u32) -> Result<BenchSample, Failure> {
    let names = PLUGINS.iter().take(plugins as usize);
    let files = names.filter_map(|name| Some(((*name).to_owned(), bundled::plugin(name)?.to_vec())));
    let folder = environment.files(&format!("bundled-{plugins}"), files)?;

    let begin = Instant::now();
    let mut host = environment.host(&folder, &["--until-idle", "10s"], None, ChildOutput::Errors)?;
    let mut said = Vec::new();
    let elapsed = loop {
        match host.line().await.context("cannot listen to another host").status(Status::Internal)? {
            Some(line) if line.contains("consuming from") => break begin.elapsed(),
            Some(line) => said.push(line),
            None => {
                let error = anyhow!("a host that was started has ended at once: {}", said.join("; "));
                return Err(Failure::of(Status::Internal, error));
            }
        }
    };
    host.end().await.context("cannot end another host").status(Status::Internal)?;
    Ok(vec![(Quantity::Start, elapsed.as_secs_f64() * 1e3)])
}
