//! A client that can send any bytes.

use amq_protocol::{
    frame::{AMQPFrame, WriteContext, gen_frame, parse_frame},
    protocol::{AMQPClass, basic, channel, connection, queue},
    types::{AMQPValue, FieldTable},
};
use loghost_broker::Broker;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::soon;

/// A socket and what came from it.
pub(crate) struct Wire {
    pub(crate) socket: TcpStream,
    pub(crate) received: Vec<u8>,
}

/// What a client claims in its handshake.
pub(crate) struct Claims {
    pub(crate) capabilities: &'static [&'static str],
    pub(crate) mechanism: &'static str,
    pub(crate) response: &'static str,
    pub(crate) virtual_host: &'static str,
    pub(crate) frame_max: u32,
    pub(crate) heartbeat: u16,
}

pub(crate) const CAPABILITIES: &[&str] =
    &["authentication_failure_close", "connection.blocked", "consumer_cancel_notify"];
pub(crate) const CLAIMS: Claims = Claims {
    capabilities: CAPABILITIES,
    mechanism: "PLAIN",
    response: "\0guest\0guest",
    virtual_host: "/",
    frame_max: 4096,
    heartbeat: 0,
};

impl Wire {
    pub(crate) async fn connect(broker: &Broker) -> Self {
        let socket = soon(TcpStream::connect(broker.local_addr())).await.unwrap();
        Self { socket, received: Vec::new() }
    }

    /// Connects, completes the handshake and opens channel 1.
    pub(crate) async fn open(broker: &Broker) -> Self {
        Self::open_with(broker, &CLAIMS).await
    }

    pub(crate) async fn open_with(broker: &Broker, claims: &Claims) -> Self {
        let mut wire = Self::connect(broker).await;
        wire.perform_handshake(claims).await;
        assert!(matches!(wire.connection().await, connection::AMQPMethod::OpenOk(_)));
        wire.send_method(1, open_channel()).await;
        assert!(matches!(wire.method(1).await, AMQPClass::Channel(channel::AMQPMethod::OpenOk(_))));
        wire
    }

    /// Up to `connection.open`.
    pub(crate) async fn perform_handshake(&mut self, claims: &Claims) {
        self.start_ok(claims).await;
        let connection::AMQPMethod::Tune(tune) = self.connection().await else {
            panic!("not tuned");
        };
        let tune_ok = connection::TuneOk {
            channel_max: tune.channel_max,
            frame_max: claims.frame_max,
            heartbeat: claims.heartbeat,
        };
        self.send_connection(connection::AMQPMethod::TuneOk(tune_ok)).await;
        let open = connection::Open { virtual_host: claims.virtual_host.into() };
        self.send_connection(connection::AMQPMethod::Open(open)).await;
    }

    pub(crate) async fn start_ok(&mut self, claims: &Claims) {
        self.send(b"AMQP\0\0\x09\x01").await;
        assert!(matches!(self.connection().await, connection::AMQPMethod::Start(_)));
        let mut capabilities = FieldTable::default();
        for name in claims.capabilities {
            capabilities.insert((*name).into(), AMQPValue::Boolean(true));
        }
        let mut client_properties = FieldTable::default();
        client_properties.insert("capabilities".into(), AMQPValue::FieldTable(capabilities));
        let start_ok = connection::StartOk {
            client_properties,
            mechanism: claims.mechanism.into(),
            response: claims.response.into(),
            locale: "en_US".into(),
        };
        self.send_connection(connection::AMQPMethod::StartOk(start_ok)).await;
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        soon(self.socket.write_all(bytes)).await.unwrap();
    }

    pub(crate) async fn send_frame(&mut self, frame: AMQPFrame) {
        self.send(&bytes(&frame)).await;
    }

    pub(crate) async fn send_method(&mut self, channel: u16, method: AMQPClass) {
        self.send_frame(AMQPFrame::Method(channel, method)).await;
    }

    pub(crate) async fn send_connection(&mut self, method: connection::AMQPMethod) {
        self.send_method(0, AMQPClass::Connection(method)).await;
    }

    /// The next frame, or none at the end of the connection.
    pub(crate) async fn frame(&mut self) -> Option<AMQPFrame> {
        loop {
            if let Ok((rest, frame)) = parse_frame(self.received.as_slice()) {
                self.received = rest.to_vec();
                return Some(frame);
            }
            if soon(self.socket.read_buf(&mut self.received)).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The next method, which is on `channel`.
    pub(crate) async fn method(&mut self, channel: u16) -> AMQPClass {
        loop {
            match self.frame().await {
                Some(AMQPFrame::Method(number, method)) => {
                    assert_eq!(number, channel, "{method:?}");
                    return method;
                }
                Some(AMQPFrame::Heartbeat) => {}
                other => panic!("no method but {other:?}"),
            }
        }
    }

    pub(crate) async fn connection(&mut self) -> connection::AMQPMethod {
        match self.method(0).await {
            AMQPClass::Connection(method) => method,
            other => panic!("not about the connection: {other:?}"),
        }
    }

    /// The code of the `connection.close` that comes next; answers it, and sees the socket closed.
    pub(crate) async fn closed(mut self) -> u16 {
        let connection::AMQPMethod::Close(close) = self.connection().await else {
            panic!("not closed");
        };
        self.send_connection(connection::AMQPMethod::CloseOk(connection::CloseOk {})).await;
        assert_eq!(self.frame().await, None);
        close.reply_code
    }

    /// The code of the `channel.close` that comes next.
    pub(crate) async fn channel_closed(&mut self) -> u16 {
        match self.method(1).await {
            AMQPClass::Channel(channel::AMQPMethod::Close(close)) => close.reply_code,
            other => panic!("not closed: {other:?}"),
        }
    }

    pub(crate) async fn declare(&mut self, queue: &str) -> queue::DeclareOk {
        self.send_method(1, declare(queue)).await;
        match self.method(1).await {
            AMQPClass::Queue(queue::AMQPMethod::DeclareOk(ok)) => ok,
            other => panic!("not declared: {other:?}"),
        }
    }

    pub(crate) async fn consume(&mut self, queue: &str) {
        self.send_method(1, AMQPClass::Basic(basic::AMQPMethod::Consume(consume(queue)))).await;
        assert!(matches!(self.method(1).await, AMQPClass::Basic(basic::AMQPMethod::ConsumeOk(_))));
    }
}

pub(crate) fn bytes(frame: &AMQPFrame) -> Vec<u8> {
    gen_frame(frame)(WriteContext::from(Vec::new())).unwrap().into_inner().0
}

pub(crate) fn method(channel: u16, method: AMQPClass) -> Vec<u8> {
    bytes(&AMQPFrame::Method(channel, method))
}

pub(crate) fn raw(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind][..], &channel.to_be_bytes(), &size, payload, &[0xce]].concat()
}

pub(crate) fn open_channel() -> AMQPClass {
    AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {}))
}

pub(crate) fn declare(queue: &str) -> AMQPClass {
    AMQPClass::Queue(queue::AMQPMethod::Declare(queue::Declare {
        queue: queue.into(),
        passive: false,
        durable: false,
        exclusive: false,
        auto_delete: false,
        nowait: false,
        arguments: FieldTable::default(),
    }))
}

/// With the tag `c`, to be acknowledged.
pub(crate) fn consume(queue: &str) -> basic::Consume {
    basic::Consume {
        queue: queue.into(),
        consumer_tag: "c".into(),
        no_local: false,
        no_ack: false,
        exclusive: false,
        nowait: false,
        arguments: FieldTable::default(),
    }
}

/// `basic.publish` to the default exchange.
pub(crate) fn publish(key: &str) -> Vec<u8> {
    let key_len = u8::try_from(key.len()).unwrap();
    raw(1, 1, &[b"\0\x3c\0\x28\0\0\0", &[key_len][..], key.as_bytes(), b"\0"].concat())
}

pub(crate) fn header(class: u16, body_size: u64, properties: &[u8]) -> Vec<u8> {
    raw(2, 1, &[&class.to_be_bytes()[..], b"\0\0", &body_size.to_be_bytes(), properties].concat())
}

/// A whole message; its body fits a frame.
pub(crate) fn message(key: &str, body: &[u8]) -> Vec<u8> {
    [publish(key), header(60, body.len() as u64, &[0, 0]), raw(3, 1, body)].concat()
}
