//! Reading streams.

use std::time::Duration;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
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
        let read = self.on_channel(async |channel| {
            from_first(&channel, stream, 100, async |mut consumer| {
                let mut read = Vec::new();
                while read.len() < messages {
                    let Some(message) = consumer.next().await else { break };
                    let message = message?;
                    message.ack(BasicAckOptions::default()).await?;
                    read.push(message);
                }
                Ok(read)
            })
            .await
        });
        read.expect("the stream is there")
    }

    /// Whether a stream has nothing, as far as the broker sends nothing of it within this time.
    #[track_caller]
    pub(crate) fn sends_nothing_of(&self, stream: &str, within: Duration) -> bool {
        self.wait_until_readable(stream);
        let sent = self.on_channel(async |channel| {
            let read = async |mut consumer: Consumer| Ok(timeout(within, consumer.next()).await.is_ok());
            from_first(&channel, stream, 1, read).await
        });
        !sent.expect("the stream is there")
    }

    /// How many messages a stream has up to the first one with this body, which is waited for.
    #[track_caller]
    pub(crate) fn count_through(&self, stream: &str, last: &[u8]) -> u64 {
        self.wait_until_readable(stream);
        let counted = self.on_channel(async |channel| {
            from_first(&channel, stream, PREFETCH, async |mut consumer| {
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
            })
            .await
        });
        counted.expect("the stream is there")
    }

    /// Waits until the broker knows where a stream is that was just declared, as it may have confirmed messages before.
    #[track_caller]
    fn wait_until_readable(&self, stream: &str) {
        let looked =
            || self.on_channel(async |channel| from_first(&channel, stream, 1, async |_| Ok(())).await);
        self.wait_until(|| match looked() {
            Ok(()) => true,
            Err(error) => {
                assert!(error.to_string().contains("does not have a replica"), "{stream}: {error}");
                false
            }
        });
    }
}

/// Where many messages are read, and half of them are acknowledged at once.
const PREFETCH: u16 = 1000;

/// Has `read` read a stream from its first message.
async fn from_first<T>(
    channel: &Channel,
    stream: &str,
    prefetch: u16,
    read: impl AsyncFnOnce(Consumer) -> lapin::Result<T>,
) -> lapin::Result<T> {
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-stream-offset".into(), text("first"));
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(stream.into(), "".into(), options, arguments).await?;
    let read = read(consumer.clone()).await;
    // One that is only dropped is cancelled beside what follows: on a channel that is closed by then, that ends the
    // connection.
    let _ = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await;
    read
}
