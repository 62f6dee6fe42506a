//! The offsets at the ends of a stream, by the chunks there. A stored offset is not among them.
//!
//! A chunk's checksum does not cover its header: it is asked for a second time, by the offset that it says, and has to be the
//! same then.

use std::time::Duration;

use bytes::Bytes;
use loghost_stream::{Chunk, Header};
use tokio::time::timeout;

use crate::stream::ends::Sent;
use crate::stream::fingerprint;
use crate::stream::protocol::connection::{StreamConnection, SubscribeOptions};
use crate::stream::protocol::error::{Loss, StreamError};
use crate::stream::protocol::offset::OffsetSpec;

/// Within this, the broker sends what there is. It has sent it already when it answers to what it was asked after that.
const NOTHING_AFTER: Duration = Duration::from_millis(500);

/// How often a chunk is asked for that was removed meanwhile, or did not come as it was sent.
const TRIES: u32 = 3;

/// The offsets of the chunk that the broker sends first from some offset of a stream; none if there is nothing from there on.
pub(crate) async fn sent(
    connection: &StreamConnection,
    stream: &str,
    from: OffsetSpec,
) -> Result<Option<Sent>, StreamError> {
    if connection.statistics(stream).await?.committed_chunk_id.is_none() {
        return Ok(None);
    }
    let mut why = "a chunk was another one when it was asked for again".to_owned();
    for _ in 0..TRIES {
        let Some(chunk) = first_chunk(connection, stream, from).await? else { return Ok(None) };
        let header = match Chunk::parse(&chunk) {
            Ok(chunk) => *chunk.header(),
            Err(error) => {
                why = error.to_string();
                continue;
            }
        };
        let again = OffsetSpec::Offset(header.first_offset);
        if first_chunk(connection, stream, again).await?.is_some_and(|again| again == chunk) {
            return Ok(Some(of(&header)));
        }
    }
    let endpoint = connection.endpoint().to_string().into();
    Err(StreamError::Lost { endpoint, loss: Loss::Network(why) })
}

fn of(header: &Header) -> Sent {
    Sent {
        first: header.first_offset,
        last: header.next_offset().saturating_sub(1),
        fingerprint: fingerprint::of_chunk(header),
    }
}

/// What a new subscription is sent first; none if there is nothing from there on, such as stored offsets alone.
async fn first_chunk(
    connection: &StreamConnection,
    stream: &str,
    from: OffsetSpec,
) -> Result<Option<Bytes>, StreamError> {
    let options = SubscribeOptions { stream: stream.to_owned(), from, credit: 1, properties: Vec::new() };
    let mut subscription = connection.subscribe(options).await?;
    connection.statistics(stream).await?;
    let chunk = match timeout(NOTHING_AFTER, subscription.next()).await {
        Ok(delivery) => Some(delivery?.chunk),
        Err(_) => None,
    };
    subscription.end().await?;
    Ok(chunk)
}
