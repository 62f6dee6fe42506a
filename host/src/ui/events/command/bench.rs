//! What happens while `bench` measures.

use loghost_core::application::Level;
use serde_json::{Value, json};

use super::CommandEvent;
use crate::ui::bench::{Bench, BenchPhase};

/// What happens while `bench` measures. Parts are of 1.
#[derive(Debug)]
pub(crate) enum BenchEvent {
    /// This bench has come so far.
    Progress(Bench, BenchPhase),
    /// The binary is a debug build.
    DebugBuild,
    /// The baseline was made with another build or on another machine: what differs.
    OtherBaseline(String),
    /// The same computation took this part longer than at its best, or more, at 1 of 10 times.
    Noisy(f64),
    /// So many figures of all differ between runs by more than this part.
    RunsDiffer {
        /// How many do.
        wide: usize,
        /// How many there are.
        figures: usize,
        /// The part.
        noise: f64,
    },
    /// The baseline has no such cases.
    BaselineLacks(Vec<String>),
    /// Only the baseline has such cases.
    OnlyBaseline(Vec<String>),
    /// The memory of a process is not known on this system.
    MemoryUnknown,
    /// Queues and exchanges with this prefix may still be on the broker.
    LeftBehind(String),
}

impl CommandEvent for BenchEvent {
    fn level(&self) -> Level {
        if matches!(self, Self::Progress(..)) { Level::Info } else { Level::Warning }
    }

    fn told(&self) -> (&'static str, String, Value) {
        let percent = |part: f64| part * 100.0;
        match self {
            Self::Progress(bench, phase) => progress(*bench, phase),
            Self::DebugBuild => {
                let text = "this is a debug build: what people run is many times as fast";
                ("debug_build", text.to_owned(), Value::Null)
            }
            Self::OtherBaseline(differences) => {
                let text = format!("the baseline is of another build or machine: {differences}");
                ("other_baseline", text, json!({ "differences": differences }))
            }
            Self::Noisy(noise) => {
                let text = format!(
                    "the machine was noisy: a computation that is always the same took {:.0} % longer than at its best, \
                     or more, in one of ten tries",
                    percent(*noise)
                );
                ("noisy", text, json!({ "noise": noise }))
            }
            Self::RunsDiffer { wide, figures, noise } => {
                let text = format!(
                    "the runs differ: {wide} of {figures} figures spread by more than {:.0} %; compare runs on a machine that does \
                     nothing else, or give it more --runs",
                    percent(*noise)
                );
                ("runs_differ", text, json!({ "wide": wide, "figures": figures, "noise": noise }))
            }
            Self::BaselineLacks(cases) => {
                let text = format!("the baseline lacks: {}", cases.join("; "));
                ("baseline_lacks", text, json!({ "cases": cases }))
            }
            Self::OnlyBaseline(cases) => {
                let text = format!("only the baseline has: {}", cases.join("; "));
                ("only_baseline", text, json!({ "cases": cases }))
            }
            Self::MemoryUnknown => {
                let text = "how much memory a process has cannot be told on this system";
                ("memory_unknown", text.to_owned(), Value::Null)
            }
            Self::LeftBehind(prefix) => {
                let text = format!("what is called `{prefix}` may be left behind on the broker");
                ("left_behind", text, json!({ "prefix": prefix }))
            }
        }
    }
}

fn progress(bench: Bench, phase: &BenchPhase) -> (&'static str, String, Value) {
    let name = bench.to_string();
    match phase {
        BenchPhase::WarmingUp => ("warming_up", format!("{bench}: warming up"), json!({ "bench": name })),
        BenchPhase::Once => {
            let fields = json!({ "bench": name, "run": 1, "runs": 1 });
            ("measuring", format!("{bench}: each case once"), fields)
        }
        BenchPhase::Run(run, of) => {
            let fields = json!({ "bench": name, "run": run, "runs": of });
            ("measuring", format!("{bench}: run {run} of {of}"), fields)
        }
    }
}
