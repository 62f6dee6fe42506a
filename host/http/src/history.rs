//! The last hour as JSON. `host/API.md` describes it, and `history.schema.json` beside this crate's manifest.

use std::collections::BTreeMap;
use std::time::Instant;

use loghost_board::{Board, LONGEST, STEP};
use loghost_core::domain::{Severity, Tally};
use serde::Serialize;

#[derive(Serialize)]
struct HistoryAnswer {
    seconds: u64,
    consumers: Vec<ConsumerHistory>,
}

#[derive(Serialize)]
struct ConsumerHistory {
    name: String,
    received: BTreeMap<&'static str, Vec<u64>>,
}

/// What each consumer has received in each step of the last hour.
pub(crate) fn history(board: &Board) -> Result<String, serde_json::Error> {
    let now = Instant::now();
    let consumers = board.map(|name, it| (name.to_string(), it.history.until(now, LONGEST)));
    let consumers = consumers.into_iter().map(|(name, steps)| consumer(name, &steps)).collect();
    serde_json::to_string(&HistoryAnswer { seconds: STEP.as_secs(), consumers })
}

fn consumer(name: String, steps: &[Tally]) -> ConsumerHistory {
    let of = |severity| steps.iter().map(|step| step[severity]).collect();
    ConsumerHistory { name, received: Severity::ALL.map(|severity| (severity.as_str(), of(severity))).into() }
}
