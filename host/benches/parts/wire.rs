//! From bytes to records: the sieve, the client's parser, and what is made of a message.

use amq_protocol::frame::parsing::parse_frame;
use amq_protocol::frame::{AMQPFrame, gen_frame};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use loghost::parts;
use loghost_core::domain::Timestamp;

use super::logs;

/// The frames of so many deliveries, as they come from a broker.
fn frames(deliveries: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for tag in 1..=deliveries {
        let message = parts::message(&logs::id(tag), Timestamp::default(), &logs::log());
        let deliver = amq_protocol::protocol::basic::Deliver {
            consumer_tag: "amq.ctag-0123456789abcdef".into(),
            delivery_tag: tag,
            redelivered: false,
            exchange: message.exchange.clone(),
            routing_key: message.routing_key.clone(),
        };
        let method = amq_protocol::protocol::basic::AMQPMethod::Deliver(deliver);
        let header = amq_protocol::frame::AMQPContentHeader {
            class_id: 60,
            body_size: message.data.len() as u64,
            properties: message.properties.clone(),
        };
        for frame in [
            AMQPFrame::Method(1, amq_protocol::protocol::AMQPClass::Basic(method)),
            AMQPFrame::Header(1, header),
            AMQPFrame::Body(1, message.data.clone()),
        ] {
            let written = gen_frame(&frame)(Vec::new().into()).expect("a frame");
            bytes.extend(written.into_inner().0);
        }
    }
    bytes
}

#[divan::bench(args = logs::BATCHES)]
fn sieve(bencher: Bencher<'_, '_>, batch: usize) {
    let frames = frames(batch as u64);
    let mut into = vec![0; 256 * 1024];
    bencher
        .counter(ItemsCount::new(batch))
        .counter(BytesCount::new(frames.len()))
        .bench_local(|| parts::sift(black_box(&frames), &mut into));
}

#[divan::bench(args = logs::BATCHES)]
fn parser(bencher: Bencher<'_, '_>, batch: usize) {
    let frames = frames(batch as u64);
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        let mut rest: &[u8] = black_box(&frames);
        while !rest.is_empty() {
            let (next, frame) = parse_frame(rest).expect("a frame");
            black_box(frame);
            rest = next;
        }
    });
}

#[divan::bench(args = logs::BATCHES)]
fn record(bencher: Bencher<'_, '_>, batch: usize) {
    let messages: Vec<_> = (1..=batch as u64)
        .map(|n| parts::message(&logs::id(n), Timestamp::default(), &logs::log()))
        .collect();
    let reader = parts::Reader::default();
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        for message in black_box(&messages) {
            black_box(reader.record(message));
        }
    });
}
