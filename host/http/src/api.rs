//! What is known of a run as JSON. `host/API.md` describes it, and `consumers.schema.json` beside this crate's manifest.

use std::collections::BTreeMap;

use loghost_board::{Board, Connection, Consumer, DeadLetter, Depths, StreamProgress};
use loghost_core::domain::{ConsumerName, Counts, Severity, Tally};
use serde::Serialize;

#[derive(Serialize)]
struct Answer {
    version: &'static str,
    /// Whether consumers can be controlled.
    control: bool,
    consumers: Vec<ConsumerAnswer>,
    connections: Vec<ConnectionAnswer>,
}

#[derive(Serialize)]
struct ConsumerAnswer {
    name: String,
    version: Option<String>,
    sha256: Option<String>,
    severities: Vec<&'static str>,
    state: &'static str,
    reason: Option<String>,
    since: u64,
    last_failure: Option<String>,
    received: BTreeMap<&'static str, u64>,
    counts: CountsAnswer,
    dead_letters: BTreeMap<&'static str, u64>,
    /// The newest first.
    last_dead_letters: Vec<DeadLetterAnswer>,
    deliveries: DeliveriesAnswer,
    calls: u64,
    call_seconds: f64,
    traps: u64,
    retries: u64,
    stops: u64,
    commits: u64,
    /// Messages that wait in its queue; null where that is not known.
    queue: Option<u32>,
    /// Of its plugin, in bytes.
    memory: u64,
    metric: Option<MetricAnswer>,
    /// Those that it reads.
    streams: Vec<StreamAnswer>,
}

#[derive(Serialize)]
struct StreamAnswer {
    stream: String,
    committed_offset: Option<u64>,
    /// These two are null where the broker does not tell.
    last_offset: Option<u64>,
    lag: Option<u64>,
}

#[derive(Serialize)]
struct CountsAnswer {
    accepted: BTreeMap<&'static str, u64>,
    rejected: BTreeMap<&'static str, u64>,
    skipped: BTreeMap<&'static str, u64>,
    unwanted: BTreeMap<&'static str, u64>,
    foreign: u64,
    undeliverable: u64,
    repeated: u64,
    without_id: u64,
    /// Whether that does not matter for logs of streams, some of which it has read.
    counted_by_offset: bool,
    undetermined: u64,
    removed: u64,
}

#[derive(Serialize)]
struct DeliveriesAnswer {
    received: u64,
    acknowledged: u64,
    unacknowledged: usize,
    waiting: usize,
}

#[derive(Serialize)]
struct DeadLetterAnswer {
    at: u64,
    cause: &'static str,
    reason: String,
    attempts: u32,
}

/// One of the two is null.
#[derive(Serialize)]
struct MetricAnswer {
    text: Option<String>,
    error: Option<String>,
}

#[derive(Serialize)]
struct ConnectionAnswer {
    purpose: String,
    up: bool,
    address: Option<String>,
    cause: Option<String>,
    blocked: Option<String>,
    reconnects: u64,
}

/// The consumers and connections of the board, and these depths of queues.
pub(crate) fn consumers(
    board: &Board,
    depths: &Depths,
    version: &'static str,
    control: bool,
) -> Result<String, serde_json::Error> {
    let consumers = board.consumers().into_iter().map(|(name, it)| consumer(&name, it, depths)).collect();
    let connections = board.connections().into_iter().map(|(purpose, it)| connection(purpose, it)).collect();
    serde_json::to_string(&Answer { version, control, consumers, connections })
}

fn consumer(name: &ConsumerName, it: Consumer, depths: &Depths) -> ConsumerAnswer {
    let is_known = !it.digest.is_empty();
    ConsumerAnswer {
        name: name.to_string(),
        dead_letters: it.dead_letters().collect(),
        last_dead_letters: it.last_dead_letters.iter().map(dead_letter).collect(),
        severities: it.severities.iter().map(Severity::as_str).collect(),
        version: is_known.then_some(it.version),
        sha256: is_known.then_some(it.digest),
        state: it.state.as_str(),
        reason: it.reason,
        since: it.since,
        last_failure: it.last_failure,
        received: by_severity(&it.received),
        counts: counts(&it.counts, !it.offsets.is_empty()),
        deliveries: DeliveriesAnswer {
            received: it.deliveries,
            acknowledged: it.acknowledged,
            unacknowledged: it.load.taken,
            waiting: it.load.waiting,
        },
        calls: it.calls.count(),
        call_seconds: it.calls.sum(),
        traps: it.traps,
        retries: it.retries,
        stops: it.stops,
        commits: it.commits.count(),
        queue: depths.queues.get(name).copied(),
        streams: it.offsets.iter().map(|next| stream(StreamProgress::of(next, depths))).collect(),
        memory: it.memory,
        metric: it.metric.map(metric),
    }
}

fn counts(counts: &Counts, counted_by_offset: bool) -> CountsAnswer {
    let Counts {
        accepted,
        rejected,
        skipped,
        unwanted,
        foreign,
        undeliverable,
        repeated,
        without_id,
        undetermined,
        removed,
        first: _,
        last: _,
    } = counts;
    CountsAnswer {
        accepted: by_severity(accepted),
        rejected: by_severity(rejected),
        skipped: by_severity(skipped),
        unwanted: by_severity(unwanted),
        foreign: *foreign,
        undeliverable: *undeliverable,
        repeated: *repeated,
        without_id: *without_id,
        counted_by_offset,
        undetermined: *undetermined,
        removed: *removed,
    }
}

fn stream(StreamProgress { stream, committed, last, lag }: StreamProgress<'_>) -> StreamAnswer {
    StreamAnswer { stream: stream.to_owned(), committed_offset: committed, last_offset: last, lag }
}

fn dead_letter(it: &DeadLetter) -> DeadLetterAnswer {
    DeadLetterAnswer { at: it.at, cause: it.cause, reason: it.reason.to_string(), attempts: it.attempts }
}

fn metric(metric: Result<String, String>) -> MetricAnswer {
    let (text, error) = match metric {
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(error)),
    };
    MetricAnswer { text, error }
}

fn connection(purpose: String, it: Connection) -> ConnectionAnswer {
    let Connection { is_up, address, cause, blocked, reconnects, .. } = it;
    ConnectionAnswer { purpose, up: is_up, address, cause, blocked, reconnects }
}

fn by_severity(tally: &Tally) -> BTreeMap<&'static str, u64> {
    tally.iter().map(|(severity, logs)| (severity.as_str(), logs)).collect()
}
