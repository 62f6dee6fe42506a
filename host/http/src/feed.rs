//! What happens, passed on to whoever reads: server-sent events. Nobody is waited for: who reads too slowly loses the
//! oldest, and is told how many.
//!
//! Source: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use hyper::body::Frame;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio::time::timeout;

/// How many events wait for a reader.
const WAITING: usize = 256;

/// After so long without an event, a comment is sent: a reader that has gone is found by it, and a proxy goes on waiting.
const QUIET: Duration = Duration::from_secs(15);

/// Where events are passed on.
#[derive(Clone, Debug)]
pub struct Feed(Sender<Bytes>);

impl Default for Feed {
    fn default() -> Self {
        Self(broadcast::channel(WAITING).0)
    }
}

impl Feed {
    /// Whether somebody reads; if not, an event need not be made.
    pub fn is_read(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Passes on an event that is called so, as JSON. What could not be in one line of the stream is left out: JSON
    /// without line breaks can.
    pub fn send(&self, name: &str, json: &str) {
        let breaks = |text: &str| text.contains(['\n', '\r']);
        if !breaks(name) && !breaks(json) {
            // Whoever has read may have gone meanwhile.
            let _ = self.0.send(Bytes::from(event(name, json)));
        }
    }

    /// The events from now on, as they are written to a reader.
    pub(crate) fn frames(&self) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + use<> {
        // Headers go out with the first of the body.
        let begin = Bytes::from_static(b": what happens from now on\n\n");
        stream::unfold((self.0.subscribe(), Some(begin)), |(mut events, begin)| async move {
            let bytes = match begin {
                Some(begin) => begin,
                None => next(&mut events).await?,
            };
            Some((Ok(Frame::data(bytes)), (events, None)))
        })
    }
}

/// The next event, or what is said instead of it; none if there will be no more.
async fn next(events: &mut Receiver<Bytes>) -> Option<Bytes> {
    match timeout(QUIET, events.recv()).await {
        Ok(Ok(event)) => Some(event),
        Ok(Err(RecvError::Lagged(lost))) => Some(event("lost", &format!("{{\"events\":{lost}}}")).into()),
        Ok(Err(RecvError::Closed)) => None,
        Err(_) => Some(Bytes::from_static(b":\n\n")),
    }
}

fn event(name: &str, json: &str) -> String {
    format!("event: {name}\ndata: {json}\n\n")
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::StreamExt;

    use super::*;

    /// What the next frames hold.
    async fn read(frames: &mut (impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Unpin)) -> String {
        let frame = frames.next().await.expect("another one").expect("no error");
        String::from_utf8(frame.into_data().expect("data").to_vec()).expect("text")
    }

    #[tokio::test]
    async fn a_slow_reader_is_told_what_it_lost() {
        let feed = Feed::default();
        assert!(!feed.is_read());
        let mut frames = pin!(feed.frames());
        assert!(feed.is_read());
        (0..WAITING + 44).for_each(|n| feed.send("stopped", &n.to_string()));
        assert!(read(&mut frames).await.starts_with(':'));
        assert_eq!(read(&mut frames).await, "event: lost\ndata: {\"events\":44}\n\n");
        assert_eq!(read(&mut frames).await, "event: stopped\ndata: 44\n\n");
    }

    #[tokio::test]
    async fn nothing_in_an_event_makes_another_one() {
        let feed = Feed::default();
        let mut frames = pin!(feed.frames());
        feed.send("a\nevent: b", "1");
        feed.send("a", "1\n\nevent: b");
        feed.send("a", "2");
        read(&mut frames).await;
        assert_eq!(read(&mut frames).await, "event: a\ndata: 2\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_stream_is_kept_alive() {
        let feed = Feed::default();
        let mut frames = pin!(feed.frames());
        read(&mut frames).await;
        assert_eq!(read(&mut frames).await, ":\n\n");
    }
}
