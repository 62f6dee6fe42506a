//! Those who watch a host over HTTP: a page that is open, whoever reads what happens, and a Prometheus.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// What is asked for, and how often: what the page shows, and what Prometheus scrapes.
const ASKED: [(&str, Duration); 3] = [
    ("/metrics", Duration::from_secs(1)),
    ("/api/consumers", Duration::from_secs(2)),
    ("/api/history", Duration::from_secs(2)),
];

/// How long an answer is waited for.
const ASK_TIMEOUT: Duration = Duration::from_secs(30);

/// How often it is looked how many logs are counted.
const LOOK_EVERY: Duration = Duration::from_millis(20);

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

    /// Waits until the one consumer of the host at this address has counted `logs`; `is_over` says that it never will.
    pub(super) async fn counted(
        address: SocketAddr,
        logs: u64,
        mut is_over: impl FnMut() -> io::Result<bool>,
    ) -> anyhow::Result<()> {
        let mut times = interval(LOOK_EVERY);
        times.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            times.tick().await;
            // At first it does not listen yet.
            if let Ok(answer) = ask(address, "/api/consumers").await
                && accepted(&answer) >= logs
            {
                return Ok(());
            }
            if is_over()? {
                bail!("a host that was started has ended before it had counted all logs");
            }
        }
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

/// How many logs consumers have accepted, as `/api/consumers` says.
fn accepted(answer: &[u8]) -> u64 {
    let body = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").map(|at| &answer[at + 4..]);
    let body: Value = body.and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
    let consumers = body["consumers"].as_array().into_iter().flatten();
    let counts = consumers.filter_map(|consumer| consumer["counts"]["accepted"].as_object());
    counts.flat_map(|counts| counts.values()).filter_map(Value::as_u64).sum()
}

/// Asks for a path, and reads the answer.
async fn ask(address: SocketAddr, path: &str) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let asking = async { asked(address, path).await?.read_to_end(&mut answer).await };
    timeout(ASK_TIMEOUT, asking).await??;
    if answer.starts_with(b"HTTP/1.1 200 ") {
        return Ok(answer);
    }
    Err(io::Error::other(format!("{path} is not answered")))
}

async fn asked(address: SocketAddr, path: &str) -> io::Result<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    Ok(BufReader::new(stream))
}
