//! What the tests share: a runtime for each, and what is skipped where something is missing.

use std::env;
use std::time::Duration;

use libtest_mimic::{Completion, Trial};
use loghost_rabbitmq::{Address, StreamConnection, StreamEndpoint, SubscribeOptions, Subscription};
use loghost_rabbitmq::{OffsetSpec, StreamDelivery};
use tokio::time::timeout;

/// How long a test waits for an event: far longer than any takes.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(1);

/// Why a test cannot run here, and what `LOGHOST_REQUIRE` calls what it needs.
#[derive(Clone)]
pub(crate) struct Skip {
    pub(crate) need: &'static str,
    pub(crate) reason: String,
}

/// A test that is skipped if something that it needs is missing.
pub(crate) fn needing<F: Future<Output = Result<(), Skip>>>(
    name: &str,
    body: impl FnOnce() -> F + Send + 'static,
) -> Trial {
    Trial::ignorable_test(name, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let Err(Skip { need, reason }) = runtime.block_on(body()) else { return Ok(Completion::Completed) };
        let required = env::var("LOGHOST_REQUIRE").unwrap_or_default();
        if required.split(',').any(|word| word.trim() == "all" || word.trim() == need) {
            return Err(format!("{reason} (LOGHOST_REQUIRE={required})").into());
        }
        Ok(Completion::ignored_with(reason))
    })
}

/// A test that runs everywhere.
pub(crate) fn test<F: Future<Output = ()>>(name: &str, body: impl FnOnce() -> F + Send + 'static) -> Trial {
    needing(name, move || async {
        body().await;
        Ok(())
    })
}

/// The result, which must not take longer than [`TIMEOUT`].
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(TIMEOUT, what).await.expect("something that takes not so long")
}

/// The endpoint beside the URL of AMQP, at this port.
pub(crate) fn endpoint(url: &str, host: &str, port: u16) -> StreamEndpoint {
    let address: Address = url.parse().expect("a URL");
    StreamEndpoint::of(&address).expect("a login for streams").at(host, port).expect("a host")
}

/// A connection, which must come about.
pub(crate) async fn connect(endpoint: &StreamEndpoint) -> StreamConnection {
    let opened = soon(StreamConnection::open(endpoint, "test")).await;
    opened.unwrap_or_else(|error| panic!("{error}"))
}

/// A subscription, which must come about.
pub(crate) async fn subscribe(
    connection: &StreamConnection,
    stream: &str,
    from: OffsetSpec,
    credit: u16,
) -> Subscription {
    let properties = vec![("name".to_owned(), "reader".to_owned())];
    let options = SubscribeOptions { stream: stream.to_owned(), from, credit, properties };
    soon(connection.subscribe(options)).await.unwrap_or_else(|error| panic!("{error}"))
}

/// The next chunk, which must come.
pub(crate) async fn next(subscription: &mut Subscription) -> StreamDelivery {
    soon(subscription.next()).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Fails unless all of `words` are in an error, and the password is not.
#[track_caller]
pub(crate) fn says(error: &impl ToString, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
    assert!(!text.contains("s3cret"), "the password: {text}");
}
