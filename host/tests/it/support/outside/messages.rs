//! Publishing messages, and taking them out of queues.

use futures_util::StreamExt;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions,
};
use lapin::types::FieldTable;

use super::Outside;

impl Outside {
    /// Publishes messages, and waits for all confirmations.
    #[track_caller]
    pub(crate) fn publish_all<'a>(
        &self,
        messages: impl IntoIterator<Item = (&'a str, &'a str, String, BasicProperties)>,
    ) {
        let confirmed: lapin::Result<()> = self.on_channel(async |channel| {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            for (exchange, key, body, properties) in messages {
                let options = BasicPublishOptions::default();
                channel
                    .basic_publish(exchange.into(), key.into(), options, body.as_bytes(), properties)
                    .await?;
            }
            channel.wait_for_confirms().await.map(drop)
        });
        confirmed.expect("the broker takes them");
    }

    /// Publishes a message, and waits for the broker's confirmation.
    #[track_caller]
    pub(crate) fn publish(&self, exchange: &str, key: &str, body: &[u8], properties: BasicProperties) {
        let confirmed = self.on_channel(async |channel| {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            channel.basic_publish(exchange.into(), key.into(), options, body, properties).await?.await
        });
        let confirmed = confirmed.expect("the broker takes it");
        assert!(confirmed.is_ack() && !format!("{confirmed:?}").contains("Some("), "no queue: {confirmed:?}");
    }

    /// Publishes a message directly to a queue; returns whether it was confirmed.
    #[track_caller]
    pub(crate) fn try_publish(&self, queue: &str, body: &[u8]) -> bool {
        let confirmed = self.on_channel(async |channel| {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
            channel.basic_publish("".into(), queue.into(), options, body, properties).await?.await
        });
        confirmed.expect("the broker answers").is_ack()
    }

    /// Takes a message out of a queue, and waits for one if there is none.
    #[track_caller]
    pub(crate) fn take(&self, queue: &str) -> Delivery {
        let mut taken = self.take_some(queue, 1);
        taken.pop().unwrap_or_else(|| panic!("no message arrived in {queue}"))
    }

    /// Takes out all that is in a queue.
    #[track_caller]
    pub(crate) fn take_all(&self, queue: &str) -> Vec<Delivery> {
        let depth = self.depth(queue).expect("the queue is there");
        self.take_some(queue, depth)
    }

    /// Takes this many messages, as a consumer: a quorum queue with a single active consumer does not allow
    /// `basic.get`.
    #[track_caller]
    fn take_some(&self, queue: &str, messages: u32) -> Vec<Delivery> {
        if messages == 0 {
            return Vec::new();
        }
        let taken: lapin::Result<Vec<_>> = self.on_channel(async |channel| {
            let prefetch = u16::try_from(messages.min(1000)).unwrap_or(1000);
            channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
            let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
            let mut consumer = channel.basic_consume(queue.into(), "".into(), options, none).await?;
            let mut taken = Vec::new();
            for n in 1..=messages {
                let Some(message) = consumer.next().await else { break };
                let message = message?;
                // After the last one, other deliveries are requeued.
                if n == messages {
                    channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await?;
                }
                message.ack(BasicAckOptions::default()).await?;
                taken.push(message);
            }
            Ok(taken)
        });
        taken.expect("the queue is there")
    }
}
