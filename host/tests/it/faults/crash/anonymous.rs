//! A producer that gives no ids, as one may be that knows RabbitMQ and not loghost. It sends again what is not confirmed, so
//! that some logs may be there twice: how many there are is what the streams hold.

use std::iter;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use tokio::runtime;
use tokio::time::{Instant, sleep, timeout};

use super::TIMEOUT;
use super::producers::{IN_BLOCK, Tally};
use crate::support::broker::Broker;

/// How many logs are published before their confirmations are waited for.
const BATCH: usize = 1000;
/// How long these are waited for: longer than the broker takes to come back.
const CONFIRMED: Duration = Duration::from_mins(1);
/// Between two attempts: a broker does not say when it is there.
const PAUSE: Duration = Duration::from_millis(100);

/// The last log of each severity.
const LAST: &[u8] = b"the last";

pub(super) struct Anonymous<'a> {
    broker: &'a Broker,
    parts: usize,
    /// How many blocks of logs a part has.
    blocks: usize,
}

impl<'a> Anonymous<'a> {
    pub(super) fn new(broker: &'a Broker, parts: usize, blocks: usize) -> Self {
        Self { broker, parts, blocks }
    }

    /// How many logs it has sent when it has sent this many parts, at least.
    pub(super) fn sent(&self, parts: usize) -> u64 {
        (self.blocks * parts) as u64 * IN_BLOCK.iter().map(|(_, n)| n).sum::<u64>()
    }

    /// Publishes a part.
    pub(super) fn start(&self) -> JoinHandle<()> {
        let url = self.broker.url().to_owned();
        let block = IN_BLOCK.iter().flat_map(|(severity, n)| {
            iter::repeat_n(self.broker.exchange(severity), usize::try_from(*n).expect("a few"))
        });
        let block: Vec<String> = block.collect();
        let exchanges: Vec<String> = iter::repeat_n(block, self.blocks).flatten().collect();
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(publish(&url, &exchanges));
        })
    }

    /// Publishes the last part, and behind it the last logs.
    #[track_caller]
    pub(super) fn complete(&self) {
        self.start().join().expect("the broker takes them");
        let outside = self.broker.outside();
        for (severity, _) in IN_BLOCK {
            outside.publish(&self.broker.exchange(severity), "web", LAST, BasicProperties::default());
        }
    }

    /// How many logs there are, as another reader counts them.
    #[track_caller]
    pub(super) fn in_the_streams(&self) -> Tally {
        let outside = self.broker.outside();
        let counts = IN_BLOCK.iter().map(|(severity, least)| {
            let counted = outside.count_through(&self.broker.exchange(severity), LAST);
            let least = least * (self.blocks * self.parts) as u64;
            assert!(counted > least, "{severity}: {least} were confirmed, and the stream has {counted}");
            ((*severity).to_owned(), counted)
        });
        counts.collect()
    }
}

/// Publishes a log to each of the exchanges, until all are confirmed.
async fn publish(url: &str, exchanges: &[String]) {
    let deadline = Instant::now() + TIMEOUT;
    let mut channel = None;
    for batch in exchanges.chunks(BATCH) {
        while let Err(failed) = publish_batch(url, &mut channel, batch).await {
            assert!(Instant::now() < deadline, "{failed}");
            channel = None;
            sleep(PAUSE).await;
        }
    }
}

/// Publishes, through a new connection if there is none.
async fn publish_batch(
    url: &str,
    channel: &mut Option<(Connection, Channel)>,
    exchanges: &[String],
) -> Result<(), String> {
    let confirmed = timeout(CONFIRMED, async {
        if channel.is_none() {
            *channel = Some(open(url).await?);
        }
        let Some((_connection, channel)) = channel else { return Ok(false) };
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let mut confirms = Vec::new();
        for exchange in exchanges {
            let (to, properties) = (exchange.as_str().into(), BasicProperties::default());
            confirms.push(channel.basic_publish(to, "web".into(), options, b"a log", properties).await?);
        }
        for confirm in confirms {
            if !matches!(confirm.await?, Confirmation::Ack(None)) {
                return Ok(false);
            }
        }
        Ok::<_, lapin::Error>(true)
    });
    match confirmed.await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err("the broker refuses them".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the broker does not answer".to_owned()),
    }
}

/// A connection, and a channel whose messages are confirmed.
async fn open(url: &str) -> lapin::Result<(Connection, Channel)> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok((connection, channel))
}
