//! Empties a connection's outbox into its socket, and sends heartbeats when there is nothing else.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    task::yield_now,
    time::{Interval, MissedTickBehavior, interval},
};

use crate::{
    encode,
    message::Message,
    outbox::{Outbox, Output},
};

/// Bytes that are written at once.
const CHUNK: usize = 64 * 1024;
/// The frame size that every peer must accept, used until another is agreed upon.
const FRAME_MIN: u32 = 4096;

/// Ends when the outbox is finished and empty, or with the socket's error. Calls `resume` when
/// deliveries had to wait for room that there is now.
pub(crate) async fn run(
    socket: impl AsyncWrite + Unpin,
    outbox: &Outbox,
    resume: impl Fn(),
) -> io::Result<()> {
    let mut writer = Writer {
        socket,
        buffer: Vec::with_capacity(CHUNK),
        frame_max: FRAME_MIN,
        heartbeat: None,
        has_written: false,
    };
    let mut outputs = Vec::new();
    loop {
        tokio::select! {
            () = outbox.filled() => {}
            () = due(&mut writer.heartbeat) => writer.beat().await?,
        }
        loop {
            let taken = outbox.take(&mut outputs);
            let is_empty = outputs.is_empty();
            for output in outputs.drain(..) {
                writer.write(output).await?;
            }
            writer.flush().await?;
            if taken.room_wanted {
                // The socket may always take more: the reader must run as well, and may read a cancellation.
                yield_now().await;
                resume();
            } else if is_empty {
                if taken.finished {
                    return writer.socket.shutdown().await;
                }
                break;
            }
        }
    }
}

struct Writer<W> {
    socket: W,
    buffer: Vec<u8>,
    frame_max: u32,
    heartbeat: Option<Interval>,
    /// Since the last tick.
    has_written: bool,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    async fn write(&mut self, output: Output) -> io::Result<()> {
        match output {
            Output::ProtocolHeader => encode::protocol_header(&mut self.buffer)?,
            Output::Method(channel, method) => {
                encode::method(channel, *method, &mut self.buffer)?;
            }
            Output::Ack { channel, delivery_tag, multiple } => {
                encode::ack(channel, delivery_tag, multiple, &mut self.buffer);
            }
            Output::Deliver { channel, consumer_tag, delivery_tag, redelivered, message } => {
                let parts = (message.exchange(), message.content());
                let buffer = &mut self.buffer;
                encode::deliver(channel, &consumer_tag, delivery_tag, redelivered, parts, buffer);
                self.write_body(channel, &message).await?;
            }
            Output::GetOk { channel, delivery_tag, redelivered, message_count, message } => {
                let parts = (message.exchange(), message.content());
                let buffer = &mut self.buffer;
                encode::get_ok(channel, delivery_tag, redelivered, message_count, parts, buffer);
                self.write_body(channel, &message).await?;
            }
            Output::Return { channel, message } => {
                let parts = (message.exchange(), message.content());
                encode::no_route(channel, parts, &mut self.buffer);
                self.write_body(channel, &message).await?;
            }
            Output::Tuned { frame_max, heartbeat } => self.tune(frame_max, heartbeat),
        }
        self.flush_full().await
    }

    /// A body may be far larger than the buffer.
    async fn write_body(&mut self, channel: u16, message: &Message) -> io::Result<()> {
        for part in encode::body_parts(message.content(), self.frame_max) {
            encode::body_part(channel, part, &mut self.buffer);
            self.flush_full().await?;
        }
        Ok(())
    }

    async fn flush_full(&mut self) -> io::Result<()> {
        if self.buffer.len() >= CHUNK {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.socket.write_all(&self.buffer).await?;
        self.buffer.clear();
        self.has_written = true;
        Ok(())
    }

    /// Heartbeats come twice an interval, so that one may be late.
    fn tune(&mut self, frame_max: u32, heartbeat: u16) {
        self.frame_max = frame_max;
        self.heartbeat = (heartbeat > 0).then(|| {
            let mut ticks = interval(Duration::from_secs(heartbeat.into()) / 2);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
    }

    async fn beat(&mut self) -> io::Result<()> {
        if !self.has_written {
            encode::heartbeat(&mut self.buffer)?;
            self.flush().await?;
        }
        self.has_written = false;
        Ok(())
    }
}

/// The next tick, or never.
async fn due(ticks: &mut Option<Interval>) {
    match ticks {
        Some(ticks) => {
            ticks.tick().await;
        }
        None => std::future::pending().await,
    }
}
