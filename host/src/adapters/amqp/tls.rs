//! TLS as the parameters of a URL describe it: whom to trust, and who to be.
//!
//! The names are those of RabbitMQ's Erlang client. The files are read whenever a connection is made, so
//! that a renewed certificate counts from the next one on. Knows nothing of what goes over the connection.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use url::Url;

pub(super) const AUTHORITIES: &str = "cacertfile";
pub(super) const CERTIFICATE: &str = "certfile";
pub(super) const KEY: &str = "keyfile";
pub(super) const SERVER_NAME: &str = "server_name_indication";

/// How to be sure of a broker, and how the broker can be sure of us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tls {
    /// The authorities to trust, and no others; without it, those that the system trusts.
    pub(super) authorities: Option<PathBuf>,
    pub(super) identity: Option<Identity>,
    /// The name that the broker's certificate must have.
    pub(super) server_name: ServerName<'static>,
}

/// The files of a client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// A parameter that cannot be as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{parameter}: {reason}")]
pub(crate) struct TlsParameterError {
    parameter: &'static str,
    reason: &'static str,
}

/// Certificates that cannot be used as they are.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum TlsFileError {
    /// A file that a parameter names.
    #[error("{parameter} {}: {reason}", path.display())]
    File { parameter: &'static str, path: PathBuf, reason: String },
    /// What the system trusts, which is nothing.
    #[error(
        "there is no authority to trust on this machine ({0}): name the broker's with {AUTHORITIES}=FILE"
    )]
    System(String),
}

impl Tls {
    /// What the URL says; the certificate must be for `host` unless it names another.
    pub(super) fn parse(url: &Url, host: &str) -> Result<Self, TlsParameterError> {
        let wrong = |parameter, reason| Err(TlsParameterError { parameter, reason });
        let path = |name| parameter(url, name).map(PathBuf::from);
        let identity = match (path(CERTIFICATE), path(KEY)) {
            (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
            (None, None) => None,
            (Some(_), None) => return wrong(CERTIFICATE, "needs keyfile=FILE too"),
            (None, Some(_)) => return wrong(KEY, "needs certfile=FILE too"),
        };
        let server_name = parameter(url, SERVER_NAME).unwrap_or_else(|| host.to_owned());
        let Ok(server_name) = ServerName::try_from(server_name) else {
            return wrong(SERVER_NAME, "this is no host's name");
        };
        Ok(Self { authorities: path(AUTHORITIES), identity, server_name })
    }

    /// Fails if the URL, which is for a connection without TLS, has parameters that would go for nothing.
    pub(super) fn must_be_absent(url: &Url) -> Result<(), TlsParameterError> {
        let names = [AUTHORITIES, CERTIFICATE, KEY, SERVER_NAME];
        match names.into_iter().find(|name| parameter(url, name).is_some()) {
            Some(parameter) => {
                Err(TlsParameterError { parameter, reason: "goes with TLS, which begins with amqps://" })
            }
            None => Ok(()),
        }
    }

    /// Reads the files.
    pub(super) fn connector(&self) -> Result<TlsConnector, TlsFileError> {
        let mut roots = RootCertStore::empty();
        if let Some(path) = &self.authorities {
            if roots.add_parsable_certificates(certificates(AUTHORITIES, path)?).0 == 0 {
                return Err(file(AUTHORITIES, path, "no certificate of an authority".to_owned()));
            }
        } else {
            let found = rustls_native_certs::load_native_certs();
            if roots.add_parsable_certificates(found.certs).0 == 0 {
                let reason = found.errors.first().map_or("none found".to_owned(), ToString::to_string);
                return Err(TlsFileError::System(reason));
            }
        }
        let config = ClientConfig::builder().with_root_certificates(roots);
        let config = match &self.identity {
            Some(Identity { certificate, key }) => {
                let (chain, private) = (certificates(CERTIFICATE, certificate)?, private_key(key)?);
                config.with_client_auth_cert(chain, private).map_err(|error| {
                    let reason = format!("it does not go with {KEY} {}: {error}", key.display());
                    file(CERTIFICATE, certificate, reason)
                })?
            }
            None => config.with_no_client_auth(),
        };
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

/// A parameter of a URL that is not empty.
fn parameter(url: &Url, name: &str) -> Option<String> {
    let (_, value) = url.query_pairs().find(|(key, _)| key == name)?;
    Some(value.into_owned()).filter(|value| !value.is_empty())
}

fn certificates(parameter: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let text = fs::read(path).map_err(|error| file(parameter, path, error.to_string()))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(pem::Error::NoItemsFound),
        result => result,
    }
    .map_err(|error| file(parameter, path, format!("no certificates in PEM: {error}")))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsFileError> {
    let text = fs::read(path).map_err(|error| file(KEY, path, error.to_string()))?;
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|error| file(KEY, path, format!("no private key in PEM without a password: {error}")))
}

fn file(parameter: &'static str, path: &Path, reason: String) -> TlsFileError {
    TlsFileError::File { parameter, path: path.to_owned(), reason }
}
