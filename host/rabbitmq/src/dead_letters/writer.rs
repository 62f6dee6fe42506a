//! Writing dead letters: what is not counted is published, with its body unchanged, to a queue of its own.

use lapin::BasicProperties;
use lapin::types::FieldTable;
use loghost_core::application::{Cause, DeadLetters, DeadLog, Rejection, SourceError};
use loghost_core::domain::{ConsumerName, Record};

use crate::connection::reconnect::ReconnectingConnection;
use crate::dead_letters::confirmed_sender::{ConfirmedSender, Undelivered, full};
use crate::message::headers::{self, Headers};
use crate::message::names::Names;
use crate::message::original::{Original, Published};
use crate::message::record::{self, Route};
use crate::message::values;
use crate::topology::channel::{confirm, open_channel};
use crate::topology::declare;
use crate::topology::error::TopologyError;
use crate::topology::queues::QueueOptions;

/// The headers of a dead letter, beside those that its replay has as well.
pub(crate) const OUTCOME: &str = "loghost-outcome";
pub(crate) const REASON: &str = "loghost-reason";
pub(crate) const BACKTRACE: &str = "loghost-backtrace";
pub(crate) const TIME: &str = "loghost-time";
pub(crate) const PLUGIN: &str = "loghost-plugin";
pub(crate) const VERSION: &str = "loghost-plugin-version";
pub(crate) const DIGEST: &str = "loghost-plugin-sha256";

/// The most bytes of a text of a plugin, or of a property of any size.
const TEXT_BYTES: usize = 4 * 1024;

/// The most bytes of a plugin's version.
const VERSION_BYTES: usize = 256;

/// How a cause is called.
pub fn outcome(cause: Cause) -> &'static str {
    match cause {
        Cause::Rejected => "reject",
        Cause::RetriesExhausted => "retry",
        Cause::Trapped => "trap",
        Cause::Foreign => "foreign",
        Cause::Undeliverable => "undeliverable",
        Cause::Unwanted => "unwanted",
        Cause::Looped => "loop",
        Cause::Dropped => "dropped",
    }
}

/// The dead letters of one consumer.
pub struct DeadLetterWriter {
    sender: ConfirmedSender,
    queue: String,
    names: Names,
    consumer: ConsumerName,
    frame_max: usize,
}

impl DeadLetterWriter {
    /// Declares where they go, on a connection for publishing.
    pub(crate) async fn open(
        publishing: &ReconnectingConnection,
        names: &Names,
        consumer: &ConsumerName,
        options: &QueueOptions,
    ) -> Result<Self, TopologyError> {
        let timeout = publishing.retry_timeout();
        let publishing = publishing.connection().await?;
        let opening = async {
            let mut channel = open_channel(&publishing).await?;
            declare::dead_letters(&publishing, &mut channel, names, consumer, options).await?;
            confirm(&channel).await?;
            Ok::<_, TopologyError>(channel)
        };
        let channel = publishing.answer(opening).await?;
        let (frame_max, queue) = (publishing.frame_max(), names.dead_queue(consumer));
        let target = (&*names.dead_exchange(), consumer.as_str());
        Ok(Self {
            sender: ConfirmedSender::new(publishing, channel, target, &queue, timeout),
            queue,
            names: names.clone(),
            consumer: consumer.clone(),
            frame_max,
        })
    }
}

impl DeadLetters for DeadLetterWriter {
    type Original = Original;

    /// Publishes the delivery, once; the future is ready when the broker has it in the queue: if that is full, when there
    /// is room. Many may be under way in one `FuturesUnordered` (see [`ConfirmedSender::send`]); a failure is one of all
    /// that were written after it.
    fn write(
        &mut self,
        original: Original,
        log: Option<DeadLog<'_>>,
        rejection: &Rejection,
    ) -> impl Future<Output = Result<(), SourceError>> + Send + use<> {
        let found = log.map(|log| log.record);
        let original = Published::of(original, log);
        let said = (rejection, found);
        let properties = properties(&original, said, &self.names, &self.consumer, self.frame_max);
        let (sending, queue) = (self.sender.send(original.data, properties), self.queue.clone());
        async move {
            match sending.await {
                Ok(()) => Ok(()),
                Err(Undelivered::Lost(reason) | Undelivered::Denied(reason)) => {
                    Err(SourceError::Lost(reason.into()))
                }
                Err(Undelivered::Refused(reason)) => {
                    let text = format!("the broker did not take the dead letter for {queue}: {reason}");
                    Err(SourceError::DeadLetter(text.into()))
                }
                Err(Undelivered::Full(tried_for)) => {
                    Err(SourceError::GivenUp(full(&queue, tried_for).into()))
                }
            }
        }
    }

    /// Closes the channel.
    async fn close(self) {
        self.sender.close().await;
    }
}

/// The properties of a dead letter: those of the message, except that those which the broker would act on again (an
/// expiration, a user id, further recipients) become headers. The most important come first, as long as there is room. A
/// replay keeps those that it had when it was first rejected.
fn properties(
    message: &Published,
    (rejection, log): (&Rejection, Option<&Record>),
    names: &Names,
    consumer: &ConsumerName,
    frame_max: usize,
) -> BasicProperties {
    let original = &message.properties;
    let properties = headers::retained(original);
    let mut headers = Headers::beside(&properties, frame_max);
    let published = (message.exchange.as_str(), message.routing_key.as_str());
    let given = || original.headers().iter().flat_map(FieldTable::inner);
    let replay = original.headers().as_ref().filter(|headers| record::is_replay(published.0, headers));
    let sent_back = replay.and_then(Route::from_headers);
    let (exchange, key) = sent_back.map_or(published, |route| (route.exchange, route.routing_key));
    let replayed = sent_back.is_some();
    headers.text(record::EXCHANGE, exchange, TEXT_BYTES);
    headers.text(record::ROUTING_KEY, key, TEXT_BYTES);
    headers.number(record::ATTEMPTS, rejection.attempts.into());
    // Of any other log the exchange says it.
    if let Some(log) = log.filter(|_| names.severity(exchange).is_none()) {
        headers.text(record::SEVERITY, log.severity.as_str(), TEXT_BYTES);
        headers.text(record::SOURCE, &log.source, TEXT_BYTES);
    }
    if let Some((_, log_number)) = given().find(|(key, _)| key.as_str() == record::LOG_NUMBER) {
        headers.put(record::LOG_NUMBER, log_number.clone());
    }
    headers.text(OUTCOME, outcome(rejection.cause), TEXT_BYTES);
    headers.number(TIME, rejection.at.as_millis());
    headers.text(PLUGIN, consumer.as_str(), TEXT_BYTES);
    headers.text(VERSION, &rejection.version, VERSION_BYTES);
    if !rejection.digest.is_empty() {
        headers.text(DIGEST, &rejection.digest, VERSION_BYTES);
    }
    headers.text(REASON, &rejection.reason, TEXT_BYTES.min(frame_max / 8));
    if !replayed {
        acting_properties(original, &mut headers);
    }
    for (key, value) in given().filter(|(key, _)| headers::acts(key.as_str())) {
        match key.as_str() {
            record::LOG_NUMBER => {}
            key if !replayed => {
                headers.text(&format!("{}{key}", headers::ORIGINAL), &values::text(value), TEXT_BYTES);
            }
            key if key.starts_with(headers::ORIGINAL) => headers.put(key, value.clone()),
            _ => {}
        }
    }
    if let Some(backtrace) = &rejection.backtrace {
        headers.text(BACKTRACE, backtrace, TEXT_BYTES.min(frame_max / 8));
    }
    for (key, value) in given().filter(|(key, _)| !headers::acts(key.as_str())) {
        headers.put(key.as_str(), value.clone());
    }
    properties.with_headers(headers.finish())
}

/// Adds the properties that a broker acts on.
fn acting_properties(original: &BasicProperties, headers: &mut Headers) {
    let texts = [("user-id", original.user_id()), ("expiration", original.expiration())];
    for (name, value) in texts {
        if let Some(value) = value {
            headers.text(&format!("{}{name}", headers::ORIGINAL), value.as_str(), TEXT_BYTES);
        }
    }
    if let Some(mode) = original.delivery_mode() {
        headers.number(&format!("{}delivery-mode", headers::ORIGINAL), (*mode).into());
    }
}

#[cfg(test)]
mod tests {
    use lapin::types::AMQPValue;
    use loghost_core::domain::Timestamp;

    use super::*;
    use crate::Prefix;

    fn dead_letter(message: &Published, frame_max: usize) -> BasicProperties {
        let rejection = Rejection {
            cause: Cause::Trapped,
            reason: "r".repeat(10_000),
            backtrace: Some("\u{2620}".repeat(10_000)),
            attempts: 2,
            at: Timestamp::from_millis(1),
            version: "v".repeat(10_000),
            digest: "d".repeat(64),
        };
        let names = Names::new(Prefix::default());
        properties(message, (&rejection, None), &names, &ConsumerName::new("picky").unwrap(), frame_max)
    }

    fn message(large: usize) -> Published {
        let mut headers = FieldTable::default();
        headers.insert("large".into(), AMQPValue::LongString("x".repeat(large).into()));
        headers.insert("x-death".into(), AMQPValue::LongString("x".repeat(large).into()));
        let text = "t".repeat(255);
        let properties = BasicProperties::default()
            .with_message_id(text.as_str().into())
            .with_user_id(text.as_str().into())
            .with_expiration(text.as_str().into())
            .with_headers(headers);
        let (exchange, routing_key) = ("logs.error".into(), "k".repeat(255).as_str().into());
        Published { exchange, routing_key, properties, data: vec![] }
    }

    #[test]
    fn a_trap_is_told_of_with_its_backtrace() {
        let properties = dead_letter(&message(100), 128 * 1024);
        let headers = properties.headers().clone().unwrap();
        let text = |key: &str| record::header_text(&headers, key);
        assert_eq!((text(OUTCOME), text(PLUGIN)), (Some("trap"), Some("picky")));
        assert_eq!(text(DIGEST).map(str::len), Some(64));
        assert_eq!(text(REASON).map(str::len), Some(TEXT_BYTES));
        assert_eq!(text(BACKTRACE).map(str::len), Some(TEXT_BYTES - TEXT_BYTES % 3));
        assert_eq!(text("large").map(str::len), Some(100));
        assert_eq!(text("loghost-original-x-death").map(str::len), Some(100));
        assert!(!headers.contains_key("x-death"));
    }

    #[test]
    fn all_of_it_fits_a_frame_of_any_size() {
        for frame_max in [4096, 8192, 128 * 1024] {
            let message = message(100_000);
            let properties = dead_letter(&message, frame_max);
            let size = headers::size(&properties);
            assert!(size <= frame_max, "{size} bytes in a frame of {frame_max}");
            let headers = properties.headers().clone().unwrap();
            assert_eq!(record::header_text(&headers, record::EXCHANGE), Some("logs.error"));
            assert_eq!(
                record::header_text(&headers, record::ROUTING_KEY),
                Some(message.routing_key.as_str())
            );
        }
    }
}
