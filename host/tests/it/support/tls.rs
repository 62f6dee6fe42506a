//! TLS: authorities, what they sign, and a proxy that has such a certificate.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener as AsyncListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

/// A folder of authorities and of what they sign: `name.pem` and `name.key`.
pub(crate) struct Certificates(TempDir);

impl Certificates {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn write(&self, name: &str, certificate: &str, key: &KeyPair) {
        fs::write(self.path(&format!("{name}.pem")), certificate).expect("a file in a folder of ours");
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem())
            .expect("a file in a folder of ours");
    }

    /// Makes an authority.
    pub(crate) fn authority(&self, name: &str) -> Issuer<'static, KeyPair> {
        let mut params = params(name, &[], 2050);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        self.write(name, &certificate.pem(), &key);
        Issuer::new(params, key)
    }

    /// Makes a certificate for these hosts, or for a client, that is valid until this year.
    pub(crate) fn sign(&self, issuer: &Issuer<'_, KeyPair>, name: &str, hosts: &[&str], until: i32) {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(name, hosts, until).signed_by(&key, issuer).expect("a certificate");
        self.write(name, &certificate.pem(), &key);
    }
}

fn params(name: &str, hosts: &[&str], until: i32) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(hosts).expect("names of hosts");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_after = date_time_ymd(until, 1, 1);
    params
}

/// A proxy that terminates TLS.
pub(crate) struct TlsFront {
    pub(crate) port: u16,
    /// Dropping it ends the proxy.
    _runtime: Runtime,
}

impl TlsFront {
    /// Takes connections from there with the certificate of `server`, and forwards what they hold to whoever listens `behind` it.
    pub(crate) fn start(files: &Certificates, listener: TcpListener, behind: String) -> Self {
        let port = listener.local_addr().expect("it is bound").port();
        let certificate = CertificateDer::from_pem_file(files.path("server.pem")).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(files.path("server.key")).expect("a key");
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![certificate], key).expect("a key for the certificate");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = Runtime::new().expect("a runtime");
        runtime.spawn(async move {
            listener.set_nonblocking(true).expect("a listener");
            let listener = AsyncListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                // Who does not trust it hangs up.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut behind = TcpStream::connect(&behind).await.expect("it listens");
                tokio::spawn(async move { copy_bidirectional(&mut stream, &mut behind).await });
            }
        });
        Self { port, _runtime: runtime }
    }
}
