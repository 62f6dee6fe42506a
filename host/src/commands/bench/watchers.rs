//! Those who watch a host over HTTP: a page that is open, whoever reads what happens, and a Prometheus.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// What is asked for, and how often: what the page shows, and what Prometheus scrapes.
const ASKED: [(&str, Duration); 3] = [
    ("/metrics", Duration::from_secs(1)),
    ("/api/consumers", Duration::from_secs(2)),
    ("/api/history", Duration::from_secs(2)),
];

/// Watch until they end, or this is dropped.
pub(super) struct Watchers {
    tasks: JoinSet<io::Result<()>>,
}

impl Watchers {
    /// Watches the host at this address: each has had its first answer.
    pub(super) async fn begin(address: SocketAddr) -> anyhow::Result<Self> {
        let mut tasks = JoinSet::new();
        let watched = || format!("cannot watch the host at {address}");
        for (path, every) in ASKED {
            ask(address, path).await.with_context(watched)?;
            tasks.spawn(ask_again(address, path, every));
        }
        let mut events = asked(address, "/api/events").await.with_context(watched)?;
        events.read_u8().await.with_context(watched)?;
        tasks.spawn(async move { tokio::io::copy(&mut events, &mut tokio::io::sink()).await.map(drop) });
        Ok(Self { tasks })
    }

    /// Ends them; fails if one has ended before, as it watched no longer then.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        match self.tasks.try_join_next() {
            None => Ok(()),
            Some(ended) => {
                ended.context("a watcher has failed")?.context("a watcher was not answered")?;
                bail!("a watcher has ended before what it watched")
            }
        }
    }
}

async fn ask_again(address: SocketAddr, path: &str, every: Duration) -> io::Result<()> {
    let mut times = interval(every);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first is at once, and was asked.
    times.tick().await;
    loop {
        times.tick().await;
        ask(address, path).await?;
    }
}

/// Asks for a path, and reads the answer.
async fn ask(address: SocketAddr, path: &str) -> io::Result<()> {
    let mut answer = Vec::new();
    asked(address, path).await?.read_to_end(&mut answer).await?;
    if answer.starts_with(b"HTTP/1.1 200 ") {
        return Ok(());
    }
    Err(io::Error::other(format!("{path} is not answered")))
}

async fn asked(address: SocketAddr, path: &str) -> io::Result<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    Ok(BufReader::new(stream))
}
