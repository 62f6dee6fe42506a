//! Listens, runs a task for each connection, and ends them.

use std::{
    future::pending,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{sleep, sleep_until},
};

use crate::{connection::serve, options::Options, shared::Shared};

/// How long to wait when a connection cannot be accepted, for example for lack of file descriptors.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// A broker that serves until it is shut down or dropped.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    user: String,
    password: String,
    shutdown: watch::Sender<bool>,
    /// Aborting it ends all connections as well.
    listening: Option<JoinHandle<()>>,
}

/// There is no broker: the address cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    /// The address that was asked for.
    pub address: SocketAddr,
    /// What the system says about it.
    #[source]
    pub source: io::Error,
}

impl Broker {
    /// Binds `address` (port 0: any free one) and serves in the background of the current Tokio
    /// runtime.
    pub async fn bind(address: SocketAddr, options: Options) -> Result<Self, BindError> {
        let failed = |source| BindError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (shutdown, until) = watch::channel(false);
        let (user, password) = (options.user.clone(), options.password.clone());
        let shared = Arc::new(Shared::new(options));
        let listening = Some(tokio::spawn(listen(listener, shared, until)));
        Ok(Self { address, user, password, shutdown, listening })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What a client on this machine connects to: `amqp://guest:guest@127.0.0.1:5672/%2f`.
    pub fn url(&self) -> String {
        let (user, password) = (escaped(&self.user), escaped(&self.password));
        format!("amqp://{user}:{password}@{}/%2f", reachable(self.address))
    }

    /// Closes every connection, with code 320 (`CONNECTION_FORCED`), and returns when all have
    /// ended. A client that does not answer is given a few seconds.
    pub async fn shutdown(mut self) {
        self.shutdown.send_replace(true);
        if let Some(listening) = self.listening.take() {
            // An error would mean that the task has panicked: then there is nothing left to end.
            let _ = listening.await;
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>, until: watch::Receiver<bool>) {
    let mut shutdown = until.clone();
    let mut connections = JoinSet::new();
    let mut time = pin!(run_timers(&shared));
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, Arc::clone(&shared), until.clone()));
                }
                Err(_) => sleep(ACCEPT_BACKOFF).await,
            },
            Some(_) = connections.join_next() => {}
            () = &mut time => {}
            () = shutdown_requested(&mut shutdown) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Runs the queues' timers.
async fn run_timers(shared: &Shared) {
    let wake = shared.state().wake();
    loop {
        let next = shared.state().tick();
        tokio::select! {
            () = wake.notified() => {}
            () = async {
                match next {
                    Some(next) => sleep_until(next).await,
                    None => pending().await,
                }
            } => {}
        }
    }
}

/// Returns when the broker is to shut down.
pub(crate) async fn shutdown_requested(shutdown: &mut watch::Receiver<bool>) {
    // An error means that the broker is gone.
    let _ = shutdown.wait_for(|down| *down).await;
}

/// The host and port under which a client on this machine reaches `address`.
fn reachable(mut address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    // The zone of a link-local address is escaped (RFC 6874).
    address.to_string().replace('%', "%25")
}

/// As a URL has it.
fn escaped(text: &str) -> String {
    use std::fmt::Write;

    text.bytes().fold(String::new(), |mut url, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(byte.into());
        } else {
            // Writing to a string does not fail.
            let _ = write!(url, "%{byte:02X}");
        }
        url
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_survives_any_password() {
        assert_eq!(escaped("p@ss:w/ö%"), "p%40ss%3Aw%2F%C3%B6%25");
    }

    #[test]
    fn a_url_leads_to_where_it_listens() {
        for (listening, url) in [
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::1]:1", "[::1]:1"),
            ("[::]:1", "[::1]:1"),
            ("[fe80::1%2]:1", "[fe80::1%252]:1"),
        ] {
            assert_eq!(reachable(listening.parse().unwrap()), url);
        }
    }
}
