//! The offsets at the ends of a stream, which AMQP 0-9-1 does not tell: a consumer at that end is asked.
//!
//! A broker says nothing to a consumer of which it has nothing to send. How long it takes to send something tells nothing: it may be
//! busy. Another consumer on the same channel begins at the first message: the broker attends to the consumers of a channel
//! together, so that when that one has got its message, there is nothing for the one that has got none.
//!
//! Batches that a producer has compressed are not sent to such a consumer. Where the last chunk has nothing else, it is sent
//! nothing, and what can be read is looked for from farther and farther back.
//!
//! Of an empty stream, neither gets anything, and the number of messages that the broker tells is some seconds old, or older:
//! retention may remove everything, when a new segment has just begun.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery as Message;
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer};
use loghost_core::domain::Fingerprint;
use tokio::time::{Instant, sleep_until};

use crate::connection::fault::Fault;
use crate::connection::open::Connection;
use crate::message::record::header_number;
use crate::stream::{fingerprint, undeliverable};
use crate::topology::channel::{close, open_channel};
use crate::topology::error::{TopologyError, failed};
use crate::topology::look::length;

/// The header that has the offset of a message, and the argument that says where to begin.
pub(crate) const OFFSET: &str = "x-stream-offset";

/// A stream of which a broker has sent nothing within this is empty, if it says so as well.
const EMPTY_AFTER: Duration = Duration::from_millis(500);

/// A message is in the number of messages that a broker tells, or no longer in it, after this.
pub(crate) const COUNTED_WITHIN: Duration = Duration::from_secs(5);

/// How far before its end what can be read is looked for first, in messages.
const FIRST_BACK: u64 = 1000;

/// What a broker sends first from some offset of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The first offset.
    pub(crate) first: u64,
    /// The last one: of its chunk, if there was credit for all of it.
    pub(crate) last: u64,
    /// What the stream is recognised by, of the first.
    pub(crate) fingerprint: Option<Fingerprint>,
}

/// The end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamEnd {
    /// The last of what can be read.
    pub(crate) sent: Sent,
    /// Whether there may be more that cannot be read.
    pub(crate) certainty: Certainty,
}

/// Whether what can be read is all that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Certainty {
    All,
    /// There is something behind it that is not sent.
    AtLeast,
}

/// Begins to consume a stream on `channel`, with so many messages unacknowledged at most.
pub(crate) async fn consume(
    channel: &Channel,
    stream: &str,
    from: AMQPValue,
    credit: u16,
) -> Result<Consumer, TopologyError> {
    let cannot = |e: lapin::Error| failed(format!("consume the stream `{stream}`"), &e);
    channel.basic_qos(credit, BasicQosOptions::default()).await.map_err(cannot)?;
    let mut arguments = FieldTable::default();
    arguments.insert(OFFSET.into(), from);
    let options = BasicConsumeOptions::default();
    // The client chooses a name for it.
    channel.basic_consume(stream.into(), "".into(), options, arguments).await.map_err(cannot)
}

/// The offset of a message of a stream.
pub(crate) fn offset_of(message: &Message) -> Option<u64> {
    header_number(message.properties.headers().as_ref()?, OFFSET)
}

/// An offset specification, by `RabbitMQ`'s name.
pub(crate) fn named(spec: &str) -> AMQPValue {
    AMQPValue::LongString(spec.into())
}

/// The end of a stream; none of an empty one.
pub(crate) async fn end(
    connection: &Arc<Connection>,
    stream: &str,
) -> Result<Option<StreamEnd>, TopologyError> {
    if let Some(sent) = sent(connection, stream, named("last"), u16::MAX).await? {
        return Ok(Some(StreamEnd { sent, certainty: Certainty::All }));
    }
    let sent = last_to_read(connection, stream).await?;
    Ok(sent.map(|sent| StreamEnd { sent, certainty: Certainty::AtLeast }))
}

/// The last of what can be read in a stream that has something in its last chunk that cannot be.
async fn last_to_read(connection: &Arc<Connection>, stream: &str) -> Result<Option<Sent>, TopologyError> {
    let Some(mut found) = sent(connection, stream, named("first"), 1).await? else { return Ok(None) };
    let channel = open_channel(connection).await?;
    let messages = length(&channel, stream).await?.unwrap_or_default();
    close(&channel).await;
    let offset = |offset| AMQPValue::LongLongInt(i64::try_from(offset).unwrap_or(i64::MAX));
    let (begin, end) = (found.first, found.first.saturating_add(messages.into()));
    let mut back = FIRST_BACK;
    while end.saturating_sub(back) > begin {
        let from = offset(end.saturating_sub(back));
        if let Some(sent) = sent(connection, stream, from, u16::MAX).await? {
            found = sent;
            break;
        }
        back = back.saturating_mul(10);
    }
    // There may be more than there was credit for.
    while let Some(sent) = sent(connection, stream, offset(found.last.saturating_add(1)), u16::MAX).await? {
        found = sent;
    }
    Ok(Some(found))
}

/// The first offset of a stream; none of an empty one.
pub(crate) async fn first(connection: &Arc<Connection>, stream: &str) -> Result<Option<u64>, TopologyError> {
    Ok(sent(connection, stream, named("first"), 1).await?.map(|sent| sent.first))
}

/// What the broker sends first of a stream; none if there is nothing from there on.
pub(crate) async fn sent(
    connection: &Arc<Connection>,
    stream: &str,
    from: AMQPValue,
    credit: u16,
) -> Result<Option<Sent>, TopologyError> {
    match first_sent(connection, stream, from, credit).await {
        Err(_) if connection.has_ended_internally().await => Err(undeliverable::error(connection, stream)),
        sent => sent,
    }
}

async fn first_sent(
    connection: &Arc<Connection>,
    stream: &str,
    from: AMQPValue,
    credit: u16,
) -> Result<Option<Sent>, TopologyError> {
    let channel = open_channel(connection).await?;
    connection.leave_out_bodies(&channel);
    let mut consumer = consume(&channel, stream, from, credit).await?;
    let mut other = consume(&channel, stream, named("first"), 1).await?;
    let Some(first) = first_message(&channel, stream, (&mut consumer, &mut other)).await? else {
        close(&channel).await;
        return Ok(None);
    };
    // A chunk is sent at once: what there is credit for has arrived with this answer.
    length(&channel, stream).await?;
    let offset = |message: &Message| offset_of(message).ok_or_else(|| no_offset(stream));
    let at = offset(&first)?;
    let mut sent = Sent { first: at, last: at, fingerprint: fingerprint::of_message(at, &first) };
    while let Some(Some(Ok(message))) = consumer.next().now_or_never() {
        sent.last = sent.last.max(offset(&message)?);
    }
    close(&channel).await;
    Ok(Some(sent))
}

/// The first message that a consumer gets, unless the `other`, which was made later and begins at the first message, gets one and
/// it gets none, or the stream is empty.
async fn first_message(
    channel: &Channel,
    stream: &str,
    (consumer, other): (&mut Consumer, &mut Consumer),
) -> Result<Option<Message>, TopologyError> {
    let began = Instant::now();
    let mut look_at = began + EMPTY_AFTER;
    loop {
        tokio::select! {
            biased;
            message = consumer.next() => return received(stream, message).map(Some),
            message = other.next() => {
                received(stream, message)?;
                // What the broker has sent with it has arrived with this answer.
                length(channel, stream).await?;
                let message = consumer.next().now_or_never();
                return message.map(|message| received(stream, message)).transpose();
            }
            () = sleep_until(look_at) => {
                let is_empty = length(channel, stream).await?.unwrap_or_default() == 0;
                if is_empty || began.elapsed() >= COUNTED_WITHIN {
                    return Ok(None);
                }
                look_at = Instant::now() + EMPTY_AFTER;
            }
        }
    }
}

/// The message that a consumer has got, if it has not ended.
fn received(stream: &str, message: Option<lapin::Result<Message>>) -> Result<Message, TopologyError> {
    let message = message.ok_or_else(|| unanswered(stream, "it ended the consumer"))?;
    message.map_err(|e| failed(format!("consume the stream `{stream}`"), &e))
}

fn unanswered(stream: &str, why: &str) -> TopologyError {
    let (action, reason) =
        (format!("read the stream `{stream}`"), format!("the broker does not answer: {why}"));
    TopologyError::Failed { action, reason, fault: Fault::Elsewhere }
}

fn no_offset(stream: &str) -> TopologyError {
    let action = format!("read the stream `{stream}`");
    let reason = "the broker has sent a message without an offset: is it a stream?".to_owned();
    TopologyError::Failed { action, reason, fault: Fault::Ours }
}
