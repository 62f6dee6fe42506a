//! A publisher of AMQP 1.0, byte by byte: its messages may have what AMQP 0-9-1 cannot say.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::TIMEOUT;
use super::broker::Broker;
use super::rabbitmq::Version;

/// The codes of what is sent and received (OASIS AMQP 1.0, parts 2, 3 and 5).
const OPEN: u8 = 0x10;
const BEGIN: u8 = 0x11;
const ATTACH: u8 = 0x12;
const FLOW: u8 = 0x13;
const TRANSFER: u8 = 0x14;
const DISPOSITION: u8 = 0x15;
const ACCEPTED: u8 = 0x24;
const SOURCE: u8 = 0x28;
const TARGET: u8 = 0x29;
const SASL_MECHANISMS: u8 = 0x40;
const SASL_INIT: u8 = 0x41;
const SASL_OUTCOME: u8 = 0x44;
const MESSAGE_ANNOTATIONS: u8 = 0x72;
const PROPERTIES: u8 = 0x73;
const APPLICATION_PROPERTIES: u8 = 0x74;
const DATA: u8 = 0x75;

const NULL: &[u8] = &[0x40];
const ZERO: &[u8] = &[0x43];
const FALSE: &[u8] = &[0x42];

/// Why RabbitMQ takes a message and cannot deliver it to a consumer of AMQP 0-9-1.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Undeliverable {
    /// No short string can hold its id. Version 4 makes a header of it.
    LongId,
    /// No short string can hold its content type.
    LongContentType,
    /// No table can hold one of its properties, a UUID.
    Uuid,
    /// No table can hold one of its properties, a character.
    Char,
    /// No table can hold one of its annotations, a UUID.
    UuidAnnotation,
}

impl Undeliverable {
    /// One that this version cannot deliver.
    fn of(version: Version) -> Self {
        match version {
            Version::V3 => Self::LongId,
            Version::V4 => Self::Uuid,
        }
    }

    /// The section that says it.
    fn section(self) -> Vec<u8> {
        let uuid = [&[0x98][..], &[7; 16]].concat();
        match self {
            Self::LongId => properties(0, 0xb1),
            Self::LongContentType => properties(6, 0xb3),
            Self::Uuid => map(APPLICATION_PROPERTIES, 0xa1, &uuid),
            Self::Char => map(APPLICATION_PROPERTIES, 0xa1, &[0x73, 0, 0, 0, b'c']),
            Self::UuidAnnotation => map(MESSAGE_ANNOTATIONS, 0xa3, &uuid),
        }
    }
}

/// Publishes to the exchange of a severity a message that RabbitMQ takes and cannot deliver to a consumer of AMQP 0-9-1. Version 3
/// speaks AMQP 1.0 with its plugin.
#[track_caller]
pub(crate) fn publish_undeliverable(broker: &Broker, severity: &str, text: &str) {
    publish_undeliverable_to(broker, &broker.exchange(severity), text);
}

/// The same, to any exchange.
#[track_caller]
pub(crate) fn publish_undeliverable_to(broker: &Broker, exchange: &str, text: &str) {
    publish_undeliverable_as(
        Undeliverable::of(broker.version().expect("a RabbitMQ")),
        broker,
        exchange,
        text,
    );
}

/// The same, undeliverable for this reason.
#[track_caller]
pub(crate) fn publish_undeliverable_as(why: Undeliverable, broker: &Broker, exchange: &str, text: &str) {
    let address = match broker.version().expect("a RabbitMQ") {
        Version::V3 => "exchange",
        Version::V4 => "exchanges",
    };
    publish(broker.url(), &format!("/{address}/{exchange}/web"), &[why.section(), data(text)].concat());
}

/// Properties of which only one is given, behind so many others: 300 bytes, by its constructor.
fn properties(before: u8, constructor: u8) -> Vec<u8> {
    let nulls = NULL.repeat(before.into());
    let values = [&nulls[..], &[constructor], &300_u32.to_be_bytes(), &[b'i'; 300]].concat();
    let size = u32::try_from(values.len() + 4).expect("short");
    let count = u32::from(before) + 1;
    [&[0, 0x53, PROPERTIES, 0xd0][..], &size.to_be_bytes(), &count.to_be_bytes(), &values].concat()
}

/// A section that is a map with one value, and the constructor of its keys.
fn map(section: u8, key: u8, value: &[u8]) -> Vec<u8> {
    let pair = [&text(key, b"x-trace")[..], value].concat();
    [&[0, 0x53, section, 0xc1, length(&pair) + 1, 2][..], &pair].concat()
}

fn data(text: &str) -> Vec<u8> {
    [&[0, 0x53, DATA][..], &self::text(0xa0, text.as_bytes())].concat()
}

#[track_caller]
fn publish(url: &str, target: &str, message: &[u8]) {
    let rest = url.rsplit_once('@').expect("a user in the URL").1;
    let authority = rest.split_once('/').expect("a virtual host").0;
    let mut socket = TcpStream::connect(authority).expect("the broker listens");
    socket.set_read_timeout(Some(TIMEOUT)).expect("a socket");

    greet(&mut socket, *b"AMQP\x03\x01\0\0");
    receive(&mut socket, SASL_MECHANISMS);
    send(&mut socket, 1, &described(SASL_INIT, &[&text(0xa3, b"PLAIN"), &text(0xa0, b"\0guest\0guest")]));
    receive(&mut socket, SASL_OUTCOME);
    greet(&mut socket, *b"AMQP\0\x01\0\0");
    send(&mut socket, 0, &described(OPEN, &[&text(0xa1, b"loghost-it"), &text(0xa1, b"vhost:/")]));
    receive(&mut socket, OPEN);
    let window = [0x52, 100];
    send(&mut socket, 0, &described(BEGIN, &[NULL, ZERO, &window, &window]));
    receive(&mut socket, BEGIN);
    let target = described(TARGET, &[&text(0xa1, target.as_bytes())]);
    let (source, unsettled) = (described(SOURCE, &[]), [0x50, 0]);
    let link =
        [&text(0xa1, b"link")[..], ZERO, FALSE, &unsettled, &unsettled, &source, &target, NULL, NULL, ZERO];
    send(&mut socket, 0, &described(ATTACH, &link));
    receive(&mut socket, FLOW);

    let transfer = described(TRANSFER, &[ZERO, ZERO, &text(0xa0, b"1"), ZERO, FALSE, FALSE]);
    send(&mut socket, 0, &[&transfer, message].concat());
    let disposition = receive(&mut socket, DISPOSITION);
    assert!(disposition.windows(3).any(|code| code == [0, 0x53, ACCEPTED]), "not taken: {disposition:x?}");
}

fn greet(socket: &mut TcpStream, header: [u8; 8]) {
    socket.write_all(&header).expect("the broker reads");
    let mut answer = [0; 8];
    socket.read_exact(&mut answer).expect("the broker answers");
    assert_eq!(answer, header, "another version");
}

fn send(socket: &mut TcpStream, kind: u8, body: &[u8]) {
    let size = u32::try_from(body.len() + 8).expect("a short frame");
    let frame = [&size.to_be_bytes()[..], &[2, kind, 0, 0], body].concat();
    socket.write_all(&frame).expect("the broker reads");
}

/// The next frame of this code; others are skipped.
#[track_caller]
fn receive(socket: &mut TcpStream, code: u8) -> Vec<u8> {
    loop {
        let mut size = [0; 4];
        socket.read_exact(&mut size).expect("the broker answers");
        let mut frame = vec![0; u32::from_be_bytes(size) as usize - 4];
        socket.read_exact(&mut frame).expect("the whole frame");
        if frame.get(4..7) == Some(&[0, 0x53, code]) {
            return frame;
        }
    }
}

/// A described list.
fn described(code: u8, fields: &[&[u8]]) -> Vec<u8> {
    let fields_together = fields.concat();
    let mut bytes =
        vec![0, 0x53, code, 0xc0, length(&fields_together) + 1, u8::try_from(fields.len()).expect("few")];
    bytes.extend(fields_together);
    bytes
}

/// A string, symbol or binary value, by its constructor.
fn text(constructor: u8, text: &[u8]) -> Vec<u8> {
    [&[constructor, length(text)], text].concat()
}

fn length(bytes: &[u8]) -> u8 {
    u8::try_from(bytes.len()).expect("short")
}
