//! How far was read, as the broker stores it for who has no book that outlasts the host.

use std::collections::BTreeMap;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::reader::NativeReader;
use crate::stream::protocol::connection::StreamConnection;
use crate::stream::protocol::error::StreamError;

/// The least time between two offsets that the broker stores. Each takes an offset of the stream.
const STORE_EVERY: Duration = Duration::from_secs(1);

/// How often it is looked whether the broker has stored an offset.
const LOOKS: u32 = 7;

/// How long until it is looked again; twice as long each time after.
const FIRST_DELAY: Duration = Duration::from_millis(50);

/// Under which name the broker stores how far was read.
pub(crate) struct Stores {
    pub(crate) name: String,
    /// The last offsets that it has.
    pub(crate) stored: BTreeMap<String, u64>,
}

/// Has the broker store how far was read.
pub(super) struct Storing {
    name: String,
    /// When it did last.
    last: Instant,
    /// Whether it was looked whether it does.
    has_looked: bool,
    /// Is ready with the stream whose offset it has not stored.
    looking: Option<BoxFuture<'static, Option<Arc<str>>>>,
}

impl Storing {
    /// Under this name.
    pub(super) fn new(name: String) -> Self {
        Self { name, last: Instant::now(), has_looked: false, looking: None }
    }

    /// When the next may be stored.
    pub(super) fn due(&self) -> Instant {
        self.last + STORE_EVERY
    }

    /// Stores what has moved. If the future is dropped, some of it is stored the next time.
    pub(super) async fn store(&mut self, readers: &mut [NativeReader]) -> Result<(), StreamError> {
        self.last = Instant::now();
        for reader in readers {
            let Some(offset) = reader.to_store() else { continue };
            let stream = Arc::clone(reader.cursor.stream());
            reader.connection.store_offset(&self.name, &stream, offset).await?;
            reader.stored = Some(offset);
            if !std::mem::replace(&mut self.has_looked, true) {
                let (connection, name) = (Arc::clone(&reader.connection), self.name.clone());
                self.looking = Some(look(connection, name, stream, offset).boxed());
            }
        }
        Ok(())
    }

    /// Is ready when it was looked: with the stream whose offset was not stored, if it was not. Never, if nothing is to be
    /// looked at. Nothing is lost if the future is dropped.
    pub(super) async fn looked(&mut self) -> Option<Arc<str>> {
        let Some(looking) = &mut self.looking else { return pending().await };
        let unstored = Pin::new(looking).await;
        self.looking = None;
        unstored
    }

    /// Whether it is being looked.
    pub(super) fn is_looking(&self) -> bool {
        self.looking.is_some()
    }
}

/// Looks whether an offset is stored: the broker does not say so when it is told to.
async fn look(
    connection: Arc<StreamConnection>,
    name: String,
    stream: Arc<str>,
    offset: u64,
) -> Option<Arc<str>> {
    let mut delay = FIRST_DELAY;
    for _ in 0..LOOKS {
        match connection.query_offset(&name, &stream).await {
            // A later one is as good.
            Ok(Some(stored)) if stored.wrapping_add(1) >= offset.wrapping_add(1) => return None,
            Ok(_) => {}
            Err(_) => return None,
        }
        sleep(delay).await;
        delay *= 2;
    }
    Some(stream)
}
