//! What is said of a log beside its record: in the routing key, the headers and the properties of its message.

use std::borrow::Cow;

use loghost_core::domain::{Severity, Source, Timestamp};

use crate::key_level::KeyLevel;
use crate::message::Message;
use crate::options::Options;
use crate::value::Value;
use crate::{plain, time};

/// A level as it was found.
pub(super) struct FoundLevel<'f> {
    pub(super) severity: Severity,
    pub(super) word: Cow<'f, str>,
}

/// The source and the time of a log whose record says neither.
pub(crate) fn beside_body(message: &Message<'_>, options: &Options) -> (Option<Source>, Option<Timestamp>) {
    let key_rest = || Cow::Owned(routing_key(message, options).1);
    (source_of(message, key_rest), time_of(message))
}

/// The source that the record does not name; `key_rest` is the routing key without its level.
pub(super) fn source_of<'k>(
    message: &Message<'_>,
    key_rest: impl FnOnce() -> Cow<'k, str>,
) -> Option<Source> {
    let text = |value: &Value<'_>| value.as_text().and_then(|text| source(&text));
    let header = || message.header(&["categoryName", "PROGRAM", "node"]).and_then(text);
    // The key of the default exchange is the name of a queue, and that of RabbitMQ's events says what happened.
    let is_name = !message.exchange.is_empty() && !is_event(message);
    let app_id = || message.app_id.and_then(source);
    header().or_else(app_id).or_else(|| source(key_rest().trim_matches('.')).filter(|_| is_name))
}

/// The time that the record does not tell.
pub(super) fn time_of(message: &Message<'_>) -> Option<Timestamp> {
    let header = |name| message.header(&[name]).and_then(|value| time::of(value, message.received));
    // Up to 2^53 milliseconds or so it is exact.
    #[expect(clippy::cast_precision_loss, reason = "what is lost is less than a millisecond")]
    let property = || time::of_number(message.timestamp? as f64);
    header("timestamp_in_ms").or_else(|| header("time")).or_else(property)
}

/// The level that a word of the routing key names, and the key without it.
pub(super) fn routing_key<'c>(message: &Message<'c>, options: &Options) -> (Option<FoundLevel<'c>>, String) {
    let level = KeyLevel::find(message.routing_key, &options.severities);
    let words = message.routing_key.split('.').enumerate();
    let rest = words.filter(|(n, _)| level.is_none_or(|level| *n != level.index));
    let rest: Vec<_> = rest.map(|(_, word)| plain::uncoloured(word)).collect();
    let found =
        level.map(|KeyLevel { severity, word, .. }| FoundLevel { severity, word: plain::uncoloured(word) });
    (found, rest.join("."))
}

/// Whether a message is an event of RabbitMQ itself: all of it is in the headers, and its key is its name.
pub(crate) fn is_event(message: &Message<'_>) -> bool {
    message.exchange == "amq.rabbitmq.event"
}

/// A name as a source, as much of it as one may have.
pub(super) fn source(name: &str) -> Option<Source> {
    let name = name.trim();
    let mut end = name.len().min(255);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    Source::new(&name[..end]).ok()
}
