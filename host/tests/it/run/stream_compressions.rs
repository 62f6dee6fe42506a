//! `loghost run --queue-type stream`: batches of each compression that producers use.

use std::collections::BTreeSet;

use libtest_mimic::Trial;
use loghost_stream::Compression;
use loghost_stream::testing::MessageBuilder;

use super::stream_protocol::declare;
use super::streams::{counted, plugin, run};
use crate::support::broker::{Broker, Kind, on};
use crate::support::dead_letters::list;
use crate::support::stream_producer::StreamProducer;

pub(crate) fn trials() -> Vec<Trial> {
    on([Kind::Stream], "stream_protocol::batches_of_each_compression_are_read", batches_of_each_compression)
}

/// How many logs a batch has: in one block of its compression, and in several.
const SIZES: [u64; 2] = [30, 4000];

/// How many a batch says to have that is not of the compression that it says.
const BAD: usize = 7;

/// Each with every log, whoever reads it; one that is compressed otherwise than it says costs no log of others.
fn batches_of_each_compression(broker: &Broker) {
    declare(broker);
    let mut producer = StreamProducer::new(broker, &broker.exchange("error"));
    let mut texts = BTreeSet::new();
    for compression in Compression::ALL {
        for size in SIZES {
            let batch: Vec<String> = (0..size).map(|n| format!("{n} of {size}, {compression}")).collect();
            let messages = batch.iter().map(|text| MessageBuilder::new().data(text.as_bytes()).encode());
            producer.publish_batch(compression, &messages.collect::<Vec<_>>());
            texts.extend(batch);
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let run = || run(broker, &plugin()).args(["--from", "first"]);
    assert_eq!(counted(run()), texts.len() as u64);
    let tail = ["tail", "--severity", "error", "--from", "first", "--until", "next", "--format", "json"];
    let logs = broker.loghost(tail).end().exits(0).json();
    let read: BTreeSet<&str> = logs.iter().filter_map(|log| log["message"].as_str()).collect();
    assert_eq!(logs.len(), texts.len());
    assert!(texts.iter().map(String::as_str).eq(read), "a log has another text than it was published with");

    let compressed = &Compression::ALL[1..];
    for compression in compressed {
        producer.publish_raw(*compression, BAD, 1000, b"neither of them");
    }
    assert_eq!(counted(run().arg("--state").arg(folder.path())), texts.len() as u64);
    let bad = list(broker, "error", &[]);
    assert_eq!(bad.len(), compressed.len(), "{bad:?}");
    for (dead_letter, compression) in bad.iter().zip(compressed) {
        let why = format!("{compression}: ");
        let costs = format!("its producer wrote {BAD} logs as a batch that cannot be read");
        let text = dead_letter.to_string();
        assert!(text.contains(&why) && text.contains(&costs), "{why} {text}");
    }
}
