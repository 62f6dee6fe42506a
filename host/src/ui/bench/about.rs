//! What was measured, of what, with what.

use std::env::consts;

use serde_json::{Map, Value};

/// A run of benches on a machine.
pub(crate) struct About {
    pub(crate) broker: String,
    /// Its name, where the system tells.
    pub(crate) processor: Option<String>,
    pub(crate) processors: Option<usize>,
    pub(crate) runs: u32,
    pub(crate) logs: u64,
}

const BUILD: &str = if cfg!(debug_assertions) { "debug" } else { "release" };

impl About {
    /// For machines, and to be compared with those of an earlier run.
    pub(crate) fn fields(&self) -> Map<String, Value> {
        let Self { broker, processor, processors, runs, logs } = self;
        let mut fields = Map::new();
        let mut say = |key: &str, value: Value| fields.insert(key.to_owned(), value);
        say("loghost", env!("CARGO_PKG_VERSION").into());
        say("build", BUILD.into());
        say("broker", broker.as_str().into());
        say("system", system().into());
        say("processor", processor.clone().into());
        say("processors", (*processors).into());
        say("runs", (*runs).into());
        say("logs", (*logs).into());
        fields
    }

    /// For people, in a line.
    pub(super) fn line(&self) -> String {
        let Self { broker, processor, processors, runs, .. } = self;
        let unknown = || "unknown".to_owned();
        format!(
            "loghost {} ({BUILD} build), broker {broker}, {}, {} x {}; medians of {runs} runs, ± the run furthest off",
            env!("CARGO_PKG_VERSION"),
            system(),
            processors.map_or_else(unknown, |number| number.to_string()),
            processor.clone().unwrap_or_else(unknown),
        )
    }
}

fn system() -> String {
    format!("{} {}", consts::OS, consts::ARCH)
}
