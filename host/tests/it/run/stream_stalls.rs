//! Brokers that stop sending a stream that has more, and that note late what retention has removed: RabbitMQ does both where
//! segments are removed while they are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use lapin::BasicProperties;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::stream_retention::{PUBLISHED, read_and_cut_off};
use super::streams::{counted, plugin, publish, run};
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::Signal;
use crate::support::frames::FrameProxy;
use crate::support::metrics::{counts, errors, last_of};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on(
        [Kind::Stream],
        "streams::that_are_not_sent_any_more_are_subscribed_to_again",
        that_are_not_sent_any_more,
    );
    trials.extend(on(
        [Kind::Stream],
        "streams::what_was_removed_is_said_where_the_broker_notes_it_late",
        what_was_removed_is_said_where_it_is_noted_late,
    ));
    trials
}

/// Keys of the stream protocol, behind the length of a frame: a chunk, and the answers to a subscription and to a question for
/// the figures of a stream.
const DELIVER: [u8; 2] = [0, 8];
const SUBSCRIBED: [u8; 2] = [0x80, 7];
const STATISTICS: [u8; 2] = [0x80, 28];

/// What the first log contains that is not sent.
const MARK: &str = "not-sent";

/// From a chunk on, a proxy lets nothing through that a subscription delivers, until there is another subscription. Takes as long as the
/// silence that is waited for.
fn that_are_not_sent_any_more(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let (outside, stream) = (broker.outside(), broker.exchange("error"));
    let (stalled, has_stalled) = (AtomicBool::new(false), AtomicBool::new(false));
    let proxy = FrameProxy::new(broker.stream_port().expect("the stream protocol"), move |frame| {
        let key = [frame[4], frame[5]];
        let is_marked = || frame.windows(MARK.len()).any(|part| part == MARK.as_bytes());
        if key == SUBSCRIBED {
            stalled.store(false, Ordering::Relaxed);
        } else if key == DELIVER && is_marked() && !has_stalled.swap(true, Ordering::Relaxed) {
            stalled.store(true, Ordering::Relaxed);
        }
        if key == DELIVER && stalled.load(Ordering::Relaxed) {
            frame.clear();
        }
    });
    let host = run(broker, &plugin()).args(["--log-format", "json", "--stream-address", proxy.address()]);
    let host = host.arg("--state").arg(folder.path()).start();
    host.says("consuming from");
    publish(&outside, broker, 3);
    counts(&host, "error", [3, 0]);
    outside.publish(&stream, "web", MARK.as_bytes(), BasicProperties::default());
    publish(&outside, broker, 5);
    counts(&host, "error", [9, 0]);
    let output = host.end_by(Signal::Terminate).exits(0).does_not_say("reopening");
    let events = output.stderr.lines().map(|line| serde_json::from_str::<Value>(line).expect("an object"));
    let stalls: Vec<Value> = events.filter(|event| event["event"] == "stream_stalled").collect();
    assert_eq!(stalls.len(), 1, "{output}");
    let told = (&stalls[0]["stream"], &stalls[0]["offset"], &stalls[0]["consumer"]);
    assert_eq!(told, (&json!(stream), &json!(3), &json!("error")), "{output}");
    assert_eq!(counted(run(broker, &plugin()).arg("--state").arg(folder.path())), 9);
}

/// How often the broker says that a stream still has its first offset after it has sent something of it.
const LATE: u64 = 3;

fn what_was_removed_is_said_where_it_is_noted_late(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    read_and_cut_off(broker, folder.path());
    let run = || run(broker, &plugin()).arg("--state").arg(folder.path());
    let (asked, name) = (Arc::new(AtomicU64::new(0)), b"first_chunk_id");
    let (count, was_chunk, is_read) = (Arc::clone(&asked), AtomicBool::new(false), AtomicBool::new(false));
    let proxy = FrameProxy::new(broker.stream_port().expect("the stream protocol"), move |frame| {
        // Of what is only looked at, one chunk comes.
        let is_chunk = frame[4..].starts_with(&DELIVER);
        if was_chunk.swap(is_chunk, Ordering::Relaxed) && is_chunk {
            is_read.store(true, Ordering::Relaxed);
        }
        let at = frame.windows(name.len()).position(|part| part == name);
        if let Some(at) = at.filter(|_| frame[4..].starts_with(&STATISTICS))
            && count.fetch_add(is_read.load(Ordering::Relaxed).into(), Ordering::Relaxed) < LATE
        {
            frame[at + name.len()..][..8].fill(0);
        }
    });
    let output = run().args(["--stream-address", proxy.address(), "--until-idle", "500ms"]).end().exits(0);
    assert!(asked.load(Ordering::Relaxed) > LATE, "{asked:?}");
    let output = output.says("were removed before they were read").says("from 3 to");
    let metric = last_of(&output.stdout, "error");
    // Each log is counted, or was removed, with offsets that were no logs.
    let counted = errors(&metric)[0];
    assert!(counted + metric["removed"].as_u64().unwrap_or(0) >= PUBLISHED, "{output}");
    assert!(counted <= PUBLISHED && metric["repeated"] == 0, "{output}");
}
