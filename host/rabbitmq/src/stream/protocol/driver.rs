//! The task of a connection: it reads, writes, and keeps the time of heartbeats.

use std::io;
use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep_until, timeout};

use crate::connection::transport::Transport;
use crate::stream::protocol::command::Notice;
use crate::stream::protocol::error::Loss;
use crate::stream::protocol::frame::FrameBuffer;
use crate::stream::protocol::heartbeat::{Due, Heartbeat};
use crate::stream::protocol::login::Opened;
use crate::stream::protocol::session::{Order, Session};
use crate::stream::protocol::stall::{Progress, STALL};

/// How many bytes may wait to be written before orders have to wait.
const OUT_MAX: usize = 256 * 1024;

/// How long the last bytes may take.
const FAREWELL: Duration = Duration::from_secs(1);

struct Driver {
    reading: ReadHalf<Transport>,
    writing: WriteHalf<Transport>,
    frames: FrameBuffer,
    session: Session,
    heartbeat: Heartbeat,
    progress: Progress,
    orders: mpsc::Receiver<Order>,
    /// Whether what was written may not be sent yet, as with TLS.
    is_unflushed: bool,
}

/// Reads and writes until the connection ends, and says why it has.
pub(crate) async fn drive(opened: Opened, orders: mpsc::Receiver<Order>, ended: watch::Sender<Option<Loss>>) {
    let Opened { transport, frames, limits, .. } = opened;
    let (reading, writing) = split(transport);
    let session = Session::new(limits.frame_max);
    let heartbeat = Heartbeat::new(limits.heartbeat, Instant::now());
    let mut driver = Driver {
        reading,
        writing,
        frames,
        session,
        heartbeat,
        progress: Progress::default(),
        orders,
        is_unflushed: false,
    };
    let Err(loss) = driver.run().await;
    // Before those who wait are dropped: they look here for the cause.
    ended.send_replace(Some(loss));
    let Driver { mut writing, session: Session { mut out, .. }, .. } = driver;
    let farewell = async {
        writing.write_all_buf(&mut out).await?;
        writing.shutdown().await
    };
    // The broker may not be there any more.
    let _ = timeout(FAREWELL, farewell).await;
}

/// What never comes about.
enum Never {}

impl Driver {
    async fn run(&mut self) -> Result<Never, Loss> {
        loop {
            while let Some(frame) = self.frames.next()? {
                self.session.receive(&frame)?;
                self.progress.whole(self.frames.has_begun(), Instant::now());
            }
            self.turn().await?;
        }
    }

    /// Does the next thing that can be done.
    async fn turn(&mut self) -> Result<(), Loss> {
        let has_to_write = self.is_unflushed || !self.session.out.is_empty();
        let takes_orders = self.session.out.len() < OUT_MAX;
        let next = self.heartbeat.next().into_iter().chain(self.progress.deadline()).min();
        let timer = pin!(async {
            if let Some(next) = next {
                sleep_until(next.into()).await;
            }
        });
        tokio::select! {
            read = self.reading.read_buf(self.frames.room()) => self.note_read(read),
            written = write(&mut self.writing, &mut self.session.out), if has_to_write => {
                // Nothing was left to be written if it was flushed.
                self.is_unflushed = written.map_err(|error| Loss::of(&error))? > 0;
                self.heartbeat.sent(Instant::now());
                Ok(())
            }
            order = self.orders.recv(), if takes_orders => {
                // The handles are gone.
                self.session.order(order.ok_or(Loss::Closed)?);
                Ok(())
            }
            () = timer, if next.is_some() => self.look_at_the_time().await,
        }
    }

    fn note_read(&mut self, read: io::Result<usize>) -> Result<(), Loss> {
        match read {
            Ok(0) => Err(self.session.end()),
            Ok(bytes) => {
                let now = Instant::now();
                self.heartbeat.received(now);
                self.progress.read(bytes, now);
                Ok(())
            }
            Err(error) => Err(Loss::of(&error)),
        }
    }

    async fn look_at_the_time(&mut self) -> Result<(), Loss> {
        let now = Instant::now();
        if self.progress.deadline().is_some_and(|deadline| deadline <= now) {
            return self.read_or(Loss::Stalled(STALL)).await;
        }
        match self.heartbeat.due(now) {
            Due::Nothing => Ok(()),
            Due::Heartbeat => {
                // If what was there before cannot be written, another heartbeat would not be either.
                if self.session.out.is_empty() {
                    self.session.notify(&Notice::Heartbeat);
                }
                self.heartbeat.sent(Instant::now());
                Ok(())
            }
            Due::End(silence) => self.read_or(Loss::Silence(silence)).await,
        }
    }

    /// Ends the connection unless there is something to read: it may be this task that did not run.
    async fn read_or(&mut self, loss: Loss) -> Result<(), Loss> {
        match timeout(Duration::ZERO, self.reading.read_buf(self.frames.room())).await {
            Ok(read) => self.note_read(read),
            Err(_) => Err(loss),
        }
    }
}

/// Writes a part of what is there, or flushes if nothing is; how many bytes were written. Nothing is lost if it is dropped.
async fn write(writing: &mut WriteHalf<Transport>, out: &mut BytesMut) -> io::Result<usize> {
    if out.is_empty() {
        writing.flush().await?;
        return Ok(0);
    }
    match writing.write_buf(out).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        written => Ok(written),
    }
}
