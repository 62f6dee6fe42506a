//! What happens to consumers, in words and in figures.

use std::error::Error;

use loghost_core::application::{
    Beginning, ConsumerEvent, DeadLettering, Level, ReloadRefusal, SourceError, Uncounted,
};
use loghost_core::domain::{ConsumerName, RemovedOffsets, Timestamp};
use serde_json::{Value, json};

use super::{Queues, Readers, ShownEvent};
use crate::ui::time::date;

/// An event of a consumer as it is shown; none of what happens all the time.
pub(super) fn shown<'a>(
    consumer: &'a ConsumerName,
    event: &ConsumerEvent<'_>,
    queues: Queues,
) -> Option<ShownEvent<'a>> {
    let text = text(event, queues)?;
    let readers = match event {
        // That is said of all consumers in one line.
        ConsumerEvent::Consuming(Beginning::AtStart) => Readers::Machines,
        _ => Readers::All,
    };
    let shown = ShownEvent::new(level(event), name(event), text, fields(event));
    Some(ShownEvent { readers, consumer: Some(consumer.as_str()), ..shown })
}

/// How much it matters that this has happened to a consumer.
fn level(event: &ConsumerEvent<'_>) -> Level {
    match event {
        ConsumerEvent::Consuming(_)
        | ConsumerEvent::StandingBy
        | ConsumerEvent::Recovered
        | ConsumerEvent::PassedBy(_)
        | ConsumerEvent::CountedByOffset(_)
        | ConsumerEvent::Paused
        | ConsumerEvent::Resumed
        | ConsumerEvent::Reloaded(..) => Level::Info,
        ConsumerEvent::Reopening(_)
        | ConsumerEvent::Failed(..)
        | ConsumerEvent::Saturated(_)
        | ConsumerEvent::NotCounted(..)
        | ConsumerEvent::LeftUncounted(..)
        | ConsumerEvent::Measured(Err(_))
        | ConsumerEvent::Removed(_) => Level::Warning,
        ConsumerEvent::Stopped(..) | ConsumerEvent::ReloadRefused(_) => Level::Error,
        ConsumerEvent::Opening { .. }
        | ConsumerEvent::Received { .. }
        | ConsumerEvent::Processed { .. }
        | ConsumerEvent::Trapped { .. }
        | ConsumerEvent::Traced(_)
        | ConsumerEvent::Retrying(_)
        | ConsumerEvent::DeadLettered(_)
        | ConsumerEvent::Committed { .. }
        | ConsumerEvent::StreamsCommitted(_)
        | ConsumerEvent::Acknowledged { .. }
        | ConsumerEvent::CallBegins
        | ConsumerEvent::CallEnds
        | ConsumerEvent::Reported(_)
        | ConsumerEvent::Memory(_)
        | ConsumerEvent::Measured(Ok(_))
        | ConsumerEvent::Ended(_) => Level::Debug,
    }
}

/// What an event is called, for machines.
fn name(event: &ConsumerEvent<'_>) -> &'static str {
    match event {
        ConsumerEvent::Opening { .. } => "opening",
        ConsumerEvent::Consuming(_) => "consuming",
        ConsumerEvent::StandingBy => "standing_by",
        ConsumerEvent::Reopening(_) => "reopening",
        ConsumerEvent::Received { .. } => "received",
        ConsumerEvent::Processed { .. } => "processed",
        ConsumerEvent::Trapped { .. } => "trapped",
        ConsumerEvent::Traced(_) => "traced",
        ConsumerEvent::Failed(..) => "failed",
        ConsumerEvent::Retrying(_) => "retrying",
        ConsumerEvent::DeadLettered(_) => "dead_lettered",
        ConsumerEvent::Committed { .. } => "committed",
        ConsumerEvent::StreamsCommitted(_) => "streams_committed",
        ConsumerEvent::Removed(_) => "logs_removed",
        ConsumerEvent::Acknowledged { .. } => "acknowledged",
        ConsumerEvent::CallBegins => "call_begins",
        ConsumerEvent::CallEnds => "call_ends",
        ConsumerEvent::Stopped(..) => "stopped",
        ConsumerEvent::Recovered => "recovered",
        ConsumerEvent::Saturated(_) => "saturated",
        ConsumerEvent::Paused => "paused",
        ConsumerEvent::Resumed => "resumed",
        ConsumerEvent::Reported(_) => "reported",
        ConsumerEvent::Memory(_) => "memory",
        ConsumerEvent::Measured(_) => "measured",
        ConsumerEvent::NotCounted(..) => "not_counted",
        ConsumerEvent::LeftUncounted(..) => "left_uncounted",
        ConsumerEvent::PassedBy(_) => "passed_by",
        ConsumerEvent::CountedByOffset(_) => "counted_by_offset",
        ConsumerEvent::Reloaded(..) => "reloaded",
        ConsumerEvent::ReloadRefused(_) => "reload_refused",
        ConsumerEvent::Ended(_) => "ended",
    }
}

/// The figures and names in an event that has a [`text`].
fn fields(event: &ConsumerEvent<'_>) -> Value {
    match event {
        ConsumerEvent::Failed(error, record) => json!({
            "error": error.reason,
            "id": record.and_then(|record| record.id.clone()),
            "severity": record.map(|record| record.severity.as_str()),
        }),
        ConsumerEvent::Stopped(error, delay) => {
            json!({ "error": error.reason, "retry_after_seconds": delay.as_secs_f64() })
        }
        ConsumerEvent::Saturated(waiting) => json!({ "waiting": waiting }),
        ConsumerEvent::NotCounted(reason, _) => json!({ "reason": reason }),
        ConsumerEvent::LeftUncounted(Uncounted { foreign, undeliverable, unwanted }, _) => {
            json!({ "foreign": foreign, "undeliverable": undeliverable, "unwanted": unwanted })
        }
        ConsumerEvent::PassedBy(logs) | ConsumerEvent::CountedByOffset(logs) => json!({ "logs": logs }),
        ConsumerEvent::Reloaded(descriptor, digest) => {
            json!({ "version": descriptor.version, "sha256": digest })
        }
        ConsumerEvent::Measured(Err(error)) | ConsumerEvent::ReloadRefused(ReloadRefusal::State(error)) => {
            json!({ "error": error.reason })
        }
        ConsumerEvent::ReloadRefused(ReloadRefusal::Unloadable(error)) => json!({ "error": error }),
        ConsumerEvent::Removed(removed) => json!({
            "stream": &*removed.stream,
            "from": removed.first,
            "to": removed.last,
            "offsets": removed.count(),
            "after": removed.after.map(Timestamp::as_millis),
            "before": removed.before.map(Timestamp::as_millis),
        }),
        _ => Value::Null,
    }
}

/// What has happened, in a line; none of what happens all the time.
fn text(event: &ConsumerEvent<'_>, queues: Queues) -> Option<String> {
    let again = match queues {
        Queues::Copies => "what was in it, and what is published meanwhile, is not seen",
        Queues::Named => "what was not acknowledged comes again",
    };
    Some(match event {
        ConsumerEvent::Consuming(_) => "consuming".to_owned(),
        ConsumerEvent::StandingBy => {
            "standing by: another host consumes its queue; takes over when that has gone".to_owned()
        }
        // Of a connection there is one line for all.
        ConsumerEvent::Reopening(SourceError::Lost(cause)) => {
            format!("lost its queue ({cause}): opening it again; {again}")
        }
        ConsumerEvent::Reopening(error @ SourceError::Cancelled(_)) => {
            format!("{error}: opening its queue again; if so, what was in it is gone")
        }
        ConsumerEvent::Reopening(SourceError::NotReady(cause)) => {
            format!("its queue cannot be opened yet ({cause}): trying again until it can")
        }
        ConsumerEvent::Failed(error, Some(record)) => {
            let id = record.id.as_deref().unwrap_or("without an id");
            format!("failed at one log ({}, {id}), which goes to the dead letters: {error}", record.severity)
        }
        ConsumerEvent::Failed(error, None) => format!("failed at a tick: {error}"),
        ConsumerEvent::Stopped(error, delay) => format!(
            "stopped, because it keeps failing: its queue is left as it is, and one log is tried in {} \
             (or mend it: a new file with --watch, or SIGHUP): {error}",
            humantime::format_duration(*delay)
        ),
        ConsumerEvent::Paused => match queues {
            Queues::Named => {
                "paused: what comes waits in its queue, unless another host stands by, which takes over now"
                    .to_owned()
            }
            Queues::Copies => "paused: what is published meanwhile is not seen".to_owned(),
        },
        ConsumerEvent::Resumed => "resumed: opening its queue again".to_owned(),
        ConsumerEvent::Saturated(waiting) => {
            format!(
                "takes no more: {waiting} logs wait for another attempt, or for the broker to take them as dead letters"
            )
        }
        ConsumerEvent::NotCounted(reason, dead_lettering) => {
            let destination = match dead_lettering {
                DeadLettering::Ready(()) | DeadLettering::Unread => "goes to the dead letters",
                DeadLettering::None => "is acknowledged: a queue that ends with the run has no dead letters",
            };
            format!(
                "a message is not counted, and {destination} ({reason}); how many more, is said at the end"
            )
        }
        ConsumerEvent::LeftUncounted(uncounted, dead_lettering) => left_uncounted(uncounted, *dead_lettering),
        ConsumerEvent::PassedBy(logs) => format!(
            "not wanted in this run: {logs} logs that were found in messages of other producers; they were acknowledged"
        ),
        ConsumerEvent::CountedByOffset(logs) => format!(
            "{logs} logs of this run came without an id, which does not matter for those of streams: each is counted once, by its \
             offset; of those that came from a queue, one that came twice is counted twice"
        ),
        ConsumerEvent::Removed(removed) => logs_removed(removed),
        ConsumerEvent::Measured(Err(error)) => {
            format!(
                "has no figures of its own for monitoring, and is asked for some again in a minute: {error}"
            )
        }
        ConsumerEvent::Recovered => "no longer fails: goes on".to_owned(),
        ConsumerEvent::Reloaded(descriptor, digest) => {
            let digest = digest.get(..12).unwrap_or(digest);
            format!("reloaded: version {} ({digest}) has taken over", descriptor.version)
        }
        ConsumerEvent::ReloadRefused(ReloadRefusal::State(error)) => {
            format!("not reloaded, the old one goes on: the new one does not take up its state: {error}")
        }
        ConsumerEvent::ReloadRefused(ReloadRefusal::Unloadable(error)) => {
            format!("not reloaded, the old one goes on: {error}")
        }
        // What has come of an exhausted source is told by other events.
        ConsumerEvent::Reopening(SourceError::Exhausted)
        | ConsumerEvent::Opening { .. }
        | ConsumerEvent::Received { .. }
        | ConsumerEvent::Processed { .. }
        | ConsumerEvent::Trapped { .. }
        | ConsumerEvent::Retrying(_)
        | ConsumerEvent::DeadLettered(_)
        | ConsumerEvent::Committed { .. }
        | ConsumerEvent::StreamsCommitted(_)
        | ConsumerEvent::Acknowledged { .. }
        | ConsumerEvent::CallBegins
        | ConsumerEvent::CallEnds
        | ConsumerEvent::Reported(_)
        | ConsumerEvent::Memory(_)
        | ConsumerEvent::Measured(Ok(_))
        | ConsumerEvent::ReloadRefused(ReloadRefusal::All)
        | ConsumerEvent::Traced(_)
        | ConsumerEvent::Ended(_) => return None,
        ConsumerEvent::Reopening(error) => {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{error}{cause}: opening its queue again; {again}")
        }
    })
}

fn logs_removed(removed: &RemovedOffsets) -> String {
    let RemovedOffsets { stream, first, last, after, before } = removed;
    let time = |at: Timestamp| date(at, humantime::format_rfc3339_millis);
    let when = match (after.map(time), before.map(time)) {
        (Some(after), Some(before)) => format!(", written between {after} and {before}"),
        (Some(after), None) => format!(", written after {after}"),
        (None, Some(before)) => format!(", written before {before}"),
        (None, None) => String::new(),
    };
    let offsets = removed.count();
    format!(
        "logs of the stream `{stream}` were removed before they were read: {offsets} offsets at most, from {first} to \
         {last}{when}; its retention is too short for how long this consumer was away or behind"
    )
}

fn left_uncounted(uncounted: &Uncounted, dead_lettering: DeadLettering) -> String {
    let Uncounted { foreign, undeliverable, unwanted } = uncounted;
    let destination = match dead_lettering {
        DeadLettering::Ready(()) | DeadLettering::Unread => "went to the dead letters",
        DeadLettering::None => "were acknowledged: a queue that ends with the run has no dead letters",
    };
    format!(
        "not counted in this run: {foreign} messages that were not published as logs (foreign), {undeliverable} that \
         the broker could not deliver (undeliverable), {unwanted} logs that its filter does not want (unwanted); they {destination}"
    )
}
