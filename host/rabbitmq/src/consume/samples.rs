//! Samples of what is published to exchanges, for whoever only looks: from a queue of the reader's own, which holds little and
//! goes with it.

use futures_util::stream::{self, Stream, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicQosOptions};
use lapin::{Channel, Consumer};
use loghost_decode::{Decoded, Decoder, Producer};

use crate::connection::open::Connection;
use crate::message::found_logs;
use crate::topology::bindings;
use crate::topology::channel::{close, open_channel};
use crate::topology::declare_queue::{UNNAMED, declare_exclusive};
use crate::topology::error::{TopologyError, failed};
use crate::topology::queues::Bound;

/// What waits at the broker; what is older is dropped.
const BOUND: Bound = Bound { messages: 200, bytes: 4 << 20 };

/// How many messages may be on the way, beside those that wait.
const PREFETCH: u16 = 16;

/// A queue of which messages are read as samples. It is exclusive, and the broker deletes it when nobody reads it any more.
pub struct SampleQueue {
    channel: Channel,
    queue: String,
    consumer: Consumer,
}

/// A message that was published to an exchange.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The exchange.
    pub exchange: String,
    /// The routing key.
    pub routing_key: String,
    /// Who has written it, as far as that can be told.
    pub producer: Producer,
    /// The logs in it, as a rule without a severity finds them.
    pub logs: Vec<Decoded>,
}

impl SampleQueue {
    /// Declares a queue, and begins to read it.
    ///
    /// # Errors
    ///
    /// If the broker does not do that.
    pub async fn open(connection: &Connection) -> Result<Self, TopologyError> {
        let channel = open_channel(connection).await?;
        let queue = declare_exclusive(&channel, UNNAMED, Some(BOUND)).await?.name;
        let cannot = |error: lapin::Error| failed(format!("consume the queue `{queue}`"), &error);
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await.map_err(cannot)?;
        let consumer = connection.consume(&channel, &queue).await.map_err(cannot)?;
        Ok(Self { channel, queue, consumer })
    }

    /// Binds it to an exchange.
    ///
    /// # Errors
    ///
    /// If the broker does not do that: then nothing can be done with the queue any more.
    pub async fn bind(&self, exchange: &str, key: &str) -> Result<(), TopologyError> {
        bindings::bind(&self.channel, &self.queue, exchange, key).await
    }

    /// What comes, at most so many messages; ends also where the connection does.
    pub fn samples(self, most: usize) -> impl Stream<Item = Sample> + Send {
        let decoder = Decoder::default();
        stream::unfold((self, most), move |(mut of, left)| {
            let decoder = decoder.clone();
            async move {
                if left == 0 {
                    close(&of.channel).await;
                    return None;
                }
                let delivery = of.consumer.next().await?.ok()?;
                let sample = sample(&decoder, &delivery);
                delivery.ack(BasicAckOptions::default()).await.ok()?;
                Some((sample, (of, left - 1)))
            }
        })
    }
}

fn sample(decoder: &Decoder, delivery: &Delivery) -> Sample {
    let (exchange, routing_key) = (delivery.exchange.as_str(), delivery.routing_key.as_str());
    let message = found_logs::message(&delivery.properties, &delivery.data, (exchange, routing_key), None);
    Sample {
        producer: decoder.producer(&message),
        logs: decoder.decode(&message),
        exchange: exchange.to_owned(),
        routing_key: routing_key.to_owned(),
    }
}
