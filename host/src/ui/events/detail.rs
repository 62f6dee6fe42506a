//! What happens to consumers all the time, for whoever looks closely: each batch, commit and acknowledgement.

use loghost_core::application::{ConsumerEvent, Level};
use loghost_core::domain::ConsumerName;
use serde_json::{Value, json};

use super::ShownEvent;
use crate::ui::terminal::{counted, tally_json, total_text};

/// An event of a consumer that happens all the time; none of the others.
pub(super) fn shown<'a>(consumer: &'a ConsumerName, event: &ConsumerEvent<'_>) -> Option<ShownEvent<'a>> {
    let (name, text, fields) = told(event)?;
    Some(ShownEvent {
        consumer: Some(consumer.as_str()),
        ..ShownEvent::new(Level::Debug, name, text, fields)
    })
}

/// What it is called, what has happened, and the figures in it.
fn told(event: &ConsumerEvent<'_>) -> Option<(&'static str, String, Value)> {
    Some(match event {
        ConsumerEvent::Opening { descriptor, digest, counts } => {
            let (version, total) = (&descriptor.version, counts.total());
            let text = format!("opens its queue: version {version}; logs counted before: {total}");
            ("opening", text, json!({ "version": version, "sha256": digest, "counted": total }))
        }
        ConsumerEvent::Received { deliveries, logs } => {
            let text = format!("received {}", total_text(logs));
            ("received", text, json!({ "deliveries": deliveries, "logs": tally_json(logs) }))
        }
        ConsumerEvent::Processed { logs, took } => {
            let text = format!("was shown {} in {took:.1?}", counted(*logs, "log"));
            ("processed", text, json!({ "logs": logs, "seconds": took.as_secs_f64() }))
        }
        ConsumerEvent::Trapped { logs } => {
            ("trapped", format!("failed at a call with {}", counted(*logs, "log")), json!({ "logs": logs }))
        }
        ConsumerEvent::Retrying(logs) => {
            ("retrying", format!("wants to try {} again", counted(*logs, "log")), json!({ "logs": logs }))
        }
        ConsumerEvent::DeadLettered(rejection) => {
            let cause = rejection.cause.as_str();
            let text = format!("a delivery is a dead letter: {}", cause.replace('_', " "));
            ("dead_lettered", text, json!({ "cause": cause }))
        }
        ConsumerEvent::Committed { counts, deliveries, took } => {
            let total = counts.total();
            let deliveries_in_it = counted(*deliveries, "message");
            let text = format!("committed {deliveries_in_it} in {took:.1?}; logs counted: {total}");
            let seconds = took.as_secs_f64();
            ("committed", text, json!({ "deliveries": deliveries, "seconds": seconds, "counted": total }))
        }
        ConsumerEvent::Acknowledged { deliveries, load } => {
            let text =
                format!("acknowledged {}; logs in hand: {}", counted(*deliveries, "message"), load.taken);
            let fields = json!({ "deliveries": deliveries, "taken": load.taken, "waiting": load.waiting });
            ("acknowledged", text, fields)
        }
        ConsumerEvent::Ended(None) => ("ended", "has ended".to_owned(), Value::Null),
        _ => return None,
    })
}
