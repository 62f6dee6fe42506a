//! `loghost run --queue-type stream`: chunks that the broker sends ahead of what is finished.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use lapin::BasicProperties;
use libtest_mimic::Trial;

use super::stream_protocol::declare;
use super::streams::run;
use crate::support::broker::{Broker, Kind, on};
use crate::support::chunks::first_offset;
use crate::support::cli::Signal;
use crate::support::frames::FrameProxy;
use crate::support::guest::{Then, guest};
use crate::support::metrics::{errors, last_of};

pub(crate) fn trials() -> Vec<Trial> {
    on([Kind::Stream], "stream_protocol::chunks_are_sent_ahead", chunks_are_sent_ahead)
}

/// How many chunks are to be on their way while the host does nothing. RabbitMQ makes use of half of the credit while chunks come
/// one by one.
const AHEAD: usize = 5;

/// How many chunks there are: far more than the broker sends to a host that gives no credit back.
const CHUNKS: u64 = 60;

/// First to a host that is suspended, and then to one that has finished none of the logs.
fn chunks_are_sent_ahead(broker: &Broker) {
    declare(broker);
    let sent = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = Arc::clone(&sent);
    let proxy = FrameProxy::new(broker.stream_port().expect("the stream protocol"), move |frame| {
        seen.lock().unwrap_or_else(PoisonError::into_inner).extend(first_offset(frame));
    });
    let chunks = || sent.lock().unwrap_or_else(PoisonError::into_inner).len();
    let folder = tempfile::tempdir().expect("a folder");
    let later = Then::Retry("not yet".to_owned());
    let patient = guest("error").severities(&["error"]).on("log", later).write(folder.path());
    let host = run(broker, &patient).args(["--stream-address", proxy.address()]).start();
    host.says("consuming from");
    host.signal(Signal::Stop);
    let (outside, exchange) = (broker.outside(), broker.exchange("error"));
    // One that is confirmed before the next is published is a chunk.
    for _ in 0..CHUNKS {
        outside.publish(&exchange, "web", b"log", BasicProperties::default());
    }
    outside.wait_until(|| chunks() >= AHEAD);
    host.signal(Signal::Continue);
    outside.wait_until(|| chunks() as u64 == CHUNKS);
    let output = host.end_by(Signal::Terminate).exits(0);
    assert_eq!(errors(&last_of(&output.stdout, "error")), [0, 0], "{output}");
}
