//! The queues that peers consume: each run gets a new one, as loghost declares it, with the same content.

use std::collections::BTreeSet;

use clap::{Args, ValueEnum};
use lapin::options::{
    ConfirmSelectOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use super::connect;
use super::publish::publish;

/// How many unconfirmed logs keep the broker busy.
const WINDOW: usize = 8192;

#[derive(Args)]
pub(crate) struct Options {
    /// A queue to make again, and the exchanges to bind it to; may be given several times
    #[arg(long = "bind", required = true, value_name = "QUEUE=EXCHANGE[,EXCHANGE...]", value_parser = bind)]
    binds: Vec<Bind>,

    /// Of what type the queues are
    #[arg(long, default_value = "classic", value_name = "TYPE")]
    queue_type: QueueType,

    /// An exchange to publish to; may be given several times
    #[arg(long = "exchange", value_name = "NAME")]
    exchanges: Vec<String>,

    /// How many logs to publish to each
    #[arg(long, default_value_t = 0, value_name = "N")]
    logs: u64,
}

#[derive(Args)]
pub(crate) struct Doomed {
    /// A queue; may be given several times
    #[arg(long = "queue", value_name = "NAME")]
    queues: Vec<String>,

    /// An exchange; may be given several times
    #[arg(long = "exchange", value_name = "NAME")]
    exchanges: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum QueueType {
    Classic,
    Quorum,
    Stream,
}

#[derive(Clone)]
struct Bind {
    queue: String,
    exchanges: Vec<String>,
}

fn bind(text: &str) -> Result<Bind, &'static str> {
    let (queue, exchanges) = text.split_once('=').ok_or("expected QUEUE=EXCHANGE")?;
    Ok(Bind { queue: queue.to_owned(), exchanges: exchanges.split(',').map(str::to_owned).collect() })
}

/// Makes the queues, and returns when the broker has confirmed all logs.
pub(crate) async fn fill(broker: &str, options: Options) -> anyhow::Result<()> {
    let Options { binds, queue_type, exchanges, logs } = options;
    let connection = connect(broker).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let bound = binds.iter().flat_map(|bind| &bind.exchanges);
    for exchange in bound.chain(&exchanges).collect::<BTreeSet<_>>() {
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let (name, kind, none) = (exchange.as_str().into(), ExchangeKind::Topic, FieldTable::default());
        channel.exchange_declare(name, kind, durable, none).await?;
    }
    for Bind { queue, exchanges } in &binds {
        make(&channel, queue, queue_type, exchanges).await?;
    }
    for exchange in &exchanges {
        publish(&channel, exchange, logs, WINDOW).await?;
    }
    connection.close(200, "done".into()).await?;
    Ok(())
}

async fn make(
    channel: &Channel,
    queue: &str,
    queue_type: QueueType,
    exchanges: &[String],
) -> anyhow::Result<()> {
    channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let mut arguments = FieldTable::default();
    let single = ("x-single-active-consumer", AMQPValue::Boolean(true));
    let of_type = |name: &str| ("x-queue-type", AMQPValue::LongString(name.into()));
    let pairs = match queue_type {
        QueueType::Classic => vec![single],
        QueueType::Quorum => {
            vec![single, of_type("quorum"), ("x-delivery-limit", AMQPValue::LongLongInt(-1))]
        }
        QueueType::Stream => vec![of_type("stream")],
    };
    for (name, value) in pairs {
        arguments.insert(name.into(), value);
    }
    channel.queue_declare(queue.into(), durable, arguments).await?;
    for exchange in exchanges {
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        channel.queue_bind(queue.into(), exchange.as_str().into(), "#".into(), options, none).await?;
    }
    Ok(())
}

/// Deletes queues and exchanges; that one is not there is no error.
pub(crate) async fn delete(broker: &str, doomed: Doomed) -> anyhow::Result<()> {
    let connection = connect(broker).await?;
    let channel = connection.create_channel().await?;
    for queue in doomed.queues {
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
    }
    for exchange in doomed.exchanges {
        channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await?;
    }
    connection.close(200, "done".into()).await?;
    Ok(())
}
