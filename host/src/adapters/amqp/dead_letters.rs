//! Dead letters: what a consumer rejects, as it came, in a queue of its own.

use std::collections::VecDeque;

use lapin::message::Delivery as Message;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation};
use loghost_core::application::{Cause, Receipt, Rejection, SourceError};
use loghost_core::domain::ConsumerName;

use super::connection::{Connection, lost};
use super::names::Names;
use super::topology::{self, TopologyError, open_confirming_channel};
use super::wire;

/// The most bytes of a reason, and of all headers that the producer gave: together with the rest they
/// fit the header frame, which cannot be split.
const REASON_BYTES: usize = 4 * 1024;
const HEADERS_BYTES: usize = 80 * 1024;

/// A delivery that is not finished: what it takes to bury it.
pub(super) struct Unfinished {
    receipt: Receipt,
    message: Message,
}

impl Unfinished {
    pub(super) fn new(receipt: Receipt, message: Message) -> Self {
        Self { receipt, message }
    }
}

/// The dead letters of one consumer.
pub(super) struct DeadLetters {
    channel: Channel,
    exchange: String,
    queue: String,
    consumer: ConsumerName,
    /// In the order of their receipts.
    unfinished: VecDeque<Unfinished>,
}

impl DeadLetters {
    /// Declares where they go, on a connection for publishing.
    pub(super) async fn open(
        publishing: &Connection,
        names: &Names,
        consumer: &ConsumerName,
    ) -> Result<Self, TopologyError> {
        let channel = open_confirming_channel(publishing).await?;
        topology::dead_letters(&channel, names, consumer).await?;
        Ok(Self {
            channel,
            exchange: names.dead_exchange(),
            queue: names.dead_queue(consumer),
            consumer: consumer.clone(),
            unfinished: VecDeque::new(),
        })
    }

    /// Keeps a delivery until it is finished.
    pub(super) fn keep(&mut self, unfinished: Unfinished) {
        self.unfinished.push_back(unfinished);
    }

    /// Forgets a delivery that is finished.
    pub(super) fn forget(&mut self, receipt: Receipt) {
        if let Ok(place) = self.place(receipt) {
            self.unfinished.remove(place);
        }
    }

    fn place(&self, receipt: Receipt) -> Result<usize, usize> {
        self.unfinished.binary_search_by_key(&receipt, |unfinished| unfinished.receipt)
    }

    /// Forgets the deliveries up to and including `receipt`.
    pub(super) fn forget_through(&mut self, receipt: Receipt) {
        while self.unfinished.front().is_some_and(|unfinished| unfinished.receipt <= receipt) {
            self.unfinished.pop_front();
        }
    }

    /// Publishes the delivery with what is said of it, and waits until the broker has it in the queue.
    pub(super) async fn bury(&mut self, receipt: Receipt, rejection: &Rejection) -> Result<(), SourceError> {
        let failed = |reason: String| SourceError::DeadLetter { queue: self.queue.clone(), reason };
        let place = self.place(receipt).map_err(|_| failed("the log is no longer held".to_owned()))?;
        let message = &self.unfinished[place].message;
        let properties = properties(message, rejection);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let (exchange, key) = (self.exchange.as_str().into(), self.consumer.as_str().into());
        let confirmation = self
            .channel
            .basic_publish(exchange, key, options, &message.data, properties)
            .await
            .map_err(|e| lost(&e))?
            .await
            .map_err(|e| lost(&e))?;
        match confirmation {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
                Err(failed(returned.reply_text.to_string()))
            }
            Confirmation::Nack(None) | Confirmation::NotRequested => Err(failed("refused".to_owned())),
        }
    }
}

/// The properties of a dead letter: those of the message, but what would act again (an expiration, a
/// user id, further recipients) stands in headers.
fn properties(message: &Message, rejection: &Rejection) -> BasicProperties {
    let original = &message.properties;
    let mut headers = FieldTable::default();
    let mut room = HEADERS_BYTES;
    for (key, value) in original.headers().iter().flat_map(FieldTable::inner) {
        let acts = matches!(key.as_str(), "CC" | "BCC" | "x-death" | "x-delay");
        let (key, value) = if acts {
            (
                ShortString::from(format!("loghost-original-{key}")),
                AMQPValue::LongString(wire::text(value).into()),
            )
        } else {
            (key.clone(), value.clone())
        };
        let bytes = key.as_str().len() + wire::text(&value).len() + 16;
        if bytes <= room {
            room -= bytes;
            headers.insert(key, value);
        }
    }
    let mut say = |key: &str, value: AMQPValue| {
        headers.insert(key.into(), value);
    };
    let text = |text: &str| AMQPValue::LongString(text.into());
    let outcome = match rejection.cause {
        Cause::Rejected => "reject",
        Cause::RetriesExhausted => "retry",
    };
    say("loghost-outcome", text(outcome));
    say("loghost-reason", text(cut(&rejection.reason)));
    say("loghost-attempts", AMQPValue::LongLongInt(rejection.attempts.into()));
    say("loghost-exchange", text(message.exchange.as_str()));
    say("loghost-routing-key", text(message.routing_key.as_str()));
    say("loghost-time", AMQPValue::LongLongInt(i64::try_from(rejection.at.as_millis()).unwrap_or(i64::MAX)));
    if let Some(user) = original.user_id() {
        say("loghost-original-user-id", text(user.as_str()));
    }
    if let Some(expiration) = original.expiration() {
        say("loghost-original-expiration", text(expiration.as_str()));
    }
    if let Some(mode) = original.delivery_mode() {
        say("loghost-original-delivery-mode", AMQPValue::LongLongInt((*mode).into()));
    }
    let mut properties =
        BasicProperties::default().with_delivery_mode(wire::PERSISTENT).with_headers(headers);
    if let Some(value) = original.content_type() {
        properties = properties.with_content_type(value.clone());
    }
    if let Some(value) = original.content_encoding() {
        properties = properties.with_content_encoding(value.clone());
    }
    if let Some(value) = original.message_id() {
        properties = properties.with_message_id(value.clone());
    }
    if let Some(value) = original.timestamp() {
        properties = properties.with_timestamp(*value);
    }
    if let Some(value) = original.app_id() {
        properties = properties.with_app_id(value.clone());
    }
    if let Some(value) = original.correlation_id() {
        properties = properties.with_correlation_id(value.clone());
    }
    if let Some(value) = original.reply_to() {
        properties = properties.with_reply_to(value.clone());
    }
    if let Some(value) = original.kind() {
        properties = properties.with_type(value.clone());
    }
    if let Some(value) = original.priority() {
        properties = properties.with_priority(*value);
    }
    properties
}

/// The beginning of `reason`, as far as it has room.
fn cut(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(REASON_BYTES)]
}
