//! Reading streams.

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;

use super::Outside;
use super::topology::text;

impl Outside {
    /// The first messages of a stream, which stay there; waits for them.
    #[track_caller]
    pub(crate) fn read_stream(&self, stream: &str, messages: usize) -> Vec<Delivery> {
        let read: lapin::Result<Vec<_>> = self.on_channel(async |channel| {
            channel.basic_qos(100, BasicQosOptions::default()).await?;
            let mut arguments = FieldTable::default();
            arguments.insert("x-stream-offset".into(), text("first"));
            let options = BasicConsumeOptions::default();
            let mut consumer = channel.basic_consume(stream.into(), "".into(), options, arguments).await?;
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
}
