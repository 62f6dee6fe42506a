//! TLS as the parameters of a URL describe it: whom to trust, and who to be.
//!
//! The names are those of RabbitMQ's Erlang client. The files are read whenever a connection is made, so
//! that a renewed certificate counts from the next one on. Knows nothing of what goes over the connection.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lapin::tcp::{RustlsConnector, RustlsConnectorConfig};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
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
    pub(super) server_name: String,
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
        let server_name = parameter(url, SERVER_NAME);
        if server_name.as_deref().is_some_and(|name| ServerName::try_from(name).is_err()) {
            return wrong(SERVER_NAME, "this is no host's name");
        }
        let server_name = server_name.unwrap_or_else(|| host.to_owned());
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
    pub(super) fn connector(&self) -> Result<RustlsConnector, TlsFileError> {
        let config = match &self.authorities {
            Some(path) => {
                let authorities = certificates(AUTHORITIES, path)?;
                RustlsConnectorConfig::default().with_parsable_certificates(authorities)
            }
            None => RustlsConnectorConfig::new_with_native_certs().map_err(|error| system(&error))?,
        };
        let unusable = |error: io::Error| match (&self.identity, &self.authorities) {
            // Whatever is wrong with a key and its certificate, and with nothing else.
            (Some(Identity { certificate, key }), _) if error.kind() == io::ErrorKind::InvalidData => {
                let reason = format!("it does not go with {KEY} {}: {error}", key.display());
                file(CERTIFICATE, certificate, reason)
            }
            (_, Some(path)) => file(AUTHORITIES, path, error.to_string()),
            (_, None) => system(&error),
        };
        match &self.identity {
            Some(Identity { certificate, key }) => {
                let (certificates, key) = (certificates(CERTIFICATE, certificate)?, private_key(key)?);
                config.connector_with_single_cert(certificates, key)
            }
            None => config.connector_with_no_client_auth(),
        }
        .map_err(unusable)
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

fn system(error: &io::Error) -> TlsFileError {
    TlsFileError::System(error.to_string())
}
