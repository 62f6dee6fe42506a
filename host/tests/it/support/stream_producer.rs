//! A producer that speaks the stream protocol, and publishes batches of messages ("sub-entry batches") as other clients do.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use loghost_stream::Compression;
use loghost_stream::testing::compress;

use super::TIMEOUT;
use super::broker::Broker;

/// Commands of the protocol, and the bit of an answer.
const DECLARE_PUBLISHER: u16 = 1;
const PUBLISH: u16 = 2;
const PUBLISH_CONFIRM: u16 = 3;
const PEER_PROPERTIES: u16 = 17;
const SASL_HANDSHAKE: u16 = 18;
const SASL_AUTHENTICATE: u16 = 19;
const TUNE: u16 = 20;
const OPEN: u16 = 21;
const ANSWER: u16 = 0x8000;

/// The code of an answer that says that it was done.
const OK: u16 = 1;

/// The number that the broker knows the publisher by.
const PUBLISHER: u8 = 0;

/// A connection that publishes to one stream.
pub(crate) struct StreamProducer {
    socket: TcpStream,
    published: u64,
}

impl StreamProducer {
    /// Logs in to a broker, and begins to publish to a stream.
    #[track_caller]
    pub(crate) fn new(broker: &Broker, stream: &str) -> Self {
        let port = broker.stream_port().expect("the stream protocol");
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
        socket.set_read_timeout(Some(TIMEOUT)).expect("a socket");
        let mut producer = Self { socket, published: 0 };
        producer.ask(PEER_PROPERTIES, &[0; 4]);
        producer.ask(SASL_HANDSHAKE, &[]);
        let login = b"\0guest\0guest";
        producer.ask(SASL_AUTHENTICATE, &[&text("PLAIN"), &length(login)[..], login].concat());
        let limits = producer.wait_for(TUNE);
        producer.send(ANSWER | TUNE, &limits);
        producer.ask(OPEN, &text("/"));
        producer.ask(DECLARE_PUBLISHER, &[&[PUBLISHER], &text("")[..], &text(stream)].concat());
        producer
    }

    /// Publishes messages as a batch, and waits until it is confirmed.
    #[track_caller]
    pub(crate) fn publish_batch(&mut self, compression: Compression, messages: &[Vec<u8>]) {
        let plain: Vec<u8> =
            messages.iter().flat_map(|message| [&length(message), &message[..]].concat()).collect();
        self.publish_raw(compression, messages.len(), plain.len(), &compress(compression, &plain));
    }

    /// The same with a batch that says of itself what it is told to: how many messages there are, and how long they are.
    #[track_caller]
    pub(crate) fn publish_raw(
        &mut self,
        compression: Compression,
        messages: usize,
        inflated: usize,
        data: &[u8],
    ) {
        let messages = u16::try_from(messages).expect("a batch");
        let inflated = u32::try_from(inflated).expect("a batch");
        let batch = [
            &[PUBLISHER, 0, 0, 0, 1][..],
            &self.published.to_be_bytes(),
            &[0x80 | (compression as u8) << 4],
            &messages.to_be_bytes(),
            &inflated.to_be_bytes(),
            &length(data),
            data,
        ];
        self.send(PUBLISH, &batch.concat());
        let confirmed = self.wait_for(PUBLISH_CONFIRM);
        assert!(confirmed.ends_with(&self.published.to_be_bytes()), "{confirmed:?}");
        self.published += 1;
    }

    /// Sends a command, and waits for its answer.
    #[track_caller]
    fn ask(&mut self, command: u16, body: &[u8]) {
        let correlation = [0; 4];
        self.send(command, &[&correlation[..], body].concat());
        let answer = self.wait_for(ANSWER | command);
        assert_eq!(answer.get(4..6), Some(&OK.to_be_bytes()[..]), "command {command}");
    }

    #[track_caller]
    fn send(&mut self, command: u16, body: &[u8]) {
        let version = [0, 1];
        let frame = [&command.to_be_bytes()[..], &version, body].concat();
        self.socket.write_all(&[&length(&frame), &frame[..]].concat()).expect("the broker reads");
    }

    /// What is behind the version of the next frame with this key; others are left out.
    #[track_caller]
    fn wait_for(&mut self, key: u16) -> Vec<u8> {
        loop {
            let mut length = [0; 4];
            self.socket.read_exact(&mut length).expect("the broker answers");
            let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length)).expect("a length")];
            self.socket.read_exact(&mut frame).expect("the broker answers");
            if frame.starts_with(&key.to_be_bytes()) {
                return frame.split_off(4);
            }
        }
    }
}

/// A text behind its length.
fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short text");
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).expect("a length").to_be_bytes()
}
