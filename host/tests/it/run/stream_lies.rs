//! `loghost run --queue-type stream` where a chunk has a checksum that is right, and declares what is not so: it is refused, and read
//! again.

use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::Trial;
use serde_json::json;

use super::stream_protocol::{declare, publish};
use super::streams::{counted, plugin, run};
use crate::support::broker::{Broker, Kind, on};
use crate::support::chunks::{ChunkParts, change};
use crate::support::cli::Signal;
use crate::support::dead_letters::list;
use crate::support::frames::FrameProxy;
use crate::support::metrics::{counts, last_of};

pub(crate) fn trials() -> Vec<Trial> {
    on(
        [Kind::Stream],
        "stream_protocol::chunks_that_lie_are_never_counted",
        chunks_that_lie_are_never_counted,
    )
}

/// What becomes of a chunk of several messages.
type Lie = fn(&mut ChunkParts);

/// What is wrong then, and how it comes to be so.
const LIES: [(&str, Lie); 14] = [
    ("more entries", |chunk| chunk.entries += 1),
    ("fewer entries", |chunk| chunk.entries -= 1),
    ("no entries", |chunk| chunk.entries = 0),
    ("more records", |chunk| chunk.records += 1),
    ("fewer records", |chunk| chunk.records -= 1),
    ("as many records as can be said", |chunk| chunk.records = u32::MAX),
    ("more data than there is", |chunk| chunk.data_length += 1),
    ("as much data as can be said", |chunk| chunk.data_length = u32::MAX),
    ("less data than there is", |chunk| chunk.data_length -= 1),
    ("a message that is too long", |chunk| put_length(chunk, |length| length + 1)),
    ("a message that is as long as can be said", |chunk| put_length(chunk, |_| 0x7fff_ffff)),
    ("a message that is a batch", |chunk| put_length(chunk, |length| length | 0x8000_0000)),
    ("messages that are said to be the broker's own", |chunk| chunk.kind = 1),
    ("a message that is left out, and not declared", |chunk| {
        let last = chunk.messages().pop().expect("several");
        chunk.data.truncate(last.start);
        chunk.data_length = u32::try_from(last.start).expect("a length");
        (chunk.entries, chunk.records) = (chunk.entries - 1, chunk.records - 1);
    }),
];

/// Gives the last message another length.
fn put_length(chunk: &mut ChunkParts, other: fn(u32) -> u32) {
    let last = chunk.messages().pop().expect("several");
    let length = u32::try_from(last.len() - 4).expect("a length");
    chunk.data[last.start..last.start + 4].copy_from_slice(&other(length).to_be_bytes());
}

/// How many logs are published at once: the broker writes them as one chunk, or as a few.
const LOGS: usize = 40;

/// Each lie is told once, of a chunk that comes after others.
fn chunks_that_lie_are_never_counted(broker: &Broker) {
    declare(broker);
    let due: Arc<Mutex<Option<(String, Lie)>>> = Arc::default();
    let next = Arc::clone(&due);
    let proxy = FrameProxy::new(broker.stream_port().expect("the stream protocol"), move |frame| {
        let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
        let has_both = |mark: &[u8]| frame.windows(mark.len()).filter(|part| *part == mark).count() > 1;
        if let Some((_, lie)) = next.take_if(|(mark, _)| has_both(mark.as_bytes())) {
            change(frame, lie);
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let run = || run(broker, &plugin()).arg("--state").arg(folder.path());
    let host = run().args(["--stream-address", proxy.address()]).start();
    host.says("consuming from");
    let outside = broker.outside();
    publish(&outside, broker, LOGS, "the truth");
    let mut logs = LOGS as u64;
    counts(&host, "error", [logs, 0]);
    for (number, (what, lie)) in LIES.into_iter().enumerate() {
        let mark = format!("<lie {number}>");
        *due.lock().unwrap_or_else(PoisonError::into_inner) = Some((mark.clone(), lie));
        publish(&outside, broker, LOGS, &mark);
        // Where it begins tells that something was left out before.
        publish(&outside, broker, 1, "what comes next");
        logs += LOGS as u64 + 1;
        counts(&host, "error", [logs, 0]);
        assert!(due.lock().unwrap_or_else(PoisonError::into_inner).is_none(), "{what}: it was not told");
        host.has_said(|said| said.matches("came damaged from").count() == number + 1);
    }
    let output = host.end_by(Signal::Terminate).exits(0).does_not_say("were removed");
    let metric = last_of(&output.stdout, "error");
    assert_eq!((&metric["repeated"], &metric["foreign"]), (&json!(0), &json!(0)), "{output}");
    assert!(list(broker, "error", &[]).is_empty());
    assert_eq!(counted(run()), logs);
}
