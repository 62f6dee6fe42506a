//! Frames of AMQP 1.0 (part 2, section 2.3), on a connection in the network.

use loghost_stream::{Performative, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::encode::{Field, described};
use super::error::Amqp10Error;
use super::{CLOSE, DETACH, END};
use crate::connection::transport::Transport;

/// The longest frame that is received, in bytes: as long as a broker may make it that was told this.
pub(super) const FRAME_MAX: u32 = 128 * 1024;

/// The bytes of a frame's header.
const HEADER: usize = 8;

/// What a frame belongs to.
#[derive(Clone, Copy)]
pub(super) enum FrameType {
    Amqp = 0,
    Sasl = 1,
}

/// Frames, on a connection in the network.
pub(super) struct FrameConnection {
    transport: Transport,
    body: Vec<u8>,
}

impl FrameConnection {
    pub(super) fn new(transport: Transport) -> Self {
        Self { transport, body: Vec::new() }
    }

    /// Agrees on a protocol by its header.
    pub(super) async fn greet(&mut self, header: [u8; HEADER]) -> Result<(), Amqp10Error> {
        self.transport.write_all(&header).await?;
        self.transport.flush().await?;
        let mut answer = [0; HEADER];
        self.transport.read_exact(&mut answer).await?;
        if answer == header { Ok(()) } else { Err(Amqp10Error::NotSpoken) }
    }

    /// Sends a performative, on channel 0.
    pub(super) async fn send(
        &mut self,
        kind: FrameType,
        code: u8,
        fields: &[Field<'_>],
    ) -> Result<(), Amqp10Error> {
        self.send_with(kind, code, fields, &[]).await
    }

    /// Sends a performative, on channel 0, and a part of a message behind it.
    pub(super) async fn send_with(
        &mut self,
        kind: FrameType,
        code: u8,
        fields: &[Field<'_>],
        payload: &[u8],
    ) -> Result<(), Amqp10Error> {
        let mut body = described(code, fields);
        body.extend(payload);
        let size = u32::try_from(HEADER + body.len()).map_err(|_| Amqp10Error::Frame(body.len()))?;
        let mut frame = size.to_be_bytes().to_vec();
        // The header has two words; the channel is 0.
        frame.extend([2, kind as u8, 0, 0]);
        frame.extend(body);
        self.transport.write_all(&frame).await?;
        Ok(self.transport.flush().await?)
    }

    /// The next performative of this type; an error if the other side ends what it belongs to before. Others are passed over.
    pub(super) async fn next(&mut self, code: u8) -> Result<Performative<'_>, Amqp10Error> {
        loop {
            self.receive().await?;
            if self.body.is_empty() {
                // A heartbeat.
                continue;
            }
            let read = Performative::parse(&self.body)?;
            if read.code == u64::from(code) {
                break;
            }
            if [DETACH, END, CLOSE].map(u64::from).contains(&read.code) {
                let reason = error_of(&read).unwrap_or_else(|| "it gives no reason".to_owned());
                return Err(Amqp10Error::Refused(reason));
            }
        }
        Ok(Performative::parse(&self.body)?)
    }

    /// Receives the body of the next frame.
    async fn receive(&mut self) -> Result<(), Amqp10Error> {
        let mut header = [0; HEADER];
        self.transport.read_exact(&mut header).await?;
        let [a, b, c, d, words, _, _, _] = header;
        let size = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let begin = usize::from(words) * 4;
        if begin < HEADER || size < begin || size > FRAME_MAX as usize {
            return Err(Amqp10Error::Frame(size));
        }
        self.body.resize(size - HEADER, 0);
        self.transport.read_exact(&mut self.body).await?;
        self.body.drain(..begin - HEADER);
        Ok(())
    }
}

/// The error that the other side ends a link, a session or the connection with, in its words; none if it gives none.
pub(super) fn error_of(read: &Performative<'_>) -> Option<String> {
    let index = if read.code == u64::from(DETACH) { 2 } else { 0 };
    let Value::Described(error) = read.fields.get(index).ok()?? else { return None };
    let Value::List(error) = error.value().ok()? else { return None };
    let text = |index| Some(error.get(index).ok()??.as_text()?.to_string_lossy().into_owned());
    text(1).or_else(|| text(0))
}
