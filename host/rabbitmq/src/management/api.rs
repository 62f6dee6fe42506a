//! Requests to `RabbitMQ`'s management API, over HTTP.
//!
//! Knows nothing of connections and channels.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::task::spawn_blocking;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use crate::management::exchange::{BindingOfExchange, ManagedExchange, ManagedPolicy};
use crate::management::queue::ManagedQueue;
use crate::management::queue_figures::QueueFigures;
use crate::management::url::{Credentials, ManagementUrl};
use crate::topology::inspection::Binding;

/// How long an answer may take: the command waits for it.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A management API.
#[derive(Clone)]
pub(crate) struct Management {
    agent: Agent,
    url: ManagementUrl,
    authorization: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ManagementError {
    /// There is no answer, or not that of a management API.
    #[error("no management API at {0}: {1}")]
    Absent(ManagementUrl, String),
    /// It refuses this user, or has a fault.
    #[error("the management API at {0} answers {1}")]
    Refused(ManagementUrl, u16),
}

/// What it says of the broker.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Overview {
    /// What its cluster is called.
    pub cluster_name: String,
}

/// A binding of a queue.
#[derive(Deserialize)]
struct ManagedBinding {
    /// The exchange; the default one has no name.
    source: String,
    routing_key: String,
}

impl Management {
    /// The one at `url`, with the user that it names, or else that of `credentials`. With TLS, the authorities in the file
    /// `authorities` are trusted, or else those that the system trusts.
    pub(crate) fn new(
        url: ManagementUrl,
        credentials: Credentials,
        authorities: Option<PathBuf>,
    ) -> Result<Self, ManagementError> {
        let credentials = url.credentials().unwrap_or(credentials);
        let mut config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            // The password must not be sent to another host.
            .max_redirects(0)
            .proxy(None);
        if url.is_encrypted() {
            let roots = roots(authorities).map_err(|why| ManagementError::Absent(url.clone(), why))?;
            let tls = TlsConfig::builder()
                .provider(TlsProvider::Rustls)
                .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .root_certs(roots);
            config = config.tls_config(tls.build());
        }
        let Credentials { user, password } = credentials;
        let authorization = format!("Basic {}", BASE64.encode(format!("{user}:{password}")));
        Ok(Self { agent: config.build().new_agent(), url, authorization })
    }

    /// Which broker it is.
    pub(crate) async fn overview(&self) -> Result<Overview, ManagementError> {
        let overview = self.get(&["overview"]).await?;
        overview.ok_or_else(|| ManagementError::Refused(self.url.clone(), NOT_FOUND))
    }

    /// A queue; none if there is no such queue.
    pub(crate) async fn queue(
        &self,
        vhost: &str,
        queue: &str,
    ) -> Result<Option<ManagedQueue>, ManagementError> {
        self.get(&["queues", vhost, queue]).await
    }

    /// The figures of a queue; none if there is no such queue.
    pub(crate) async fn figures(
        &self,
        vhost: &str,
        queue: &str,
    ) -> Result<Option<QueueFigures>, ManagementError> {
        self.get(&["queues", vhost, queue]).await
    }

    /// The names of all queues.
    pub(crate) async fn queues(&self, vhost: &str) -> Result<Vec<String>, ManagementError> {
        #[derive(Deserialize)]
        struct Named {
            name: String,
        }
        let queues: Option<Vec<Named>> = self.get(&["queues", vhost]).await?;
        Ok(queues.unwrap_or_default().into_iter().map(|queue| queue.name).collect())
    }

    /// The bindings of a queue; none if there is no such queue.
    pub(crate) async fn bindings(
        &self,
        vhost: &str,
        queue: &str,
    ) -> Result<Option<Vec<Binding>>, ManagementError> {
        let bindings: Option<Vec<ManagedBinding>> = self.get(&["queues", vhost, queue, "bindings"]).await?;
        let binding = |ManagedBinding { source, routing_key }| Binding { exchange: source, key: routing_key };
        Ok(bindings.map(|bindings| bindings.into_iter().map(binding).collect()))
    }

    /// All exchanges.
    pub(crate) async fn exchanges(&self, vhost: &str) -> Result<Vec<ManagedExchange>, ManagementError> {
        Ok(self.get(&["exchanges", vhost]).await?.unwrap_or_default())
    }

    /// The keys with which something is bound to an exchange.
    pub(crate) async fn keys(
        &self,
        vhost: &str,
        exchange: &str,
    ) -> Result<BTreeSet<String>, ManagementError> {
        let bindings: Option<Vec<BindingOfExchange>> =
            self.get(&["exchanges", vhost, exchange, "bindings", "source"]).await?;
        Ok(bindings.unwrap_or_default().into_iter().map(|binding| binding.routing_key).collect())
    }

    /// The policies by which exchanges pass on to others what they cannot route.
    pub(crate) async fn alternate_policies(&self, vhost: &str) -> Result<BTreeSet<String>, ManagementError> {
        let policies: Vec<ManagedPolicy> = self.get(&["policies", vhost]).await?.unwrap_or_default();
        Ok(policies.into_iter().filter(ManagedPolicy::has_alternate).map(|policy| policy.name).collect())
    }

    /// What is at a path below `/api`; none if nothing is.
    async fn get<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &[&str],
    ) -> Result<Option<T>, ManagementError> {
        let Self { agent, url, authorization } = self.clone();
        let target = url.below(path);
        let asking = spawn_blocking(move || {
            let absent = |error: ureq::Error| ManagementError::Absent(url.clone(), error.to_string());
            let request = agent.get(target.as_str()).header("authorization", authorization);
            let mut answer = request.call().map_err(absent)?;
            match answer.status().as_u16() {
                200 => answer.body_mut().read_json().map(Some).map_err(absent),
                NOT_FOUND => Ok(None),
                status => Err(ManagementError::Refused(url, status)),
            }
        });
        let absent =
            |error: tokio::task::JoinError| ManagementError::Absent(self.url.clone(), error.to_string());
        asking.await.map_err(absent)?
    }
}

const NOT_FOUND: u16 = 404;

/// The certificates of these authorities.
fn roots(authorities: Option<PathBuf>) -> Result<RootCerts, String> {
    let found: Vec<CertificateDer<'static>> = match authorities {
        Some(file) => CertificateDer::pem_file_iter(&file)
            .and_then(Iterator::collect)
            .map_err(|error| format!("{}: {error}", file.display()))?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let roots: Vec<Certificate<'static>> =
        found.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    Ok(RootCerts::new_with_certs(&roots))
}
