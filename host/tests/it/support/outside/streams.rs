//! Reading streams.

use std::time::Duration;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::time::timeout;

use super::Outside;
use super::topology::text;

impl Outside {
    /// The first messages of a stream, which stay there; waits for them.
    #[track_caller]
    pub(crate) fn read_stream(&self, stream: &str, messages: usize) -> Vec<Delivery> {
        self.wait_until_readable(stream);
        let read: lapin::Result<Vec<_>> = self.on_channel(async |channel| {
            let mut consumer = from_first(&channel, stream, 100).await?;
            let mut read = Vec::new();
            while read.len() < messages {
                let Some(message) = consumer.next().await else { break };
                let message = message?;
                message.ack(BasicAckOptions::default()).await?;
                read.push(message);
            }
            Ok(read)
        });
        read.expect("the stream is there")
    }

    /// Whether a stream has nothing, as far as the broker sends nothing of it within this time.
    #[track_caller]
    pub(crate) fn sends_nothing_of(&self, stream: &str, within: Duration) -> bool {
        self.wait_until_readable(stream);
        let sent: lapin::Result<bool> = self.on_channel(async |channel| {
            let mut consumer = from_first(&channel, stream, 1).await?;
            Ok(timeout(within, consumer.next()).await.is_ok())
        });
        !sent.expect("the stream is there")
    }

    /// How many messages a stream has up to the first one with this body, which is waited for.
    #[track_caller]
    pub(crate) fn count_through(&self, stream: &str, last: &[u8]) -> u64 {
        self.wait_until_readable(stream);
        let counted: lapin::Result<u64> = self.on_channel(async |channel| {
            let mut consumer = from_first(&channel, stream, PREFETCH).await?;
            let mut messages = 0;
            while let Some(message) = consumer.next().await {
                let message = message?;
                messages += 1;
                let is_last = message.data == last;
                if messages % u64::from(PREFETCH / 2) == 0 || is_last {
                    message.ack(BasicAckOptions { multiple: true }).await?;
                }
                if is_last {
                    break;
                }
            }
            Ok(messages)
        });
        counted.expect("the stream is there")
    }

    /// Waits until the broker knows where a stream is that was just declared, as it may have confirmed messages before.
    #[track_caller]
    fn wait_until_readable(&self, stream: &str) {
        self.wait_until(|| match self.on_channel(async |channel| from_first(&channel, stream, 1).await) {
            Ok(_) => true,
            Err(error) => {
                assert!(error.to_string().contains("does not have a replica"), "{stream}: {error}");
                false
            }
        });
    }
}

/// Where many messages are read, and half of them are acknowledged at once.
const PREFETCH: u16 = 1000;

/// A consumer of a stream, from its first message.
async fn from_first(channel: &Channel, stream: &str, prefetch: u16) -> lapin::Result<Consumer> {
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-stream-offset".into(), text("first"));
    let options = BasicConsumeOptions::default();
    channel.basic_consume(stream.into(), "".into(), options, arguments).await
}
