//! What happens to published logs, in words and in figures.

use loghost_core::application::{Level, PublisherEvent};
use loghost_core::domain::{Log, MessageId, Source};
use serde_json::{Value, json};

use super::ShownEvent;

/// An event of what is published on the connection for `purpose` as it is shown; none of what happens all the time.
pub(super) fn shown<'a>(purpose: &str, event: &PublisherEvent<'_>) -> Option<ShownEvent<'a>> {
    Some(match event {
        PublisherEvent::Confirmed(_) | PublisherEvent::Refused(..) => return None,
        PublisherEvent::HoldingBack(id, log) => {
            let text = format!(
                "{purpose}: the broker refused the log {}: most likely a queue that it goes to is full \
                 (reject-publish); it is sent again until it is taken, and what comes after it of its severity and \
                 source waits",
                described(id, log)
            );
            ShownEvent::new(Level::Warning, "logs_held_back", text, fields(purpose, id, log))
        }
        PublisherEvent::CaughtUp => {
            let text = format!("{purpose}: the broker has taken the logs that it had refused");
            ShownEvent::new(Level::Info, "caught_up", text, json!({ "purpose": purpose }))
        }
        PublisherEvent::GivenUp(id, log, reason) => {
            let log_described = described(id, log);
            let text = format!(
                "{purpose}: the broker does not take the log {log_described}, which is given up: {reason}"
            );
            let mut fields = fields(purpose, id, log);
            fields["reason"] = (*reason).into();
            ShownEvent::new(Level::Error, "log_given_up", text, fields)
        }
    })
}

/// A log, described so that its producer can find it.
fn described(id: &MessageId, log: &Log) -> String {
    let bytes = log.message.len();
    match &log.source {
        Some(source) => format!("{id} ({} of {source}, {bytes} bytes)", log.severity),
        None => format!("{id} ({}, {bytes} bytes)", log.severity),
    }
}

fn fields(purpose: &str, id: &MessageId, log: &Log) -> Value {
    json!({
        "purpose": purpose,
        "id": id.to_string(),
        "severity": log.severity.as_str(),
        "source": log.source.as_ref().map(Source::as_str),
        "bytes": log.message.len(),
    })
}
