//! TLS by the parameters of a URL: the authorities to trust, and the client certificate.
//!
//! The names are those of RabbitMQ's Erlang client. The files are read whenever a connection is made, so
//! that a renewed certificate is used from the next one on.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::connection::address::{ParameterError, Parameters};

pub(crate) const AUTHORITIES: &str = "cacertfile";
pub(crate) const CERTIFICATE: &str = "certfile";
pub(crate) const KEY: &str = "keyfile";
pub(crate) const SERVER_NAME: &str = "server_name_indication";

/// OpenSSL's variables that name authorities to trust instead of the system's.
const INSTEAD: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// How the broker is authenticated, and this side to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tls {
    /// The authorities to trust, and no others; without it, those that the system trusts.
    pub(crate) authorities: Option<PathBuf>,
    pub(crate) identity: Option<Identity>,
    /// The name that the broker's certificate must have.
    pub(crate) server_name: ServerName<'static>,
    /// Whether the URL names that name.
    is_named: bool,
}

/// The files of a client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// Certificates that cannot be used as they are.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TlsFileError {
    /// A file that a parameter names.
    #[error("{parameter} {}: {reason}", path.display())]
    File {
        /// The parameter.
        parameter: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
    /// The authorities that the variables name instead of the system's.
    #[error("{} cannot be used: {reason}", INSTEAD.join(" or "))]
    Instead {
        /// Why not.
        reason: String,
    },
    /// The system trusts no authority.
    #[error(
        "there is no authority to trust on this machine ({0}): name the broker's with {AUTHORITIES}=FILE"
    )]
    System(String),
}

impl Tls {
    /// What the URL says; the certificate must be for `host` unless it names another.
    pub(crate) fn parse(parameters: &Parameters, host: &str) -> Result<Self, ParameterError> {
        let wrong = |parameter, reason| Err(ParameterError::Unusable { parameter, reason });
        let path = |name| parameters.get(name).map(PathBuf::from);
        let identity = match (path(CERTIFICATE), path(KEY)) {
            (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
            (None, None) => None,
            (Some(_), None) => return wrong(CERTIFICATE, "needs keyfile=FILE too"),
            (None, Some(_)) => return wrong(KEY, "needs certfile=FILE too"),
        };
        let named = parameters.get(SERVER_NAME);
        let Ok(server_name) = ServerName::try_from(named.unwrap_or(host).to_owned()) else {
            return match named {
                Some(_) => wrong(SERVER_NAME, "this is no host's name"),
                None => wrong(SERVER_NAME, "needed, because no certificate can be for a host of this name"),
            };
        };
        Ok(Self { authorities: path(AUTHORITIES), identity, server_name, is_named: named.is_some() })
    }

    /// The same for another host of the broker: its certificate must be for that host, unless the URL names what all are
    /// for. None if no certificate can be for such a host.
    pub(crate) fn for_host(&self, host: &str) -> Option<Self> {
        if self.is_named {
            return Some(self.clone());
        }
        let server_name = ServerName::try_from(host.to_owned()).ok()?;
        Some(Self { server_name, ..self.clone() })
    }

    /// Fails if the URL, which is for a connection without TLS, has parameters of TLS: they would have no effect.
    pub(crate) fn must_be_absent(parameters: &Parameters) -> Result<(), ParameterError> {
        let names = [AUTHORITIES, CERTIFICATE, KEY, SERVER_NAME];
        match names.into_iter().find(|name| parameters.get(name).is_some()) {
            Some(parameter) => Err(ParameterError::Unusable {
                parameter,
                reason: "goes with TLS, which begins with amqps://",
            }),
            None => Ok(()),
        }
    }

    /// Reads the files.
    pub(crate) fn connector(&self) -> Result<TlsConnector, TlsFileError> {
        let mut roots = RootCertStore::empty();
        if let Some(path) = &self.authorities {
            if roots.add_parsable_certificates(certificates(AUTHORITIES, path)?).0 == 0 {
                return Err(file(AUTHORITIES, path, "no certificate of an authority".to_owned()));
            }
        } else {
            let found = rustls_native_certs::load_native_certs();
            let error = found.errors.first().map(ToString::to_string);
            // The variables replace the system's authorities: if a part cannot be read, authorities would be missing.
            if let Some(error) = &error
                && INSTEAD.iter().any(|name| env::var_os(name).is_some())
            {
                return Err(TlsFileError::Instead { reason: error.clone() });
            }
            if roots.add_parsable_certificates(found.certs).0 == 0 {
                return Err(TlsFileError::System(error.unwrap_or_else(|| "none found".to_owned())));
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
