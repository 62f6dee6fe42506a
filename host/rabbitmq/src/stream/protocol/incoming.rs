//! What the broker sends, decoded; a chunk stays as it is.

use bytes::Bytes;

use crate::stream::protocol::code::ResponseCode;
use crate::stream::protocol::command as key;
use crate::stream::protocol::error::ProtocolError;
use crate::stream::protocol::metadata::StreamMetadata;
use crate::stream::protocol::wire::FrameReader;

/// A frame of the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    Answer(Answer),
    Deliver { subscription: u8, delivery: StreamDelivery },
    CreditRefused { subscription: u8, code: ResponseCode },
    MetadataUpdate { code: ResponseCode, stream: String },
    Tune { frame_max: u32, heartbeat: u32 },
    Close { correlation: u32, code: ResponseCode, reason: String },
    Heartbeat,
}

/// A chunk of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamDelivery {
    /// The offset of the first message of the last chunk that a majority of the stream's members had when this one was
    /// sent; none if the broker knows version 1 of `Deliver` only.
    pub committed_chunk_id: Option<u64>,
    /// The chunk as it is on the broker's disk: its header, the filter, and the entries. Nothing of it has been checked.
    pub chunk: Bytes,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) correlation: u32,
    /// That of the request.
    pub(crate) key: u16,
    /// That of a `Metadata` is OK, as there is one for each stream instead.
    pub(crate) code: ResponseCode,
    pub(crate) body: Body,
}

/// What is behind the response code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// Nothing, or nothing that is needed.
    Empty,
    Properties(Vec<(String, String)>),
    Mechanisms(Vec<String>),
    Metadata(Vec<StreamMetadata>),
    Offset(u64),
    Numbers(Vec<(String, i64)>),
}

impl Incoming {
    /// Decodes a frame, without its length.
    pub(crate) fn decode(frame: &Bytes) -> Result<Self, ProtocolError> {
        let mut reader = FrameReader::new(frame);
        let (key, version) = (reader.u16()?, reader.u16()?);
        if key & key::ANSWER == 0 {
            return Self::decode_command(key, version, frame, reader);
        }
        match key & !key::ANSWER {
            // These two are exceptions: they have no correlation id.
            key::CREDIT => {
                let code = reader.u16()?.into();
                Ok(Self::CreditRefused { subscription: reader.u8()?, code })
            }
            key::TUNE => Ok(Self::Tune { frame_max: reader.u32()?, heartbeat: reader.u32()? }),
            key => Answer::decode(key, reader).map(Self::Answer),
        }
    }

    fn decode_command(
        key: u16,
        version: u16,
        frame: &Bytes,
        mut reader: FrameReader<'_>,
    ) -> Result<Self, ProtocolError> {
        match key {
            key::DELIVER => {
                let subscription = reader.u8()?;
                let committed_chunk_id = match version {
                    1 => None,
                    2 => Some(reader.u64()?),
                    other => return Err(ProtocolError::Version { key, version: other }),
                };
                let chunk = frame.slice(frame.len() - reader.rest()..);
                Ok(Self::Deliver { subscription, delivery: StreamDelivery { committed_chunk_id, chunk } })
            }
            key::METADATA_UPDATE => {
                let code = reader.u16()?.into();
                Ok(Self::MetadataUpdate { code, stream: reader.text()? })
            }
            key::TUNE => Ok(Self::Tune { frame_max: reader.u32()?, heartbeat: reader.u32()? }),
            key::CLOSE => {
                let (correlation, code) = (reader.u32()?, reader.u16()?.into());
                Ok(Self::Close { correlation, code, reason: reader.text()? })
            }
            key::HEARTBEAT => Ok(Self::Heartbeat),
            other => Err(ProtocolError::Unexpected(other)),
        }
    }
}

impl Answer {
    fn decode(key: u16, mut reader: FrameReader<'_>) -> Result<Self, ProtocolError> {
        let correlation = reader.u32()?;
        let code = if key == key::METADATA { ResponseCode::Ok } else { reader.u16()?.into() };
        let body = match key {
            key::PEER_PROPERTIES | key::OPEN => Body::Properties(reader.properties()?),
            key::SASL_HANDSHAKE => Body::Mechanisms(reader.list(FrameReader::text)?),
            key::METADATA => Body::Metadata(StreamMetadata::read(&mut reader)?),
            key::QUERY_OFFSET => Body::Offset(reader.u64()?),
            key::STATISTICS => Body::Numbers(reader.list(|reader| Ok((reader.text()?, reader.i64()?)))?),
            key::SASL_AUTHENTICATE
            | key::EXCHANGE_VERSIONS
            | key::SUBSCRIBE
            | key::UNSUBSCRIBE
            | key::CLOSE => Body::Empty,
            other => return Err(ProtocolError::Unexpected(key::ANSWER | other)),
        };
        Ok(Self { correlation, key, code, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::protocol::metadata::StreamNode;

    fn decode(frame: &[u8]) -> Result<Incoming, ProtocolError> {
        Incoming::decode(&Bytes::copy_from_slice(frame))
    }

    #[test]
    fn a_delivery_has_its_chunk_in_both_versions() {
        let chunk = Bytes::from_static(b"chunk");
        for (head, committed_chunk_id) in
            [(&[0, 8, 0, 1, 5][..], None), (&[0, 8, 0, 2, 5, 0, 0, 0, 0, 0, 0, 1, 0], Some(256))]
        {
            let delivery = StreamDelivery { committed_chunk_id, chunk: chunk.clone() };
            let expected = Incoming::Deliver { subscription: 5, delivery };
            assert_eq!(decode(&[head, b"chunk"].concat()), Ok(expected));
        }
        let version = Err(ProtocolError::Version { key: 8, version: 3 });
        assert_eq!(decode(&[0, 8, 0, 3, 5]), version);
    }

    #[test]
    fn metadata_names_leader_and_replicas() {
        let nodes = [&[0, 0, 0, 2, 0, 0, 0, 1, b'a', 0, 0, 0x15, 0xb0, 0, 1, 0, 1, b'b', 0, 0, 0, 9][..]];
        let streams = [
            &[0, 0, 0, 2][..],
            &[0, 1, b's', 0, 1, 0, 1, 0, 0, 0, 1, 0, 0],
            &[0, 1, b't', 0, 2, 0xff, 0xff, 0, 0, 0, 0],
        ];
        let frame = [&[0x80, 15, 0, 1, 0, 0, 0, 7][..], &nodes.concat(), &streams.concat()].concat();
        let node = |host: &str, port| StreamNode { host: host.to_owned(), port };
        let body = Body::Metadata(vec![
            StreamMetadata {
                stream: "s".to_owned(),
                code: ResponseCode::Ok,
                leader: Some(node("b", 9)),
                replicas: vec![node("a", 5552)],
            },
            StreamMetadata {
                stream: "t".to_owned(),
                code: ResponseCode::StreamDoesNotExist,
                leader: None,
                replicas: vec![],
            },
        ]);
        let answer = Answer { correlation: 7, key: 15, code: ResponseCode::Ok, body };
        assert_eq!(decode(&frame), Ok(Incoming::Answer(answer)));
    }

    #[test]
    fn answers_without_a_correlation_id_are_known() {
        let refused = Incoming::CreditRefused { subscription: 9, code: ResponseCode::PreconditionFailed };
        assert_eq!(decode(&[0x80, 9, 0, 1, 0, 17, 9]), Ok(refused));
        let tune = Incoming::Tune { frame_max: 1, heartbeat: 60 };
        for key in [0, 0x80] {
            assert_eq!(decode(&[key, 20, 0, 1, 0, 0, 0, 1, 0, 0, 0, 60]), Ok(tune.clone()));
        }
    }

    #[test]
    fn lists_that_are_left_out_are_empty() {
        // How the broker refuses a virtual host.
        let answer =
            |body| Answer { correlation: 4, key: 21, code: ResponseCode::VirtualHostAccessFailure, body };
        let expected = Incoming::Answer(answer(Body::Properties(vec![])));
        assert_eq!(decode(&[0x80, 21, 0, 1, 0, 0, 0, 4, 0, 12]), Ok(expected));
    }
}
