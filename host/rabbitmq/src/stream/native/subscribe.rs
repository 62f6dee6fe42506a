//! A subscription of a stream, and one chunk that is asked for again.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use loghost_core::application::SourceError;
use loghost_stream::Header;
use tokio::time::{sleep, timeout};

use crate::stream::protocol::connection::{StreamConnection, SubscribeOptions};
use crate::stream::protocol::error::StreamError;
use crate::stream::protocol::offset::OffsetSpec;
use crate::stream::protocol::subscription::Subscription;

/// Within this, the broker has to send a chunk again.
const AGAIN_WITHIN: Duration = Duration::from_secs(10);

/// How long it may take until a broker has noted what it has removed of a stream: it is asked again after this...
const FIRST_DELAY: Duration = Duration::from_millis(20);

/// ...and after twice the time, up to this.
const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// Has the broker send chunks of its own as well, such as stored offsets: what it leaves out then was removed.
const ALL_CHUNKS: (&str, &str) = ("chunk_selector", "all");

/// What was asked for again.
pub(super) struct RepeatedChunk {
    pub(super) chunk: Bytes,
    /// The first offset that the stream has.
    pub(super) first: Option<u64>,
}

/// Begins at the chunk that has the offset `from`, with so many chunks under way.
pub(super) async fn subscribe(
    connection: &StreamConnection,
    stream: &str,
    from: u64,
    credit: u16,
) -> Result<Subscription, StreamError> {
    let (stream, from) = (stream.to_owned(), OffsetSpec::Offset(from));
    let (name, value) = ALL_CHUNKS;
    let properties = vec![(name.to_owned(), value.to_owned())];
    connection.subscribe(SubscribeOptions { stream, from, credit, properties }).await
}

/// The chunk that is sent first by a new subscription, and where the stream begins then.
pub(super) async fn again(
    connection: Arc<StreamConnection>,
    stream: Arc<str>,
    from: u64,
) -> Result<RepeatedChunk, SourceError> {
    let asking = async {
        let mut subscription = subscribe(&connection, &stream, from, 1).await?;
        let delivery = subscription.next().await?;
        subscription.end().await?;
        let begins = Header::parse(&delivery.chunk).map_or(from, |(header, _)| header.first_offset);
        Ok::<_, StreamError>(RepeatedChunk {
            chunk: delivery.chunk,
            first: first(&connection, &stream, from..begins).await?,
        })
    };
    if let Ok(again) = timeout(AGAIN_WITHIN, asking).await {
        return Ok(again?);
    }
    let text = format!("the broker does not send a chunk of the stream {stream} at offset {from} again");
    Err(SourceError::Lost(text.into()))
}

/// The first offset that a stream has, which did not send what is in the `gap`. The broker removes segments, and notes
/// only then what is first.
async fn first(
    connection: &StreamConnection,
    stream: &str,
    gap: Range<u64>,
) -> Result<Option<u64>, StreamError> {
    let mut delay = FIRST_DELAY;
    loop {
        let first = connection.statistics(stream).await?.first_chunk_id;
        if gap.is_empty() || first.is_some_and(|first| first >= gap.end) || delay > LONGEST_DELAY {
            return Ok(first);
        }
        sleep(delay).await;
        delay *= 2;
    }
}

/// The offset at which the last chunk of a stream begins, if the broker tells.
pub(super) async fn last_chunk(connection: Arc<StreamConnection>, stream: Arc<str>) -> Option<u64> {
    connection.statistics(&stream).await.ok()?.committed_chunk_id
}
