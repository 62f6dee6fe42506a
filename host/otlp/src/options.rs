//! What is sent, and where.

use std::fmt;
use std::time::Duration;

use loghost_core::domain::{Sampler, without_login};
use rustls::pki_types::CertificateDer;

/// What is sent, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where metrics are sent, if they are.
    pub metrics: Option<Endpoint>,
    /// Where traces are sent, if they are.
    pub traces: Option<Endpoint>,
    /// The time from one sending of metrics to the next.
    pub interval: Duration,
    /// Which traces are recorded.
    pub sampler: Sampler,
    /// What is said of this process.
    pub resource: Vec<(String, String)>,
}

/// Where something is sent.
#[derive(Clone)]
pub struct Endpoint {
    /// The whole URL.
    pub url: String,
    /// Headers of each request, which may be secret.
    pub headers: Vec<(String, String)>,
    /// How long a request may take.
    pub timeout: Duration,
    /// The authorities that may have signed the collector's certificate; without them, those that the system trusts.
    pub authorities: Option<Vec<CertificateDer<'static>>>,
}

impl Options {
    /// The same without metrics; none if no traces are sent either.
    pub fn only_traces(self) -> Option<Self> {
        self.traces.is_some().then_some(Self { metrics: None, ..self })
    }
}

impl Endpoint {
    /// At this URL, as the specification has it where nothing else is said.
    pub fn at(url: String) -> Self {
        Self { url, headers: Vec::new(), timeout: Self::TIMEOUT, authorities: None }
    }

    /// How long a request may take by the specification, unless it is told otherwise.
    pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

    /// The URL, without user, password and parameters.
    pub fn address(&self) -> String {
        without_login(&self.url)
    }
}

/// Without the values of headers, and without certificates.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        let timeout = self.timeout;
        f.debug_struct("Endpoint")
            .field("url", &self.address())
            .field("headers", &headers)
            .field("timeout", &timeout)
            .finish_non_exhaustive()
    }
}
