//! What this side sends: requests, which the broker answers, and notices, which it does not.
//!
//! Knows the keys and the content of the commands in `PROTOCOL.adoc`; knows no socket.

use bytes::{BufMut, Bytes, BytesMut};

use crate::stream::protocol::offset::OffsetSpec;
use crate::stream::protocol::wire::{TextTooLong, put_count, put_properties, put_text};

pub(crate) const SUBSCRIBE: u16 = 7;
pub(crate) const DELIVER: u16 = 8;
pub(crate) const CREDIT: u16 = 9;
pub(crate) const STORE_OFFSET: u16 = 10;
pub(crate) const QUERY_OFFSET: u16 = 11;
pub(crate) const UNSUBSCRIBE: u16 = 12;
pub(crate) const METADATA: u16 = 15;
pub(crate) const METADATA_UPDATE: u16 = 16;
pub(crate) const PEER_PROPERTIES: u16 = 17;
pub(crate) const SASL_HANDSHAKE: u16 = 18;
pub(crate) const SASL_AUTHENTICATE: u16 = 19;
pub(crate) const TUNE: u16 = 20;
pub(crate) const OPEN: u16 = 21;
pub(crate) const CLOSE: u16 = 22;
pub(crate) const HEARTBEAT: u16 = 23;
pub(crate) const EXCHANGE_VERSIONS: u16 = 27;
pub(crate) const STATISTICS: u16 = 28;

/// The bit of a key that says that this is an answer.
pub(crate) const ANSWER: u16 = 0x8000;

/// The version of every command that this side sends.
const VERSION: u16 = 1;

/// The commands with more than one version, and the versions of them that this side knows. The broker sends the highest
/// that both know.
const VERSIONS: [(u16, u16, u16); 1] = [(DELIVER, 1, 2)];

/// A command that the broker answers.
pub(crate) enum Request {
    PeerProperties(Vec<(String, String)>),
    SaslHandshake,
    SaslAuthenticate { mechanism: &'static str, data: Vec<u8> },
    Open { vhost: String },
    Close,
    ExchangeVersions,
    Metadata { streams: Vec<String> },
    Subscribe { id: u8, stream: String, from: OffsetSpec, credit: u16, properties: Vec<(String, String)> },
    Unsubscribe { id: u8 },
    QueryOffset { reference: String, stream: String },
    Statistics { stream: String },
}

/// A command that the broker does not answer.
pub(crate) enum Notice {
    Tune {
        frame_max: u32,
        heartbeat: u32,
    },
    Heartbeat,
    Credit {
        subscription: u8,
        chunks: u16,
    },
    StoreOffset {
        reference: String,
        stream: String,
        offset: u64,
    },
    /// The answer to the broker's own request to close.
    Closed {
        correlation: u32,
    },
}

impl Request {
    /// What it is called, and which answer belongs to it.
    pub(crate) fn key(&self) -> u16 {
        match self {
            Self::PeerProperties(_) => PEER_PROPERTIES,
            Self::SaslHandshake => SASL_HANDSHAKE,
            Self::SaslAuthenticate { .. } => SASL_AUTHENTICATE,
            Self::Open { .. } => OPEN,
            Self::Close => CLOSE,
            Self::ExchangeVersions => EXCHANGE_VERSIONS,
            Self::Metadata { .. } => METADATA,
            Self::Subscribe { .. } => SUBSCRIBE,
            Self::Unsubscribe { .. } => UNSUBSCRIBE,
            Self::QueryOffset { .. } => QUERY_OFFSET,
            Self::Statistics { .. } => STATISTICS,
        }
    }

    /// The whole frame.
    pub(crate) fn encode(&self, correlation: u32) -> Result<Bytes, TextTooLong> {
        let mut frame = begin(self.key());
        frame.put_u32(correlation);
        match self {
            Self::PeerProperties(properties) => put_properties(&mut frame, properties)?,
            Self::SaslHandshake => {}
            Self::SaslAuthenticate { mechanism, data } => {
                put_text(&mut frame, mechanism)?;
                put_count(&mut frame, data.len())?;
                frame.put_slice(data);
            }
            Self::Open { vhost } => put_text(&mut frame, vhost)?,
            Self::Close => {
                // OK.
                frame.put_u16(1);
                put_text(&mut frame, "done")?;
            }
            Self::ExchangeVersions => {
                put_count(&mut frame, VERSIONS.len())?;
                for (key, lowest, highest) in VERSIONS {
                    frame.put_u16(key);
                    frame.put_u16(lowest);
                    frame.put_u16(highest);
                }
            }
            Self::Metadata { streams } => {
                put_count(&mut frame, streams.len())?;
                streams.iter().try_for_each(|stream| put_text(&mut frame, stream))?;
            }
            Self::Subscribe { id, stream, from, credit, properties } => {
                frame.put_u8(*id);
                put_text(&mut frame, stream)?;
                from.put(&mut frame);
                frame.put_u16(*credit);
                put_properties(&mut frame, properties)?;
            }
            Self::Unsubscribe { id } => frame.put_u8(*id),
            Self::QueryOffset { reference, stream } => {
                put_text(&mut frame, reference)?;
                put_text(&mut frame, stream)?;
            }
            Self::Statistics { stream } => put_text(&mut frame, stream)?,
        }
        end(frame)
    }
}

impl Notice {
    /// The whole frame.
    pub(crate) fn encode(&self) -> Result<Bytes, TextTooLong> {
        let mut frame;
        match self {
            Self::Tune { frame_max, heartbeat } => {
                frame = begin(ANSWER | TUNE);
                frame.put_u32(*frame_max);
                frame.put_u32(*heartbeat);
            }
            Self::Heartbeat => frame = begin(HEARTBEAT),
            Self::Credit { subscription, chunks } => {
                frame = begin(CREDIT);
                frame.put_u8(*subscription);
                frame.put_u16(*chunks);
            }
            Self::StoreOffset { reference, stream, offset } => {
                frame = begin(STORE_OFFSET);
                put_text(&mut frame, reference)?;
                put_text(&mut frame, stream)?;
                frame.put_u64(*offset);
            }
            Self::Closed { correlation } => {
                frame = begin(ANSWER | CLOSE);
                frame.put_u32(*correlation);
                frame.put_u16(1);
            }
        }
        end(frame)
    }
}

/// A frame with its key and version, and room for its length.
fn begin(key: u16) -> BytesMut {
    let mut frame = BytesMut::with_capacity(64);
    frame.put_u32(0);
    frame.put_u16(key);
    frame.put_u16(VERSION);
    frame
}

/// The frame with its length.
fn end(mut frame: BytesMut) -> Result<Bytes, TextTooLong> {
    let mut length = BytesMut::with_capacity(4);
    put_count(&mut length, frame.len() - 4)?;
    frame[..4].copy_from_slice(&length);
    Ok(frame.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_is_encoded_as_the_protocol_says() {
        let request = Request::Subscribe {
            id: 3,
            stream: "logs".to_owned(),
            from: OffsetSpec::Offset(258),
            credit: 10,
            properties: vec![("name".to_owned(), "n".to_owned())],
        };
        let expected = [
            &[0, 0, 0, 40][..],
            &[0, 7, 0, 1, 0, 0, 0, 9],
            &[3, 0, 4],
            b"logs",
            &[0, 4, 0, 0, 0, 0, 0, 0, 1, 2],
            &[0, 10],
            &[0, 0, 0, 1, 0, 4],
            b"name",
            &[0, 1],
            b"n",
        ];
        assert_eq!(request.encode(9).unwrap(), expected.concat());
    }

    #[test]
    fn a_text_that_is_too_long_is_refused() {
        let long = "x".repeat(32_768);
        assert!(Request::Open { vhost: long.clone() }.encode(1).is_err());
        let notice = Notice::StoreOffset { reference: String::new(), stream: long, offset: 1 };
        assert!(notice.encode().is_err());
    }

    #[test]
    fn commands_without_an_answer_are_encoded_as_the_protocol_says() {
        let notice = |notice: Notice| notice.encode().unwrap();
        assert_eq!(notice(Notice::Heartbeat), [0, 0, 0, 4, 0, 23, 0, 1][..]);
        let credit = Notice::Credit { subscription: 2, chunks: 259 };
        assert_eq!(notice(credit), [0, 0, 0, 7, 0, 9, 0, 1, 2, 1, 3][..]);
        let tune = Notice::Tune { frame_max: 5, heartbeat: 6 };
        assert_eq!(notice(tune), [0, 0, 0, 12, 0x80, 20, 0, 1, 0, 0, 0, 5, 0, 0, 0, 6][..]);
        let store = Notice::StoreOffset { reference: "r".to_owned(), stream: "s".to_owned(), offset: 7 };
        assert_eq!(
            notice(store),
            [0, 0, 0, 18, 0, 10, 0, 1, 0, 1, b'r', 0, 1, b's', 0, 0, 0, 0, 0, 0, 0, 7][..]
        );
        let closed = Notice::Closed { correlation: 8 };
        assert_eq!(notice(closed), [0, 0, 0, 10, 0x80, 22, 0, 1, 0, 0, 0, 8, 0, 1][..]);
    }
}
