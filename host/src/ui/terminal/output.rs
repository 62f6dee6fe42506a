//! Standard output and standard error, each written by a thread of its own: whoever reads slowly, or not at all, holds up
//! nobody who writes.
//!
//! A result is waited for. A metric gives way to a newer one of its consumer. A line to the operator is left out when
//! there are too many, and counted. That whoever read has gone, as `head` or a closed terminal, is no failure of the work: what is written
//! from then on is dropped.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use loghost_system as system;
use tokio::sync::Notify;

use super::stream::{Form, Stream};

/// The most bytes of lines that wait to be written.
const MOST_BYTES: usize = 1024 * 1024;

/// The most lines that wait while nothing is written: those that were said last.
const MOST_QUEUED: usize = 100;

/// One of the two streams.
pub(super) struct Output {
    stream: Stream,
    queue: Mutex<Queue>,
    /// Something waits, was written, or cannot be.
    changed: Condvar,
    /// The same, for tasks.
    told: Notify,
}

struct Queue {
    waiting: VecDeque<QueuedText>,
    bytes: usize,
    /// How many lines were left out since one was taken.
    left_out: u64,
    taken: u64,
    written: u64,
    is_begun: bool,
    /// Whether nothing is written for now.
    is_paused: bool,
    /// Why nothing can be written any more.
    failure: Option<WriteFailure>,
}

/// A text, and what it tells of: a later one takes its place as long as it waits.
struct QueuedText {
    about: Option<String>,
    text: String,
    form: Form,
}

/// An error that is told to everybody who writes.
#[derive(Clone, Copy, Debug)]
enum WriteFailure {
    /// Whoever read has gone.
    Unread,
    Os(i32),
    Kind(io::ErrorKind),
}

/// Who is at the other end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Somebody may read.
    There,
    /// Nobody reads any more: the pipe or the terminal is closed.
    Gone,
}

/// What is printed.
pub(super) static OUT: Output = Output::new(Stream::Out);
/// What is said beside it.
pub(super) static ERR: Output = Output::new(Stream::Err);

impl Output {
    const fn new(stream: Stream) -> Self {
        let queue = Queue {
            waiting: VecDeque::new(),
            bytes: 0,
            left_out: 0,
            taken: 0,
            written: 0,
            is_begun: false,
            is_paused: false,
            failure: None,
        };
        Self { stream, queue: Mutex::new(queue), changed: Condvar::new(), told: Notify::const_new() }
    }

    /// Has a text written, and waits until it is, or nobody reads it.
    pub(super) fn print(&'static self, text: String, form: Form) -> io::Result<Reader> {
        let mut queue = self.lock();
        let Some(number) = self.push(&mut queue, QueuedText { about: None, text, form })? else {
            return Ok(Reader::Gone);
        };
        while queue.written < number {
            if queue.reader()? == Reader::Gone {
                return Ok(Reader::Gone);
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(Reader::There)
    }

    /// Has a text written, unless a later one `about` the same comes before that. Fails if an earlier one could not be.
    pub(super) fn show(&'static self, about: &str, text: String) -> io::Result<()> {
        let mut queue = self.lock();
        let bytes = text.len();
        if let Some(entry) = queue.waiting.iter_mut().find(|entry| entry.about.as_deref() == Some(about)) {
            let before = std::mem::replace(&mut entry.text, text).len();
            queue.bytes = queue.bytes - before + bytes;
        } else {
            let about = Some(about.to_owned());
            self.push(&mut queue, QueuedText { about, text, form: Form::Styled })?;
        }
        Ok(())
    }

    /// Has a text written, unless too much waits already.
    pub(super) fn say(&'static self, text: String) {
        let mut queue = self.lock();
        if queue.is_paused && queue.waiting.len() >= MOST_QUEUED {
            queue.leave_out_oldest();
        }
        if queue.bytes + text.len() > MOST_BYTES {
            queue.left_out += 1;
            return;
        }
        // There is nobody left to tell.
        let _ = self.push(&mut queue, QueuedText { about: None, text, form: Form::Styled });
    }

    /// Writes nothing from now on, until it is [released](Self::release).
    pub(super) fn hold(&self) {
        self.lock().is_paused = true;
    }

    /// Writes what has waited, and goes on.
    pub(super) fn release(&self) {
        self.lock().is_paused = false;
        self.changed.notify_all();
    }

    /// Waits until all is written that was to be, or cannot be, and for no longer than `timeout`; whether it is.
    pub(super) fn finish(&self, timeout: Duration) -> bool {
        let until = Instant::now() + timeout;
        let mut queue = self.lock();
        loop {
            if queue.is_done() {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner);
            queue = waited.0;
        }
    }

    /// Is ready when all is written that was to be, or cannot be.
    pub(super) async fn finished(&self) {
        self.until(Queue::is_done).await;
    }

    /// Is ready when nothing can be written any more; an error unless whoever read has gone.
    pub(super) async fn closed(&self) -> io::Result<()> {
        self.until(|queue| queue.failure.is_some()).await;
        self.lock().reader().map(drop)
    }

    async fn until(&self, is_it: fn(&Queue) -> bool) {
        loop {
            let told = self.told.notified();
            if is_it(&self.lock()) {
                return;
            }
            told.await;
        }
    }

    /// Takes an entry; returns its number, unless nobody reads it.
    fn push(&'static self, queue: &mut Queue, entry: QueuedText) -> io::Result<Option<u64>> {
        if queue.reader()? == Reader::Gone {
            return Ok(None);
        }
        if !queue.is_begun {
            if system::spawn("output", || self.write_all()).is_err() {
                return self.write_here(queue, &entry);
            }
            queue.is_begun = true;
        }
        queue.taken += 1;
        queue.bytes += entry.text.len();
        queue.waiting.push_back(entry);
        self.changed.notify_all();
        Ok(Some(queue.taken))
    }

    /// Writes an entry where there is no thread to do so.
    fn write_here(&self, queue: &mut Queue, entry: &QueuedText) -> io::Result<Option<u64>> {
        queue.taken += 1;
        match self.stream.write(&entry.text, entry.form, 0) {
            Ok(()) => queue.written += 1,
            Err(error) => queue.failure = Some(self.failure(&error)),
        }
        Ok((queue.reader()? == Reader::There).then_some(queue.taken))
    }

    /// Writes what waits, until nothing can be written.
    fn write_all(&self) {
        let mut queue = self.lock();
        loop {
            let entry = if queue.is_paused { None } else { queue.waiting.pop_front() };
            let Some(QueuedText { text, form, .. }) = entry else {
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            queue.bytes -= text.len();
            let left_out = std::mem::take(&mut queue.left_out);
            drop(queue);
            let written = self.stream.write(&text, form, left_out);
            queue = self.lock();
            match written {
                Ok(()) => queue.written += 1,
                Err(error) => {
                    queue.failure = Some(self.failure(&error));
                    queue.waiting.clear();
                }
            }
            self.changed.notify_all();
            self.told.notify_waiters();
            if queue.failure.is_some() {
                return;
            }
        }
    }

    /// What an error at writing means: that a terminal was closed is no failure.
    fn failure(&self, error: &io::Error) -> WriteFailure {
        if self.stream.is_hung_up() { WriteFailure::Unread } else { WriteFailure::from(error) }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Who reads; an error if nothing can be written for another reason than that nobody does.
    fn reader(&self) -> io::Result<Reader> {
        match self.failure {
            None => Ok(Reader::There),
            Some(WriteFailure::Unread) => Ok(Reader::Gone),
            Some(WriteFailure::Os(code)) => Err(io::Error::from_raw_os_error(code)),
            Some(WriteFailure::Kind(kind)) => Err(kind.into()),
        }
    }

    /// Makes room for a newer one.
    fn leave_out_oldest(&mut self) {
        if let Some(oldest) = self.waiting.pop_front() {
            self.bytes -= oldest.text.len();
            self.left_out += 1;
            // Nobody waits for a line.
            self.written += 1;
        }
    }

    fn is_done(&self) -> bool {
        self.failure.is_some() || self.written == self.taken
    }
}

impl From<&io::Error> for WriteFailure {
    fn from(error: &io::Error) -> Self {
        match (error.kind(), error.raw_os_error()) {
            (io::ErrorKind::BrokenPipe, _) => Self::Unread,
            (_, Some(code)) => Self::Os(code),
            (kind, None) => Self::Kind(kind),
        }
    }
}
