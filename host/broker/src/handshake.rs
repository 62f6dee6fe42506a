//! The handshake, from the protocol header to `connection.open-ok`.

use amq_protocol::{
    protocol::{AMQPClass, connection, constants::FRAME_METHOD},
    types::{AMQPValue, FieldTable, ShortString},
};
use tokio::io::AsyncRead;

use crate::{
    error::{AmqpError, Code, VIRTUAL_HOST},
    fields::Fields,
    frame::FrameReader,
    method::{Method, MethodId},
    options::Options,
    outbox::{Outbox, Output},
};

const PROTOCOL_HEADER: [u8; 8] = *b"AMQP\0\0\x09\x01";
/// The least that the specification allows.
pub(crate) const FRAME_MIN: u32 = 4096;

/// What was agreed upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) channel_max: u16,
    pub(crate) heartbeat: u16,
    pub(crate) capabilities: Capabilities,
}

/// What a client says it understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Capabilities {
    pub(crate) consumer_cancel_notify: bool,
    pub(crate) connection_blocked: bool,
    pub(crate) authentication_failure_close: bool,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The client is gone, or the refusal has been sent.
    Over,
    /// To be closed with this.
    Refused(AmqpError, MethodId),
}

pub(crate) async fn perform_handshake<R: AsyncRead + Unpin>(
    frames: &mut FrameReader<R>,
    outbox: &Outbox,
    options: &Options,
) -> Result<Agreed, Failure> {
    if protocol_header(frames).await? != PROTOCOL_HEADER {
        outbox.push(Output::ProtocolHeader);
        return Err(Failure::Over);
    }
    send(outbox, connection::AMQPMethod::Start(start()));
    let (method, id) = next_method(frames).await?;
    let connection::AMQPMethod::StartOk(start_ok) = method else {
        return Err(Failure::Refused(out_of_order("start-ok"), id));
    };
    let capabilities = Capabilities::of(&start_ok.client_properties);
    authenticate(&start_ok, options).map_err(|error| {
        if capabilities.authentication_failure_close {
            Failure::Refused(error, MethodId::default())
        } else {
            Failure::Over
        }
    })?;

    let frame_max = options.frame_max.max(FRAME_MIN);
    let offered =
        connection::Tune { channel_max: options.channel_max, frame_max, heartbeat: options.heartbeat };
    send(outbox, connection::AMQPMethod::Tune(offered.clone()));
    let (method, id) = next_method(frames).await?;
    let connection::AMQPMethod::TuneOk(tuned) = method else {
        return Err(Failure::Refused(out_of_order("tune-ok"), id));
    };
    check_tuning(&tuned, &offered).map_err(|error| Failure::Refused(error, id))?;
    frames.set_frame_max(tuned.frame_max);
    outbox.push(Output::Tuned { frame_max: tuned.frame_max, heartbeat: tuned.heartbeat });

    let (method, id) = next_method(frames).await?;
    let connection::AMQPMethod::Open(open) = method else {
        return Err(Failure::Refused(out_of_order("open"), id));
    };
    let host = open.virtual_host;
    if host.as_str() != VIRTUAL_HOST {
        let error = AmqpError::new(Code::NotAllowed, format!("vhost {host} not found"));
        return Err(Failure::Refused(error, id));
    }
    Ok(Agreed { channel_max: tuned.channel_max, heartbeat: tuned.heartbeat, capabilities })
}

impl Capabilities {
    fn of(client_properties: &FieldTable) -> Self {
        let capabilities = client_properties.inner().get("capabilities");
        let has = |name: &str| match capabilities {
            Some(AMQPValue::FieldTable(table)) => table.inner().get(name) == Some(&AMQPValue::Boolean(true)),
            _ => false,
        };
        Self {
            consumer_cancel_notify: has("consumer_cancel_notify"),
            connection_blocked: has("connection.blocked"),
            authentication_failure_close: has("authentication_failure_close"),
        }
    }
}

fn start() -> connection::Start {
    let capabilities = [
        "authentication_failure_close",
        "basic.nack",
        "connection.blocked",
        "consumer_cancel_notify",
        "exchange_exchange_bindings",
        "per_consumer_qos",
        "publisher_confirms",
    ];
    let mut table = FieldTable::default();
    for capability in capabilities {
        table.insert(ShortString::from(capability), AMQPValue::Boolean(true));
    }
    let mut server_properties = FieldTable::default();
    server_properties.insert("capabilities".into(), AMQPValue::FieldTable(table));
    for (name, value) in [
        ("product", env!("CARGO_PKG_NAME")),
        ("version", env!("CARGO_PKG_VERSION")),
        ("information", env!("CARGO_PKG_DESCRIPTION")),
        ("platform", "Rust"),
    ] {
        server_properties.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    connection::Start {
        version_major: 0,
        version_minor: 9,
        server_properties,
        mechanisms: "PLAIN AMQPLAIN".into(),
        locales: "en_US".into(),
    }
}

fn authenticate(start_ok: &connection::StartOk, options: &Options) -> Result<(), AmqpError> {
    let (mechanism, response) = (start_ok.mechanism.as_str(), start_ok.response.as_bytes());
    let login = match mechanism {
        "PLAIN" => plain(response),
        "AMQPLAIN" => amqplain(response),
        _ => {
            return Err(AmqpError::command_invalid(format!(
                "unknown authentication mechanism '{mechanism}'"
            )));
        }
    };
    if login == Some((options.user.as_bytes(), options.password.as_bytes())) {
        return Ok(());
    }
    Err(AmqpError::access_refused(format!("Login was refused using authentication mechanism {mechanism}")))
}

/// User and password after an identity to act as, which is not supported (RFC 4616).
fn plain(response: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut parts = response.splitn(3, |octet| *octet == 0);
    match (parts.next()?, parts.next()?, parts.next()?) {
        (b"", user, password) => Some((user, password)),
        _ => None,
    }
}

/// A table without its size that has `LOGIN` and `PASSWORD`: the mechanism of AMQP before 0-9-1, and the first
/// choice of some clients still (`RabbitMQ`, "Access Control", mechanisms).
fn amqplain(response: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut fields = Fields::new(response);
    let (mut user, mut password) = (None, None);
    while !fields.rest().is_empty() {
        let name = fields.short_string().ok()?;
        let value = match fields.octet().ok()? {
            b'S' => fields.long_string().ok()?,
            _ => return None,
        };
        match name {
            "LOGIN" => user = Some(value),
            "PASSWORD" => password = Some(value),
            _ => {}
        }
    }
    Some((user?, password?))
}

/// A client may ask for less than was offered, not for more; zero is no limit, which is more.
fn check_tuning(tuned: &connection::TuneOk, offered: &connection::Tune) -> Result<(), AmqpError> {
    let limits = [
        ("channel_max", u32::from(tuned.channel_max), 1, u32::from(offered.channel_max)),
        ("frame_max", tuned.frame_max, FRAME_MIN, offered.frame_max),
    ];
    for (name, value, least, most) in limits {
        if most > 0 && (value == 0 || value > most) {
            return Err(AmqpError::new(
                Code::NotAllowed,
                format!("negotiated {name} = {value} is higher than the maximum allowed value ({most})"),
            ));
        }
        if value > 0 && value < least {
            return Err(AmqpError::new(
                Code::NotAllowed,
                format!("negotiated {name} = {value} is lower than the minimum allowed value ({least})"),
            ));
        }
    }
    Ok(())
}

async fn protocol_header<R: AsyncRead + Unpin>(frames: &mut FrameReader<R>) -> Result<[u8; 8], Failure> {
    loop {
        if let Some(header) = frames.protocol_header() {
            return Ok(header);
        }
        fill(frames).await?;
    }
}

async fn next_method<R: AsyncRead + Unpin>(
    frames: &mut FrameReader<R>,
) -> Result<(connection::AMQPMethod, MethodId), Failure> {
    while !frames.is_ready() {
        fill(frames).await?;
    }
    let refused = |error| Failure::Refused(error, MethodId::default());
    let frame = frames.next().map_err(refused)?.ok_or(Failure::Over)?;
    if frame.kind != FRAME_METHOD || frame.channel != 0 {
        return Err(refused(AmqpError::unexpected_frame("frame before the connection is open")));
    }
    let id = MethodId::of(frame.payload);
    match Method::parse(frame.payload) {
        Ok(Method::Other(AMQPClass::Connection(method))) => Ok((method, id)),
        Ok(_) => Err(Failure::Refused(out_of_order("a connection method"), id)),
        Err(error) => Err(Failure::Refused(error, id)),
    }
}

async fn fill<R: AsyncRead + Unpin>(frames: &mut FrameReader<R>) -> Result<(), Failure> {
    match frames.fill().await {
        Ok(0) | Err(_) => Err(Failure::Over),
        Ok(_) => Ok(()),
    }
}

fn out_of_order(expected: &str) -> AmqpError {
    AmqpError::command_invalid(format!("expected {expected}"))
}

fn send(outbox: &Outbox, method: connection::AMQPMethod) {
    outbox.push_method(0, AMQPClass::Connection(method));
}
