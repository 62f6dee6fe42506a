//! What is asked of a broker, and what comes.

use futures_util::FutureExt;
use libtest_mimic::Trial;
use loghost_rabbitmq::{
    Loss, OffsetSpec, ResponseCode, StreamConnection, StreamDelivery, StreamNode, StreamStatistics,
    SubscribeOptions, Subscription,
};

use crate::fixture::TestStream;
use crate::support::{Skip, connect, needing, next, says, soon, subscribe};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        needing("rabbitmq4::connects_and_closes", connects_and_closes),
        needing("rabbitmq4::chunks_come_as_there_is_credit", chunks_come_as_there_is_credit),
        needing("rabbitmq4::reading_begins_where_it_is_told_to", reading_begins_where_it_is_told_to),
        needing("rabbitmq4::a_chunk_may_be_longer_than_a_frame", a_chunk_may_be_longer_than_a_frame),
        needing("rabbitmq4::an_offset_is_stored", an_offset_is_stored),
        needing("rabbitmq4::metadata_names_the_leader", metadata_names_the_leader),
        needing("rabbitmq4::statistics_say_how_far_it_goes", statistics_say_how_far_it_goes),
        needing("rabbitmq4::subscriptions_end", subscriptions_end),
        needing("rabbitmq4::there_are_256_subscriptions", there_are_256_subscriptions),
    ]
}

/// How many messages are in a chunk, and the offset of the first one.
fn records(delivery: &StreamDelivery) -> (u32, u64) {
    let chunk = &delivery.chunk;
    let records = u32::from_be_bytes(chunk[4..8].try_into().expect("four bytes"));
    (records, u64::from_be_bytes(chunk[24..32].try_into().expect("eight bytes")))
}

/// Whether there is a chunk already. The answer to a request comes after all chunks that were sent before.
async fn has_one(connection: &StreamConnection, subscription: &mut Subscription) -> bool {
    soon(connection.statistics(subscription.stream())).await.expect("an answer");
    subscription.next().now_or_never().is_some()
}

async fn connects_and_closes() -> Result<(), Skip> {
    let fixture = TestStream::new().await?;
    let connection = connect(&fixture.endpoint()).await;
    assert_eq!(connection.advertised(), Some(("127.0.0.1", fixture.node.stream_port().expect("a port"))));
    assert_eq!(connection.endpoint(), &fixture.endpoint());
    let mut subscription = subscribe(&connection, &fixture.stream, OffsetSpec::First, 1).await;
    soon(connection.close()).await;
    assert_eq!(soon(connection.ended()).await, Loss::Closed);
    says(
        &soon(subscription.next()).await.unwrap_err(),
        &["rabbitmq-stream://guest@127.0.0.1:", "it is closed"],
    );
    says(&soon(connection.statistics("any")).await.unwrap_err(), &["it is closed"]);
    soon(connection.close()).await;
    Ok(())
}

async fn chunks_come_as_there_is_credit() -> Result<(), Skip> {
    let fixture = TestStream::new().await?;
    fixture.publish_chunks(9).await;
    let connection = connect(&fixture.endpoint()).await;
    let mut subscription = subscribe(&connection, &fixture.stream, OffsetSpec::First, 3).await;
    let (mut read, mut chunks) = (0, 0);
    for _ in 0..3 {
        let delivery = next(&mut subscription).await;
        let (records, first) = records(&delivery);
        assert_eq!((u64::from(read), Some(8)), (first, delivery.committed_chunk_id));
        (read, chunks) = (read + records, chunks + 1);
    }
    assert!(!has_one(&connection, &mut subscription).await, "a chunk without credit");
    // Not with half of the first credit, or less.
    soon(subscription.give_back(1)).await.expect("a connection");
    assert!(!has_one(&connection, &mut subscription).await, "a chunk with less than half of the credit");
    // Not more than were taken.
    soon(subscription.give_back(u16::MAX)).await.expect("a connection");
    while read < 9 {
        read += records(&next(&mut subscription).await).0;
        chunks += 1;
        soon(subscription.give_back(1)).await.expect("a connection");
    }
    assert_eq!((read, chunks), (9, 9));
    fixture.publish(b"the last").await;
    assert_eq!(records(&next(&mut subscription).await), (1, 9));
    soon(connection.close()).await;
    Ok(())
}

async fn reading_begins_where_it_is_told_to() -> Result<(), Skip> {
    let fixture = TestStream::new().await?;
    fixture.publish_chunks(5).await;
    let connection = connect(&fixture.endpoint()).await;
    for (from, expected) in [
        (OffsetSpec::First, 0),
        (OffsetSpec::Last, 4),
        (OffsetSpec::Offset(2), 2),
        (OffsetSpec::Timestamp(0), 0),
    ] {
        let mut subscription = subscribe(&connection, &fixture.stream, from, 1).await;
        assert_eq!(records(&next(&mut subscription).await), (1, expected), "{from:?}");
    }
    let mut subscription = subscribe(&connection, &fixture.stream, OffsetSpec::Next, 1).await;
    assert!(!has_one(&connection, &mut subscription).await);
    fixture.publish(b"next").await;
    assert_eq!(records(&next(&mut subscription).await), (1, 5));
    soon(connection.close()).await;
    Ok(())
}

/// A message in AMQP may be longer than what both sides agree on for frames.
async fn a_chunk_may_be_longer_than_a_frame() -> Result<(), Skip> {
    let fixture = TestStream::new().await?;
    let message = vec![7; 5 * 1024 * 1024];
    fixture.publish(&message).await;
    let connection = connect(&fixture.endpoint()).await;
    let mut subscription = subscribe(&connection, &fixture.stream, OffsetSpec::First, 1).await;
    let delivery = next(&mut subscription).await;
    assert!(delivery.chunk.len() > message.len() && delivery.chunk.ends_with(&message));
    soon(connection.close()).await;
    Ok(())
}

async fn an_offset_is_stored() -> Result<(), Skip> {
    let fixture = TestStream::new().await?;
    fixture.publish_chunks(3).await;
    let connection = connect(&fixture.endpoint()).await;
    let query =
        || async { soon(connection.query_offset("reader", &fixture.stream)).await.expect("an answer") };
    assert_eq!(query().await, None);
    for offset in [1, 2] {
        soon(connection.store_offset("reader", &fixture.stream, offset)).await.expect("a connection");
        // The broker does not say when it is stored.
        soon(async { while query().await != Some(offset) {} }).await;
    }
    let other = soon(connection.query_offset("other", &fixture.stream)).await;
    assert_eq!(other.expect("an answer"), None);
    let long = "x".repeat(40_000);
    let error = soon(connection.store_offset(&long, &fixture.stream, 1)).await.unwrap_err();
    says(&error, &["a text of 40000 bytes", &fixture.stream]);
    soon(connection.close()).await;
    Ok(())
}

async fn metadata_names_the_leader() -> Result<(), Skip> {
    let fixture = TestStream::new().await?;
    let connection = connect(&fixture.endpoint()).await;
    let known = soon(connection.metadata(&[&fixture.stream, "nowhere"])).await.expect("an answer");
    let of = |stream: &str| known.iter().find(|known| known.stream == stream).expect("one of each");
    let node = StreamNode { host: "127.0.0.1".to_owned(), port: fixture.node.stream_port().expect("a port") };
    let stream = of(&fixture.stream);
    assert_eq!((stream.code, &stream.leader, &*stream.replicas), (ResponseCode::Ok, &Some(node), &[][..]));
    let nowhere = of("nowhere");
    assert_eq!((nowhere.code, &nowhere.leader), (ResponseCode::StreamDoesNotExist, &None));
    // A request that is longer than a frame is not sent: the broker would end the connection.
    let names = vec!["n".repeat(255); 5000];
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    says(&soon(connection.metadata(&names)).await.unwrap_err(), &["stream.frame_max"]);
    assert!(soon(connection.metadata(&[])).await.expect("an answer").is_empty());
    soon(connection.close()).await;
    Ok(())
}

async fn statistics_say_how_far_it_goes() -> Result<(), Skip> {
    let fixture = TestStream::new().await?;
    let connection = connect(&fixture.endpoint()).await;
    let ask = || async { soon(connection.statistics(&fixture.stream)).await.expect("an answer") };
    assert_eq!(ask().await, StreamStatistics::default());
    fixture.publish_chunks(4).await;
    let [first_chunk_id, committed_chunk_id, committed_offset] = [Some(0), Some(3), Some(3)];
    assert_eq!(ask().await, StreamStatistics { first_chunk_id, committed_chunk_id, committed_offset });
    soon(connection.close()).await;
    Ok(())
}

async fn subscriptions_end() -> Result<(), Skip> {
    let fixture = TestStream::new().await?;
    let connection = connect(&fixture.endpoint()).await;
    fixture.publish_chunks(2).await;
    // More than a connection can have at a time.
    for _ in 0..300 {
        let mut subscription = subscribe(&connection, &fixture.stream, OffsetSpec::First, 1).await;
        assert_eq!(records(&next(&mut subscription).await), (1, 0));
        soon(subscription.end()).await.expect("an answer");
    }
    // What nobody reads ends as well, whether it is noticed before a chunk comes or then.
    for _ in 0..300 {
        drop(subscribe(&connection, &fixture.stream, OffsetSpec::First, 1).await);
    }
    assert!(soon(connection.statistics(&fixture.stream)).await.is_ok());
    soon(connection.close()).await;
    Ok(())
}

async fn there_are_256_subscriptions() -> Result<(), Skip> {
    let fixture = TestStream::new().await?;
    let connection = connect(&fixture.endpoint()).await;
    let mut subscriptions = Vec::new();
    for _ in 0..256 {
        subscriptions.push(subscribe(&connection, &fixture.stream, OffsetSpec::Next, 1).await);
    }
    let stream = fixture.stream.clone();
    let options = SubscribeOptions { stream, from: OffsetSpec::Next, credit: 1, properties: Vec::new() };
    let error = soon(connection.subscribe(options)).await.err().expect("no number is free");
    says(&error, &["256 subscriptions", &fixture.stream]);
    fixture.publish(b"for all").await;
    for subscription in &mut subscriptions {
        assert_eq!(records(&next(subscription).await), (1, 0));
    }
    soon(connection.close()).await;
    Ok(())
}
