//! The connections of a host's consumers.

use std::sync::Arc;

use futures_util::future::try_join;
use loghost_core::application::{Clock, Observer};
use loghost_core::domain::Severity;
use loghost_rabbitmq::{
    AmqpSink, AmqpSourceFactory, Destination, Exchanges, Names, ReconnectingConnection, SourceOptions,
};

use crate::compose::failure::Failure;
use crate::compose::target::{Target, unpublished};

/// Two connections. A broker that blocks publishers must not block acknowledgements: what is published, dead letters
/// included, has a connection of its own.
#[derive(Clone)]
pub(crate) struct Connections {
    pub(crate) consuming: Arc<ReconnectingConnection>,
    publishing: Arc<ReconnectingConnection>,
    pub(crate) names: Names,
}

impl Connections {
    /// Connects, for consuming and for publishing; the broker shows these purposes. The `observer` is told what happens to
    /// the connections, and on them.
    pub(crate) async fn connect(
        target: &Target,
        [consuming, publishing]: [&str; 2],
        observer: &Arc<dyn Observer>,
    ) -> Result<Self, Failure> {
        // The second also for those that publish nothing: their next version may.
        let connect = |purpose| target.connect_observed(purpose, Arc::clone(observer));
        let (consuming, publishing) = try_join(connect(consuming), connect(publishing)).await?;
        Ok(Self { consuming, publishing, names: target.names.clone() })
    }

    /// Where a consumer's logs come from.
    pub(crate) fn source_factory<C: Clock + Clone>(
        &self,
        options: SourceOptions,
        clock: C,
    ) -> AmqpSourceFactory<C> {
        let (consuming, publishing) = (Arc::clone(&self.consuming), Arc::clone(&self.publishing));
        AmqpSourceFactory::new(consuming, publishing, self.names.clone(), options, clock)
    }

    /// Where logs are published, of these severities at first.
    pub(crate) async fn sink(
        &self,
        exchanges: Exchanges,
        severities: impl IntoIterator<Item = Severity>,
    ) -> Result<AmqpSink, Failure> {
        self.sink_to(Destination::Severities(self.names.clone(), exchanges), severities).await
    }

    /// Where logs are published to this destination, of these severities at first.
    pub(crate) async fn sink_to(
        &self,
        destination: Destination,
        severities: impl IntoIterator<Item = Severity>,
    ) -> Result<AmqpSink, Failure> {
        let publishing = Arc::clone(&self.publishing);
        AmqpSink::open(publishing, destination, severities).await.map_err(unpublished)
    }

    pub(crate) async fn close(&self) {
        self.consuming.close().await;
        self.publishing.close().await;
    }
}
