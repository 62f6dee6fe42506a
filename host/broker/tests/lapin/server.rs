//! The server itself: its users, its address and its end.

use futures_util::StreamExt;
use lapin::{options::QueueDeclareOptions, types::FieldTable};
use loghost_broker::{Broker, Options};

use crate::support::{broker, broker_with, channel, connect, consumer, queue, soon};

#[tokio::test]
async fn another_user_may_be_chosen() {
    let options = Options { user: "us/er".into(), password: "p@ss".into(), ..Options::default() };
    assert!(!format!("{options:?}").contains("p@ss"));
    let broker = broker_with(options).await;
    connect(&broker).await;
}

#[tokio::test]
async fn shutting_down_closes_connections_and_frees_the_port() {
    let broker = broker().await;
    let address = broker.local_addr();
    let (connection, channel) = channel(&broker).await;
    soon(broker.shutdown()).await;
    let declared = channel.queue_declare("q".into(), QueueDeclareOptions::default(), FieldTable::default());
    assert!(soon(declared).await.is_err());
    assert!(!connection.status().connected());
    Broker::bind(address, Options::default()).await.unwrap();
}

#[tokio::test]
async fn dropping_the_broker_ends_it_too() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    queue(&channel, "q").await;
    let mut consumer = consumer(&channel, "q", "c").await;
    drop(broker);
    let last = soon(consumer.next()).await;
    assert!(!matches!(last, Some(Ok(_))), "the connection is gone");
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_names_it() {
    let broker = broker().await;
    let error = Broker::bind(broker.local_addr(), Options::default()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {}", broker.local_addr()));
}
