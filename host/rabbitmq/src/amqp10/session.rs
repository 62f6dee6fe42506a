//! A connection in AMQP 1.0 with one session and one link.

use lapin::uri::SASLMechanism;
use loghost_stream::{List, MessageError, Value};
use tokio::time::timeout;

use super::encode::Field;
use super::error::Amqp10Error;
use super::frames::{FRAME_MAX, FrameConnection, FrameType, error_of};
use super::{ATTACH, BEGIN, CLOSE, DETACH, FLOW, OPEN, SASL_INIT, SASL_MECHANISMS, SASL_OUTCOME};
use crate::connection::address::Address;
use crate::connection::open::CLOSE_TIMEOUT;
use crate::connection::transport::connect;

/// The headers of the protocols.
const SASL: [u8; 8] = *b"AMQP\x03\x01\0\0";
const AMQP: [u8; 8] = *b"AMQP\0\x01\0\0";

/// How many frames may come before more are asked for.
const WINDOW: u32 = 1024;

/// Where a link leads; the other side of it is this host.
pub(super) enum Role {
    /// From this host.
    Sender,
    /// To this host.
    Receiver,
}

/// A session, on a connection of its own.
pub(super) struct Amqp10Session {
    pub(super) frames: FrameConnection,
    /// The number of the next frame with a part of a message that the broker sends.
    next_incoming: u32,
    /// The most bytes of a frame that the broker takes.
    pub(super) frame_max: usize,
}

impl Amqp10Session {
    /// Begins one with the broker at `address`, which knows the connection by its `name`.
    pub(super) async fn begin(address: &Address, name: &str) -> Result<Self, Amqp10Error> {
        let uri = address.uri();
        let host_and_port = (&*uri.authority.host, uri.authority.port);
        let mut frames = FrameConnection::new(connect(host_and_port, address.tls()).await?);
        log_in(&mut frames, address).await?;
        frames.greet(AMQP).await?;
        let vhost = format!("vhost:{}", uri.vhost);
        let open = [Field::Text(name), Field::Text(&vhost), Field::Uint(FRAME_MAX)];
        frames.send(FrameType::Amqp, OPEN, &open).await?;
        let frame_max = number(&frames.next(OPEN).await?.fields, 2)?.unwrap_or(FRAME_MAX).min(FRAME_MAX);
        let begin = [Field::Null, Field::Uint(0), Field::Uint(WINDOW), Field::Uint(WINDOW)];
        frames.send(FrameType::Amqp, BEGIN, &begin).await?;
        let next_incoming = number(&frames.next(BEGIN).await?.fields, 1)?.unwrap_or_default();
        Ok(Self { frames, next_incoming, frame_max: usize::try_from(frame_max).unwrap_or_default() })
    }

    /// Makes a link between `source` and `target`, each of them encoded, one of which is what the broker has to offer. What goes
    /// through it is not settled before the receiver says so.
    pub(super) async fn attach(
        &mut self,
        name: &str,
        role: Role,
        source: Vec<u8>,
        target: Vec<u8>,
    ) -> Result<Link, Amqp10Error> {
        let (offered, is_receiver) = match role {
            Role::Sender => (6, false),
            Role::Receiver => (5, true),
        };
        let mut link = vec![
            Field::Text(name),
            Field::Uint(0),
            Field::Bool(is_receiver),
            Field::Ubyte(0),
            Field::Ubyte(0),
            Field::Described(source),
            Field::Described(target),
        ];
        if !is_receiver {
            // How many messages it has sent.
            link.extend([Field::Null, Field::Null, Field::Uint(0)]);
        }
        self.frames.send(FrameType::Amqp, ATTACH, &link).await?;
        let attached = self.frames.next(ATTACH).await?;
        let is_refused = !matches!(attached.fields.get(offered)?, Some(Value::Described(_)));
        let delivery_count = number(&attached.fields, 9)?.unwrap_or_default();
        if is_refused {
            // The reason follows.
            let detached = self.frames.next(DETACH).await?;
            return Err(Amqp10Error::Refused(error_of(&detached).unwrap_or_default()));
        }
        Ok(Link { delivery_count })
    }

    /// Asks for one message.
    pub(super) async fn ask(&mut self, link: &Link) -> Result<(), Amqp10Error> {
        let flow = [
            Field::Uint(self.next_incoming),
            Field::Uint(WINDOW),
            Field::Uint(0),
            Field::Uint(WINDOW),
            Field::Uint(0),
            Field::Uint(link.delivery_count),
            Field::Uint(1),
        ];
        self.frames.send(FrameType::Amqp, FLOW, &flow).await
    }

    /// Ends the connection: when this returns, the broker has put back what was not accepted.
    pub(super) async fn close(mut self) {
        let closing = async {
            self.frames.send(FrameType::Amqp, CLOSE, &[]).await?;
            self.frames.next(CLOSE).await.map(drop)
        };
        // Without an answer, the broker does the same when the connection ends.
        let _ = timeout(CLOSE_TIMEOUT, closing).await;
    }
}

/// A link that was made.
pub(super) struct Link {
    /// How many messages its sender has sent.
    delivery_count: u32,
}

/// Logs in as the URL says.
async fn log_in(frames: &mut FrameConnection, address: &Address) -> Result<(), Amqp10Error> {
    let uri = address.uri();
    let (user, password) = (&uri.authority.userinfo.username, &uri.authority.userinfo.password);
    let (mechanism, response) = match uri.query.auth_mechanism {
        None | Some(SASLMechanism::Plain) => ("PLAIN", format!("\0{user}\0{password}")),
        Some(SASLMechanism::External) => ("EXTERNAL", String::new()),
        Some(other) => return Err(Amqp10Error::Mechanism(other.to_string().to_ascii_lowercase())),
    };
    frames.greet(SASL).await?;
    frames.next(SASL_MECHANISMS).await?;
    let fields = [Field::Symbol(mechanism), Field::Binary(response.as_bytes())];
    frames.send(FrameType::Sasl, SASL_INIT, &fields).await?;
    let outcome = frames.next(SASL_OUTCOME).await?;
    if outcome.fields.get(0)? == Some(Value::Ubyte(0)) { Ok(()) } else { Err(Amqp10Error::Login) }
}

/// The number in a field; none if it is null or left out.
pub(super) fn number(fields: &List<'_>, index: usize) -> Result<Option<u32>, MessageError> {
    let number = fields.get(index)?.and_then(|value| value.as_i64());
    Ok(number.and_then(|number| u32::try_from(number).ok()))
}
