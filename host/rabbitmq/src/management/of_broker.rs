//! The management API of a connection's broker: the one that was named, or the default one, if it is of the same cluster. A
//! password is sent to the default one only if that shows the broker's certificate.

use std::collections::BTreeSet;

use crate::connection::open::Connection;
use crate::management::api::{Management, ManagementError};
use crate::management::exchange::ManagedExchange;
use crate::management::queue::ManagedQueue;
use crate::management::queue_figures::QueueFigures;
use crate::management::url::{Credentials, ManagementUrl};
use crate::topology::inspection::Binding;

/// The management API of a broker.
#[derive(Clone)]
pub struct BrokerApi {
    management: Management,
    vhost: String,
}

/// The default user of a broker, and its password.
const GUEST: &str = "guest";

/// Why it is not asked.
#[derive(Debug, thiserror::Error)]
pub enum NotAsked {
    /// It was named for a broker that has none.
    #[error("--management-url: the broker is no RabbitMQ, and has no management API: that is not asked")]
    OtherProduct,
    /// It is another broker's.
    #[error(
        "--management-url: that is the cluster {found}, and the broker is of {expected}: it is not asked"
    )]
    OtherCluster { found: String, expected: String },
    /// It does not answer.
    #[error(transparent)]
    NoAnswer(#[from] ManagementError),
}

impl BrokerApi {
    /// That of the broker that `connection` leads to; none if it cannot have one, or is not to be asked.
    pub async fn find(
        connection: &Connection,
        given: Option<&ManagementUrl>,
    ) -> Option<Result<Self, NotAsked>> {
        let Some(cluster) = connection.product().cluster() else {
            return given.map(|_| Err(NotAsked::OtherProduct));
        };
        let access = connection.address().access();
        let is_known_to_all = (access.user, access.password) == (GUEST, GUEST);
        let usual = || {
            let usual = ManagementUrl::usual(&access.host, access.is_encrypted).ok();
            usual.filter(|_| access.is_encrypted || is_known_to_all)
        };
        let url = given.cloned().or_else(usual)?;
        let credentials = Credentials { user: access.user.to_owned(), password: access.password.to_owned() };
        let authorities = access.authorities.map(ToOwned::to_owned);
        let finding = async {
            let management = Management::new(url, credentials, authorities)?;
            let found = management.overview().await?.cluster_name;
            if found != cluster {
                return Err(NotAsked::OtherCluster { found, expected: cluster.to_owned() });
            }
            Ok(Self { management, vhost: access.vhost.to_owned() })
        };
        Some(finding.await)
    }

    /// What it knows of a queue; none if there is no such queue.
    pub async fn queue(&self, queue: &str) -> Result<Option<ManagedQueue>, ManagementError> {
        self.management.queue(&self.vhost, queue).await
    }

    /// The figures of a queue; none if there is no such queue.
    pub async fn figures(&self, queue: &str) -> Result<Option<QueueFigures>, ManagementError> {
        self.management.figures(&self.vhost, queue).await
    }

    /// The names of all queues.
    pub async fn queues(&self) -> Result<Vec<String>, ManagementError> {
        self.management.queues(&self.vhost).await
    }

    /// All exchanges, with the default one, which has no name.
    pub async fn exchanges(&self) -> Result<Vec<ManagedExchange>, ManagementError> {
        self.management.exchanges(&self.vhost).await
    }

    /// The keys with which something is bound to an exchange.
    pub async fn keys(&self, exchange: &str) -> Result<BTreeSet<String>, ManagementError> {
        self.management.keys(&self.vhost, exchange).await
    }

    /// The names of the policies by which exchanges pass on to others what they cannot route.
    pub async fn alternate_policies(&self) -> Result<BTreeSet<String>, ManagementError> {
        self.management.alternate_policies(&self.vhost).await
    }

    /// The bindings of a queue; none if there is no such queue.
    pub async fn bindings(&self, queue: &str) -> Result<Option<Vec<Binding>>, ManagementError> {
        self.management.bindings(&self.vhost, queue).await
    }
}
