//! A collector: takes requests over HTTP.

use std::sync::Arc;

use prost::Message;
use rustls::crypto::ring;
use tokio::task::spawn_blocking;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use crate::options::Endpoint;
use crate::proto::{PartialSuccess, Response};

/// Takes one signal.
#[derive(Clone)]
pub(crate) struct Collector {
    agent: Agent,
    endpoint: Arc<Endpoint>,
}

/// The most bytes of an answer that are read.
const MOST_ANSWER: u64 = 64 << 10;

/// Why a request was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    /// It may be the next time.
    #[error("{0}")]
    Now(String),
    /// It would not be the next time.
    #[error("it answers {0}")]
    Ever(u16),
}

impl Collector {
    /// The one at this address. Of those that are encrypted, certificates must be of its authorities.
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        let mut config = Agent::config_builder()
            .timeout_global(Some(endpoint.timeout))
            .http_status_as_error(false)
            // Headers may be secret, and must not be sent elsewhere.
            .max_redirects(0)
            .proxy(None);
        if endpoint.url.starts_with("https:") {
            let system = || rustls_native_certs::load_native_certs().certs;
            let known: Vec<Certificate<'static>> = endpoint
                .authorities
                .clone()
                .unwrap_or_else(system)
                .iter()
                .map(|der| Certificate::from_der(der).to_owned())
                .collect();
            let tls = TlsConfig::builder()
                .provider(TlsProvider::Rustls)
                .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
                .root_certs(RootCerts::new_with_certs(&known));
            config = config.tls_config(tls.build());
        }
        Self { agent: config.build().new_agent(), endpoint: Arc::new(endpoint) }
    }

    /// Where it is.
    pub(crate) fn address(&self) -> String {
        self.endpoint.address()
    }

    /// Sends a message of protobuf. What the answer says of it is none of the rejected parts, or how many there are and why;
    /// these must not be sent again.
    pub(crate) async fn send(&self, message: Vec<u8>) -> Result<PartialSuccess, NotTaken> {
        let Self { agent, endpoint } = self.clone();
        let sending = spawn_blocking(move || {
            let mut request = agent.post(&endpoint.url).header("content-type", "application/x-protobuf");
            for (name, value) in &endpoint.headers {
                request = request.header(name, value);
            }
            let mut answer = request.send(&message).map_err(|error| NotTaken::Now(error.to_string()))?;
            match answer.status().as_u16() {
                200..300 => {
                    // It is taken, whatever else is answered.
                    let answer = answer.body_mut().with_config().limit(MOST_ANSWER).read_to_vec();
                    let answer = answer.ok().and_then(|answer| Response::decode(&*answer).ok());
                    Ok(answer.and_then(|answer| answer.partial_success).unwrap_or_default())
                }
                // Those after which a request may be repeated.
                status @ (429 | 502..=504) => Err(NotTaken::Now(format!("it answers {status}"))),
                status => Err(NotTaken::Ever(status)),
            }
        });
        sending.await.unwrap_or_else(|error| Err(NotTaken::Now(error.to_string())))
    }
}
