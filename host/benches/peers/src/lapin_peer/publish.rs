//! Publishing: persistent, `mandatory`, confirmed, with a window of logs whose confirms have not come.

use anyhow::ensure;
use clap::Args;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation};
use loghost_peers::log::{BODY, EXCHANGE, SOURCE, id_prefix, producer, properties};
use loghost_peers::report::Stopwatch;

use super::connect;

#[derive(Args)]
pub(crate) struct Options {
    /// How many logs to publish
    #[arg(long, value_name = "N")]
    logs: u64,

    /// How many may be unconfirmed
    #[arg(long, default_value_t = 2048, value_name = "N")]
    window: usize,

    /// Where to publish them
    #[arg(long, default_value = EXCHANGE, value_name = "NAME")]
    exchange: String,
}

/// Publishes; the report.
pub(crate) async fn run(broker: &str, options: Options) -> anyhow::Result<String> {
    let connection = connect(broker).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let watch = Stopwatch::start();
    publish(&channel, &options.exchange, options.logs, options.window).await?;
    let report = watch.report("lapin", options.logs);
    connection.close(200, "done".into()).await?;
    Ok(report)
}

/// Publishes so many logs of a producer of their own.
pub(crate) async fn publish(
    channel: &Channel,
    exchange: &str,
    logs: u64,
    window: usize,
) -> anyhow::Result<()> {
    let id_prefix = id_prefix(&producer(0));
    let mandatory = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let mut unconfirmed = FuturesUnordered::new();
    for number in 1..=logs {
        if unconfirmed.len() >= window {
            check(unconfirmed.next().await)?;
        }
        let properties = properties(format!("{id_prefix}{number}"));
        // Not awaited here: lapin would send each by itself.
        unconfirmed.push(async move {
            channel.basic_publish(exchange.into(), SOURCE.into(), mandatory, BODY, properties).await?.await
        });
    }
    while let Some(answer) = unconfirmed.next().await {
        check(Some(answer))?;
    }
    Ok(())
}

fn check(answer: Option<lapin::Result<Confirmation>>) -> anyhow::Result<()> {
    if let Some(answer) = answer {
        let confirmation = answer?;
        ensure!(matches!(confirmation, Confirmation::Ack(None)), "not confirmed: {confirmation:?}");
    }
    Ok(())
}
