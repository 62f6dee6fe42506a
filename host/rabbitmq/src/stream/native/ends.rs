//! The offsets at the ends of a stream, by the chunks there. A stored offset is not among them.

use std::time::Duration;

use loghost_stream::Chunk;
use tokio::time::timeout;

use crate::stream::ends::Sent;
use crate::stream::protocol::connection::{StreamConnection, SubscribeOptions};
use crate::stream::protocol::error::{Loss, StreamError};
use crate::stream::protocol::offset::OffsetSpec;

/// Within this, the broker has to send something of a stream that has something.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// The same from a time on: there may be nothing.
const NOTHING_NEWER_AFTER: Duration = Duration::from_secs(2);

/// The offsets of the chunk that the broker sends first from some place of a stream; none if there is nothing from there on.
pub(crate) async fn sent(
    connection: &StreamConnection,
    stream: &str,
    from: OffsetSpec,
) -> Result<Option<Sent>, StreamError> {
    if connection.statistics(stream).await?.committed_chunk_id.is_none() {
        return Ok(None);
    }
    let options = SubscribeOptions { stream: stream.to_owned(), from, credit: 1, properties: Vec::new() };
    let mut subscription = connection.subscribe(options).await?;
    let is_time = matches!(from, OffsetSpec::Timestamp(_));
    let waited = if is_time { NOTHING_NEWER_AFTER } else { ANSWERED_WITHIN };
    let endpoint = || connection.endpoint().to_string().into();
    match timeout(waited, subscription.next()).await {
        Ok(delivery) => {
            let chunk = delivery?.chunk;
            let header = match Chunk::parse(&chunk) {
                Ok(chunk) => *chunk.header(),
                Err(error) => {
                    return Err(StreamError::Lost {
                        endpoint: endpoint(),
                        loss: Loss::Network(error.to_string()),
                    });
                }
            };
            subscription.end().await?;
            Ok(Some(Sent { first: header.first_offset, last: header.next_offset().saturating_sub(1) }))
        }
        Err(_) if is_time => Ok(None),
        Err(_) => {
            let what = format!("what is in the stream {stream}");
            Err(StreamError::Unanswered { endpoint: endpoint(), what, waited })
        }
    }
}
