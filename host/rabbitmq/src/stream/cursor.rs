//! Where a reader is in a stream, and the positions of what it delivers.
//!
//! A position is one more than the offset: 0 stands before the first log, so that a book can note that its consumer begins
//! there, before there is any log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use loghost_core::domain::{Fingerprint, Position, StreamIdentity, StreamPosition};
use tokio::time::{sleep, timeout};

/// Where a reader is in a stream.
#[derive(Debug)]
pub(crate) struct Cursor {
    /// The stream, as far as it is recognised by what was read last.
    stream: Arc<StreamIdentity>,
    /// The first offset that no delivery covers.
    uncovered: u64,
    /// The first offset that was not read.
    next: Arc<AtomicU64>,
}

/// The name of a stream, and the first offset that was not read.
pub(crate) type Watched = (Arc<str>, Arc<AtomicU64>);

/// The time between two looks how far a stream was read.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long it is waited for that the last log is read: more may come all the time.
const READ_WITHIN: Duration = Duration::from_secs(1);

/// Whether a stream is read up to this offset, soon.
pub(crate) async fn is_read_through(next: &AtomicU64, last: u64) -> bool {
    let reading = async {
        while next.load(Ordering::Relaxed) <= last {
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(READ_WITHIN, reading).await.is_ok()
}

/// The position of a consumer that begins at the offset `next`: all that is before it is behind the consumer.
pub(crate) fn beginning(name: Arc<str>, next: u64, fingerprint: Option<Fingerprint>) -> StreamPosition {
    StreamPosition { stream: Arc::new(StreamIdentity { name, fingerprint }), first: 0, offset: next }
}

impl Cursor {
    /// One at the offset `next`.
    pub(crate) fn new(name: Arc<str>, next: u64) -> Self {
        let stream = Arc::new(StreamIdentity { name, fingerprint: None });
        Self { stream, uncovered: next, next: Arc::new(AtomicU64::new(next)) }
    }

    /// Notes what the stream is recognised by, of what is read next.
    pub(crate) fn recognise(&mut self, fingerprint: Option<Fingerprint>) {
        self.stream = Arc::new(StreamIdentity { name: Arc::clone(&self.stream.name), fingerprint });
    }

    /// The name of the stream.
    pub(crate) fn stream(&self) -> &Arc<str> {
        &self.stream.name
    }

    /// The first offset that was not read.
    pub(crate) fn next(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// The first offset that no position covers.
    pub(crate) fn uncovered(&self) -> u64 {
        self.uncovered
    }

    /// The first offset that was not read, for whoever asks later.
    pub(crate) fn watch(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.next)
    }

    /// Notes that the log at `offset`, which was not read before, is of no interest.
    pub(crate) fn skip(&mut self, offset: u64) {
        self.next.store(offset.saturating_add(1), Ordering::Relaxed);
    }

    /// The position of the log at `offset`, which was not read before: it covers what was skipped before it.
    pub(crate) fn deliver(&mut self, offset: u64) -> Position {
        self.skip(offset);
        self.cover()
    }

    /// How many offsets were skipped that no position covers.
    pub(crate) fn skipped(&self) -> u64 {
        self.next() - self.uncovered
    }

    /// The position of what was skipped, where no delivery covers it.
    pub(crate) fn passed(&mut self) -> Option<Position> {
        (self.skipped() > 0).then(|| self.cover())
    }

    /// The position of all that was read and is not covered.
    fn cover(&mut self) -> Position {
        let next = self.next();
        let first = self.uncovered.saturating_add(1);
        self.uncovered = next;
        Position::Durable(StreamPosition { stream: Arc::clone(&self.stream), first, offset: next })
    }
}

#[cfg(test)]
mod tests {
    use loghost_core::application::NextOffset;
    use loghost_core::domain::Book;

    use super::*;

    /// The offset at which a book that has these positions goes on.
    fn goes_on(book: &mut Book, positions: impl IntoIterator<Item = Position>) -> u64 {
        for position in positions {
            let position = position.durable().unwrap();
            assert!(book.look_up_position(position), "{position:?} is new");
            book.finish_position(position);
        }
        let next = book.next_offsets().next().map(|(stream, offset, fingerprint)| NextOffset {
            stream: Arc::clone(stream),
            offset,
            fingerprint,
        });
        next.expect("a stream").of_log()
    }

    /// A book of a consumer that begins there.
    fn book(begin: u64) -> Book {
        let mut book = Book::default();
        book.finish_position(&beginning(Arc::from("s"), begin, None));
        book
    }

    #[test]
    fn a_book_notes_where_its_consumer_begins() {
        for begin in [0, 1, 700] {
            assert_eq!(goes_on(&mut book(begin), []), begin);
            assert_eq!(Cursor::new(Arc::from("s"), begin).passed(), None);
        }
        // Somebody else has read on since.
        let mut book = book(3);
        let mut cursor = Cursor::new(Arc::from("s"), 9);
        assert_eq!(goes_on(&mut book, [cursor.deliver(9)]), 3);
        book.finish_position(&beginning(Arc::from("s"), 9, None));
        assert_eq!(goes_on(&mut book, []), 10);
    }

    #[test]
    fn a_book_has_what_a_stream_is_recognised_by() {
        let fingerprint = |offset| Some(Fingerprint { offset, kind: 1, value: offset * 100 });
        let (mut book, mut cursor) = (book(0), Cursor::new(Arc::from("s"), 0));
        let mut recognised = |cursor: &mut Cursor, offset| {
            goes_on(&mut book, [cursor.deliver(offset)]);
            let change = book.changes().streams.pop().expect("a change");
            let (_, _, known) = book.next_offsets().next().expect("a stream");
            (known, change.fingerprint)
        };
        assert_eq!(recognised(&mut cursor, 0), (None, None));
        cursor.recognise(fingerprint(1));
        assert_eq!(recognised(&mut cursor, 1), (fingerprint(1), fingerprint(1)));
        assert_eq!(recognised(&mut cursor, 2), (fingerprint(1), None));
        cursor.recognise(fingerprint(3));
        assert_eq!(recognised(&mut cursor, 4), (fingerprint(3), fingerprint(3)));
    }

    #[test]
    fn a_delivery_covers_what_was_skipped_before_it() {
        let mut cursor = Cursor::new(Arc::from("s"), 5);
        cursor.skip(9);
        let first = cursor.deliver(12);
        let second = cursor.deliver(13);
        let mut book = book(5);
        assert_eq!(goes_on(&mut book, [first]), 13);
        assert_eq!(goes_on(&mut book, [second]), 14);
        cursor.skip(20);
        assert_eq!((cursor.skipped(), cursor.next()), (7, 21));
        assert_eq!(goes_on(&mut book, cursor.passed()), 21);
    }

    #[test]
    fn what_is_open_is_where_reading_goes_on() {
        let (mut cursor, mut book) = (Cursor::new(Arc::from("s"), 0), book(0));
        let _open = cursor.deliver(0);
        let finished = cursor.deliver(3);
        assert_eq!(goes_on(&mut book, [finished.clone()]), 0);
        assert!(!book.look_up_position(finished.durable().unwrap()));
    }
}
