//! What a broker refuses, and what is said of it.

use libtest_mimic::Trial;
use loghost_rabbitmq::{
    Obstacle, OffsetSpec, ResponseCode, StreamConnection, StreamEndpoint, StreamError, SubscribeOptions,
};
use loghost_rabbitmq_node::{Setup, Version, free_port};

use crate::fixture::{TestStream, shared, start};
use crate::support::{Skip, connect, endpoint, needing, says, soon};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        needing("rabbitmq4::a_wrong_password_is_refused", a_wrong_password_is_refused),
        needing("rabbitmq4::an_unknown_vhost_is_refused", an_unknown_vhost_is_refused),
        needing("rabbitmq4::an_unknown_stream_is_refused", an_unknown_stream_is_refused),
        needing("rabbitmq4::who_may_not_read_is_refused", who_may_not_read_is_refused),
        needing("rabbitmq4::a_port_of_amqp_is_named", a_port_of_amqp_is_named),
        needing("rabbitmq::an_old_version_is_named", an_old_version_is_named),
    ]
}

/// Why there is no connection.
async fn fails(endpoint: &StreamEndpoint, obstacle: Obstacle, words: &[&str]) {
    let error = soon(StreamConnection::open(endpoint, "test")).await.err().expect("no connection");
    says(&error, words);
    assert_eq!(error.obstacle(), obstacle, "{error}");
}

async fn a_wrong_password_is_refused() -> Result<(), Skip> {
    let fixture = TestStream::new().await?;
    let endpoint = fixture.endpoint_as("guest");
    let words = [
        "rabbitmq-stream://guest@127.0.0.1:",
        "the login",
        "authentication failure",
        "check the user and the password",
    ];
    fails(&endpoint, Obstacle::Refusal, &words).await;
    Ok(())
}

async fn an_unknown_vhost_is_refused() -> Result<(), Skip> {
    let node = shared()?;
    let endpoint =
        endpoint(&node.url().replace("%2f", "nowhere"), "127.0.0.1", node.stream_port().expect("a port"));
    let words = ["/nowhere refuses the virtual host: virtual host access failure", "rabbitmqctl add_vhost"];
    fails(&endpoint, Obstacle::Refusal, &words).await;
    Ok(())
}

async fn an_unknown_stream_is_refused() -> Result<(), Skip> {
    let fixture = TestStream::new().await?;
    let connection = connect(&fixture.endpoint()).await;
    let said =
        ["rabbitmq-stream://guest@127.0.0.1:", "the stream nowhere", "stream does not exist", "declare it"];
    let error = read(&connection, "nowhere").await;
    assert!(matches!(error, StreamError::Refused { code: ResponseCode::StreamDoesNotExist, .. }), "{error}");
    says(&error, &said);
    says(&soon(connection.statistics("nowhere")).await.unwrap_err(), &said);
    says(&soon(connection.query_offset("reader", "nowhere")).await.unwrap_err(), &said);
    // The connection is not harmed.
    assert!(soon(connection.statistics(&fixture.stream)).await.is_ok());
    soon(connection.close()).await;
    Ok(())
}

/// Why a stream cannot be read.
async fn read(connection: &StreamConnection, stream: &str) -> StreamError {
    let (stream, from, properties) = (stream.to_owned(), OffsetSpec::First, Vec::new());
    let options = SubscribeOptions { stream, from, credit: 1, properties };
    soon(connection.subscribe(options)).await.err().expect("a refusal")
}

async fn who_may_not_read_is_refused() -> Result<(), Skip> {
    let fixture = TestStream::new().await?;
    let run =
        |arguments: &[&str]| fixture.node.rabbitmqctl(arguments).expect("a node that does as it is told");
    run(&["add_user", "blind", "s3cret"]);
    run(&["set_permissions", "blind", ".*", ".*", "^$"]);
    let connection = connect(&fixture.endpoint_as("blind")).await;
    let said = ["rabbitmq-stream://blind@127.0.0.1:", &fixture.stream, "access refused", "set_permissions"];
    says(&read(&connection, &fixture.stream).await, &said);
    says(&soon(connection.query_offset("reader", &fixture.stream)).await.unwrap_err(), &said);
    says(&soon(connection.statistics(&fixture.stream)).await.unwrap_err(), &said);
    soon(connection.close()).await;
    Ok(())
}

async fn a_port_of_amqp_is_named() -> Result<(), Skip> {
    let node = shared()?;
    let port = node.url().rsplit_once(':').and_then(|(_, rest)| rest.split('/').next()?.parse().ok());
    let endpoint = endpoint(&node.url(), "127.0.0.1", port.expect("a port"));
    fails(&endpoint, Obstacle::NotABroker, &["this is a port for AMQP", "usually 5552"]).await;
    Ok(())
}

async fn an_old_version_is_named() -> Result<(), Skip> {
    let port = free_port();
    let config = format!("stream.listeners.tcp.1 = 127.0.0.1:{port}");
    let setup = Setup { config: &config, plugins: "rabbitmq_stream", ..Setup::default() };
    let node = start(Version::V3, &setup)?;
    let endpoint = endpoint(&node.url(), "127.0.0.1", port);
    fails(&endpoint, Obstacle::Unready, &["versions of commands", "RabbitMQ 3.13"]).await;
    Ok(())
}
