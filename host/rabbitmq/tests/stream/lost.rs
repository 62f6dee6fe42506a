//! A stream or a node that goes while it is read.

use std::sync::Arc;

use libtest_mimic::Trial;
use loghost_rabbitmq::{Loss, OffsetSpec, ResponseCode, StreamError};
use loghost_rabbitmq_node::{Setup, Version};

use crate::fixture::{TestStream, start};
use crate::support::{Skip, connect, needing, next, says, soon, subscribe};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        needing(
            "rabbitmq4::a_stream_that_is_deleted_ends_its_subscriptions",
            a_stream_that_is_deleted_ends_its_subscriptions,
        ),
        needing(
            "rabbitmq4::who_waits_is_told_that_the_node_is_gone",
            who_waits_is_told_that_the_node_is_gone,
        ),
    ]
}

async fn a_stream_that_is_deleted_ends_its_subscriptions() -> Result<(), Skip> {
    let (fixture, other) = (TestStream::new().await?, TestStream::new().await?);
    fixture.publish_chunks(1).await;
    other.publish_chunks(2).await;
    let connection = connect(&fixture.endpoint()).await;
    let mut subscription = subscribe(&connection, &fixture.stream, OffsetSpec::First, 2).await;
    let mut untouched = subscribe(&connection, &other.stream, OffsetSpec::First, 1).await;
    next(&mut untouched).await;
    fixture.delete().await;
    // What came before is still there.
    next(&mut subscription).await;
    let error = soon(subscription.next()).await.unwrap_err();
    assert!(matches!(error, StreamError::Gone { code: ResponseCode::StreamNotAvailable, .. }), "{error}");
    says(&error, &["rabbitmq-stream://guest@127.0.0.1:", &fixture.stream, "it was deleted"]);
    // The credit of the one that is gone does not harm a later one of the same number.
    let mut later = subscribe(&connection, &other.stream, OffsetSpec::First, 1).await;
    soon(subscription.give_back(1)).await.expect("a connection");
    next(&mut later).await;
    soon(untouched.give_back(1)).await.expect("a connection");
    next(&mut untouched).await;
    soon(subscription.end()).await.expect("nothing to end");
    soon(connection.close()).await;
    Ok(())
}

async fn who_waits_is_told_that_the_node_is_gone() -> Result<(), Skip> {
    let node = Arc::new(start(Version::V4, &Setup::default())?);
    let fixture = TestStream::on(Arc::clone(&node)).await;
    let connection = connect(&fixture.endpoint()).await;
    let mut subscription = subscribe(&connection, &fixture.stream, OffsetSpec::First, 1).await;
    drop(fixture);
    let mut node = Arc::into_inner(node).expect("nobody else has it");
    node.kill().expect("a node to kill");
    let error = soon(subscription.next()).await.unwrap_err();
    assert!(matches!(error, StreamError::Lost { loss: Loss::Ended | Loss::Network(_), .. }), "{error}");
    says(&error, &["lost the connection to rabbitmq-stream://guest@127.0.0.1:"]);
    assert!(matches!(soon(connection.ended()).await, Loss::Ended | Loss::Network(_)));
    says(&soon(connection.statistics("any")).await.unwrap_err(), &["lost the connection"]);
    soon(connection.close()).await;
    Ok(())
}
