//! A publisher of raw bytes: messages that no client library would send.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::TIMEOUT;

/// An open channel in confirm mode.
pub(crate) struct Raw {
    socket: TcpStream,
}

/// A refusal by the broker: the code and text of its `close`.
pub(crate) type Refusal = (u16, String);

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;

/// The largest payload of a body frame.
const CHUNK: usize = 131_072 - 8;

impl Raw {
    #[track_caller]
    pub(crate) fn connect(url: &str) -> Self {
        let rest = url.rsplit_once('@').expect("a user in the URL").1;
        let (authority, vhost) = rest.split_once('/').expect("a virtual host");
        let socket = TcpStream::connect(authority).expect("the broker listens");
        socket.set_read_timeout(Some(TIMEOUT)).expect("a socket");
        let mut raw = Self { socket };
        raw.write(b"AMQP\0\0\x09\x01");
        raw.expect(10, 10);
        raw.method(
            0,
            10,
            11,
            &[b"\0\0\0\0\x05PLAIN", &long_string(b"\0guest\0guest")[..], b"\x05en_US"].concat(),
        );
        let tune = raw.expect(10, 30);
        // The channels and frame size that the broker offers, and no heartbeats.
        raw.method(0, 10, 31, &[&tune[..6], b"\0\0"].concat());
        let vhost = vhost.replace("%2f", "/");
        raw.method(0, 10, 40, &[&short_string(vhost.as_bytes())[..], b"\0\0"].concat());
        raw.expect(10, 41);
        raw.method(1, 20, 10, b"\0");
        raw.expect(20, 11);
        raw.method(1, 85, 10, b"\0");
        raw.expect(85, 11);
        raw
    }

    /// Publishes a message, with properties as they are on the wire, and waits for the broker's answer.
    /// A refusal ends it.
    pub(crate) fn publish(
        &mut self,
        exchange: &str,
        key: &[u8],
        properties: &[u8],
        body: &[u8],
    ) -> Result<(), Refusal> {
        let routing = [&short_string(exchange.as_bytes())[..], &short_string(key)].concat();
        self.method(1, 60, 40, &[b"\0\0", &routing[..], b"\0"].concat());
        let size = (body.len() as u64).to_be_bytes();
        self.frame(HEADER, 1, &[b"\0\x3c\0\0", &size[..], properties].concat());
        for chunk in body.chunks(CHUNK) {
            self.frame(BODY, 1, chunk);
        }
        loop {
            let (class, method, arguments) = self.read();
            match (class, method) {
                (60, 80) => return Ok(()),
                (10, 50) | (20, 40) => {
                    let code = u16::from_be_bytes([arguments[0], arguments[1]]);
                    let text = &arguments[3..3 + usize::from(arguments[2])];
                    return Err((code, String::from_utf8_lossy(text).into_owned()));
                }
                // `connection.blocked` and `unblocked`: it may be short of memory for a moment.
                (10, 60 | 61) => {}
                other => panic!("the broker answers with {other:?}"),
            }
        }
    }

    fn method(&mut self, channel: u16, class: u16, method: u16, arguments: &[u8]) {
        let payload = [&class.to_be_bytes()[..], &method.to_be_bytes(), arguments].concat();
        self.frame(METHOD, channel, &payload);
    }

    fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        let size = u32::try_from(payload.len()).expect("a frame").to_be_bytes();
        self.write(&[&[kind][..], &channel.to_be_bytes(), &size, payload, b"\xce"].concat());
    }

    fn write(&mut self, bytes: &[u8]) {
        // A broker that refuses it may have closed the socket; its answer can still be read.
        let _ = self.socket.write_all(bytes);
    }

    #[track_caller]
    fn expect(&mut self, class: u16, method: u16) -> Vec<u8> {
        let (found_class, found_method, arguments) = self.read();
        assert_eq!((found_class, found_method), (class, method));
        arguments
    }

    /// The next method.
    #[track_caller]
    fn read(&mut self) -> (u16, u16, Vec<u8>) {
        loop {
            let mut head = [0; 7];
            self.socket.read_exact(&mut head).expect("the broker answers");
            let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
            let mut payload = vec![0; size as usize + 1];
            self.socket.read_exact(&mut payload).expect("the broker answers");
            if head[0] == METHOD {
                let word = |at: usize| u16::from_be_bytes([payload[at], payload[at + 1]]);
                return (word(0), word(2), payload[4..].to_vec());
            }
        }
    }
}

/// A text of at most 255 bytes as it is on the wire.
pub(crate) fn short_string(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).expect("a short string")], bytes].concat()
}

/// A text of any length as it is on the wire; a table's or an array's insides have the same form.
pub(crate) fn long_string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).expect("fits").to_be_bytes()[..], bytes].concat()
}

/// Properties that are nothing but these headers, whose insides are given.
pub(crate) fn headers(entries: &[u8]) -> Vec<u8> {
    [b"\x20\0", &long_string(entries)[..]].concat()
}
