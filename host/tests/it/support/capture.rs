//! The output of a process, captured while it runs.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::TIMEOUT;

/// What was read from a pipe so far, as lossy text.
#[derive(Clone)]
pub(super) struct Captured(Arc<(Mutex<Lines>, Condvar)>);

#[derive(Default)]
struct Lines {
    text: String,
    ended: bool,
}

impl Captured {
    pub(super) fn reading(pipe: impl Read + Send + 'static) -> Self {
        let captured = Self(Arc::default());
        let mut pipe = BufReader::new(pipe);
        let writer = captured.clone();
        thread::spawn(move || {
            let mut line = Vec::new();
            loop {
                line.clear();
                let read = pipe.read_until(b'\n', &mut line);
                let mut lines = writer.lock();
                match read {
                    Ok(1..) => lines.text.push_str(&String::from_utf8_lossy(&line)),
                    _ => lines.ended = true,
                }
                writer.0.1.notify_all();
                if lines.ended {
                    return;
                }
            }
        });
        captured
    }

    /// For a pipe that is not read.
    pub(super) fn nothing() -> Self {
        let captured = Self(Arc::default());
        captured.lock().ended = true;
        captured
    }

    /// Waits for the first line for which `is_it` holds; none at the end of the output, or after [`TIMEOUT`].
    pub(super) fn wait(&self, is_it: impl Fn(&str) -> bool) -> Option<String> {
        let deadline = Instant::now() + TIMEOUT;
        let mut lines = self.lock();
        let mut seen = 0;
        loop {
            for line in lines.text[seen..].lines() {
                if is_it(line) {
                    return Some(line.to_owned());
                }
            }
            seen = lines.text.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if lines.ended || left.is_zero() {
                return None;
            }
            lines = self.0.1.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until `is_it` holds for all complete lines; false after `timeout`.
    pub(super) fn wait_for_all(&self, timeout: Duration, is_it: impl Fn(&str) -> bool) -> bool {
        let deadline = Instant::now() + timeout;
        let mut lines = self.lock();
        loop {
            if is_it(&lines.text) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if lines.ended || left.is_zero() {
                return false;
            }
            lines = self.0.1.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn text(&self) -> String {
        self.lock().text.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
