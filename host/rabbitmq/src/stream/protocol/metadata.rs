//! Which nodes have a stream.

use crate::stream::protocol::code::ResponseCode;
use crate::stream::protocol::error::ProtocolError;
use crate::stream::protocol::wire::FrameReader;

/// Which nodes have a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamMetadata {
    /// The name of the stream.
    pub stream: String,
    /// Whether it is there, and the user may know.
    pub code: ResponseCode,
    /// The node that writes it; none while one is being elected.
    pub leader: Option<StreamNode>,
    /// The nodes that have a copy of it, and can be read from.
    pub replicas: Vec<StreamNode>,
}

/// Where a node listens for the stream protocol, as it advertises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamNode {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl StreamMetadata {
    /// Reads what is behind the correlation id of a `MetadataResponse`.
    pub(crate) fn read(reader: &mut FrameReader<'_>) -> Result<Vec<Self>, ProtocolError> {
        let nodes = reader.list(|reader| {
            let reference = reader.u16()?;
            let host = reader.text()?;
            let port = u16::try_from(reader.u32()?).map_err(|_| ProtocolError::Port)?;
            Ok((reference, StreamNode { host, port }))
        })?;
        // A reference to no node, such as -1, says that there is none.
        let node = |wanted: u16| nodes.iter().find(|(reference, _)| *reference == wanted);
        let node = |wanted| node(wanted).map(|(_, node)| node.clone());
        reader.list(|reader| {
            let stream = reader.text()?;
            let code = ResponseCode::from(reader.u16()?);
            let leader = node(reader.u16()?);
            let replicas = reader.list(FrameReader::u16)?;
            Ok(Self { stream, code, leader, replicas: replicas.into_iter().filter_map(node).collect() })
        })
    }
}
