//! Logs that come all the time, while something else happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::TIMEOUT;
use super::broker::Broker;
use super::cli::Running;

/// How many logs are published at once, and how often: five hundred a second.
const AT_ONCE: u64 = 20;
const EVERY: Duration = Duration::from_millis(40);

/// A producer of errors, which publishes until it is ended.
pub(crate) struct Load {
    sent: Arc<AtomicU64>,
    has_ended: Arc<AtomicBool>,
    /// None when it has been ended.
    publishing: Option<JoinHandle<Running>>,
}

impl Load {
    /// Begins to publish: `text` gives the message of each log, by its number, from 1 on.
    pub(crate) fn start(broker: &Broker, text: impl Fn(u64) -> String + Send + 'static) -> Self {
        let publish = ["publish", "--stdin", "--severity", "error", "--require-route", "--retry-for", "5m"];
        let mut producer = broker.loghost(publish).start();
        let (sent, has_ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, is_over) = (Arc::clone(&sent), Arc::clone(&has_ended));
        let publishing = thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let first = count.load(Ordering::Relaxed) + 1;
                let lines: String = (first..first + AT_ONCE).map(|n| text(n) + "\n").collect();
                producer.write(&lines);
                count.fetch_add(AT_ONCE, Ordering::Relaxed);
                // This is the pace of the load.
                thread::sleep(EVERY);
            }
            producer
        });
        Self { sent, has_ended, publishing: Some(publishing) }
    }

    /// How many logs it was given so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Waits until the broker has confirmed all of them; how many they are.
    #[track_caller]
    pub(crate) fn end(mut self) -> u64 {
        self.has_ended.store(true, Ordering::Relaxed);
        let publishing = self.publishing.take().expect("it is ended once");
        let producer = publishing.join().expect("the producer takes them");
        let sent = self.sent.load(Ordering::Relaxed);
        producer.end_within(TIMEOUT).exits(0).prints(&format!("total {sent}"));
        sent
    }
}

/// A test that fails publishes no more: the thread ends the producer.
impl Drop for Load {
    fn drop(&mut self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }
}
