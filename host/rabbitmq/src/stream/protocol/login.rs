//! Opening a connection: what both sides are, who this side is, the limits, the virtual host, and the versions of commands.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::connection::transport::Transport;
use crate::stream::protocol::code::ResponseCode;
use crate::stream::protocol::command::{ANSWER, CREDIT, DELIVER, METADATA_UPDATE, Notice, Request};
use crate::stream::protocol::connect_error::{FIRST_STEP, NoStreams, StreamConnectError, VERSIONS_STEP};
use crate::stream::protocol::endpoint::{Login, StreamEndpoint};
use crate::stream::protocol::error::{Loss, ProtocolError};
use crate::stream::protocol::frame::{FRAME_MAX, FrameBuffer};
use crate::stream::protocol::incoming::{Answer, Body, Incoming};

/// A connection that is being opened.
pub(crate) struct Opening<'a> {
    endpoint: &'a StreamEndpoint,
    transport: Transport,
    frames: FrameBuffer,
    correlation: u32,
    /// What the broker has proposed.
    limits: Option<Limits>,
    step: &'static str,
}

/// A connection that is open.
pub(crate) struct Opened {
    pub(crate) transport: Transport,
    pub(crate) frames: FrameBuffer,
    pub(crate) limits: Limits,
    /// Where the broker says that it is to be reached.
    pub(crate) advertised: Option<(String, u16)>,
}

/// What both sides agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The longest frame that is not a delivery, in bytes.
    pub(crate) frame_max: u32,
    /// The interval of heartbeats; none without them.
    pub(crate) heartbeat: Option<Duration>,
}

/// Logs in; the broker knows the connection by its `name`.
pub(crate) async fn log_in(
    endpoint: &StreamEndpoint,
    transport: Transport,
    name: &str,
) -> Result<Opened, StreamConnectError> {
    let frames = FrameBuffer::new();
    let mut opening = Opening { endpoint, transport, frames, correlation: 0, limits: None, step: FIRST_STEP };
    let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let properties = vec![
        text("product", "loghost"),
        text("version", env!("CARGO_PKG_VERSION")),
        text("connection_name", name),
    ];
    opening.ask(&Request::PeerProperties(properties)).await?;
    opening.authenticate().await?;
    let limits = opening.tune().await?;
    opening.step = "the virtual host";
    let opened = opening.ask(&Request::Open { vhost: endpoint.vhost().to_owned() }).await?;
    opening.frames.agree(limits.frame_max);
    opening.step = VERSIONS_STEP;
    opening.ask(&Request::ExchangeVersions).await?;
    let Opening { transport, frames, .. } = opening;
    Ok(Opened { transport, frames, limits, advertised: advertised(&opened.body) })
}

impl Opening<'_> {
    async fn authenticate(&mut self) -> Result<(), StreamConnectError> {
        self.step = "the login";
        let offered = match self.ask(&Request::SaslHandshake).await?.body {
            Body::Mechanisms(offered) => offered,
            _ => Vec::new(),
        };
        let (mechanism, data) = match self.endpoint.login() {
            Login::Plain { user, password } => ("PLAIN", format!("\0{user}\0{password}").into_bytes()),
            Login::External => ("EXTERNAL", Vec::new()),
        };
        if !offered.iter().any(|offered| offered == mechanism) {
            let endpoint = self.endpoint.clone();
            return Err(NoStreams::NotOffered { endpoint, wanted: mechanism, offered }.into());
        }
        self.ask(&Request::SaslAuthenticate { mechanism, data }).await?;
        Ok(())
    }

    /// Waits for what the broker proposes, and answers what is agreed on.
    async fn tune(&mut self) -> Result<Limits, StreamConnectError> {
        let proposed = loop {
            if let Some(limits) = self.limits {
                break limits;
            }
            if let Incoming::Answer(answer) = self.receive().await? {
                return Err(self.unexpected(ANSWER | answer.key));
            }
        };
        let heartbeat = match (self.endpoint.heartbeat(), proposed.heartbeat) {
            (Some(0), _) => None,
            (Some(ours), None) => Some(Duration::from_secs(ours.into())),
            (Some(ours), Some(theirs)) => Some(theirs.min(Duration::from_secs(ours.into()))),
            (None, theirs) => theirs,
        };
        let frame_max = match proposed.frame_max {
            0 => FRAME_MAX,
            theirs => theirs.min(FRAME_MAX),
        };
        let seconds = heartbeat.map_or(0, |interval| u32::try_from(interval.as_secs()).unwrap_or(u32::MAX));
        self.send(&Notice::Tune { frame_max, heartbeat: seconds }.encode().map_err(|error| {
            // It has no text.
            self.lost(Loss::Network(error.to_string()))
        })?)
        .await?;
        Ok(Limits { frame_max, heartbeat })
    }

    /// The answer to a request, if it is not a refusal.
    async fn ask(&mut self, request: &Request) -> Result<Answer, StreamConnectError> {
        self.correlation += 1;
        let frame = request.encode(self.correlation);
        let frame = frame.map_err(|error| self.lost(Loss::Network(error.to_string())))?;
        self.send(&frame).await?;
        loop {
            let Incoming::Answer(answer) = self.receive().await? else { continue };
            if (answer.correlation, answer.key) != (self.correlation, request.key()) {
                let mismatch = ProtocolError::Mismatch { answer: answer.key, request: request.key() };
                return Err(self.lost(mismatch.into()));
            }
            return match answer.code {
                ResponseCode::Ok => Ok(answer),
                code => {
                    let (endpoint, step) = (self.endpoint.clone(), self.step);
                    Err(NoStreams::Refused { endpoint, step, code }.into())
                }
            };
        }
    }

    /// An answer, or something that needs none: the broker may propose limits while an answer is waited for.
    async fn receive(&mut self) -> Result<Incoming, StreamConnectError> {
        let frame = loop {
            match self.frames.next() {
                Ok(Some(frame)) => break frame,
                Ok(None) => {}
                Err(error) => return Err(self.lost(error.into())),
            }
            match self.transport.read_buf(self.frames.room()).await {
                Ok(0) => return Err(self.lost(Loss::Ended)),
                Ok(_) => {}
                Err(error) => return Err(self.lost(Loss::of(&error))),
            }
        };
        let incoming = Incoming::decode(&frame).map_err(|error| self.lost(error.into()))?;
        match &incoming {
            Incoming::Tune { frame_max, heartbeat } => {
                let heartbeat = (*heartbeat > 0).then(|| Duration::from_secs((*heartbeat).into()));
                self.limits = Some(Limits { frame_max: *frame_max, heartbeat });
            }
            Incoming::Close { code, reason, .. } => {
                let (code, reason) = (*code, reason.clone());
                return Err(self.lost(Loss::ClosedByBroker { code, reason }));
            }
            Incoming::Answer(_) | Incoming::Heartbeat => {}
            Incoming::Deliver { .. } => return Err(self.unexpected(DELIVER)),
            Incoming::CreditRefused { .. } => return Err(self.unexpected(ANSWER | CREDIT)),
            Incoming::MetadataUpdate { .. } => return Err(self.unexpected(METADATA_UPDATE)),
        }
        Ok(incoming)
    }

    async fn send(&mut self, frame: &[u8]) -> Result<(), StreamConnectError> {
        let sent = async {
            self.transport.write_all(frame).await?;
            self.transport.flush().await
        };
        sent.await.map_err(|error| self.lost(Loss::of(&error)))
    }

    fn unexpected(&self, key: u16) -> StreamConnectError {
        self.lost(ProtocolError::Unexpected(key).into())
    }

    fn lost(&self, loss: Loss) -> StreamConnectError {
        StreamConnectError::lost(self.endpoint, self.step, loss)
    }
}

/// Where the broker says that it is to be reached, if it does.
fn advertised(body: &Body) -> Option<(String, u16)> {
    let Body::Properties(properties) = body else { return None };
    let said = |wanted: &str| properties.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    Some((said("advertised_host")?.clone(), said("advertised_port")?.parse().ok()?))
}
