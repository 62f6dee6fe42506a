//! From bytes to records: the frame filter, the client's parser, and what is made of a message.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use amq_protocol::frame::parsing::parse_frame;
use amq_protocol::frame::{AMQPFrame, gen_frame};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use futures_io::AsyncRead as _;
use lapin::message::Delivery;
use loghost_core::domain::{Log, MessageId, Timestamp, TracesRead};
use loghost_core::testing::logs;
use loghost_rabbitmq::{
    BindRules, Decode, Decoding, FrameFilter, Names, Prefix, SkipBodies, found_logs, properties, record,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A log as a message, with the properties that `publish` gives it.
fn message(id: &MessageId, timestamp: Timestamp, log: &Log) -> Delivery {
    let source = log.source.as_ref().map_or("", |source| source.as_str());
    let exchange = Names::new(Prefix::default()).exchange(log.severity).into();
    let mut message = Delivery::mock(1, exchange, source.into(), false, log.message.clone().into_bytes());
    message.properties = properties(id, timestamp, log);
    message
}

/// Lets `bytes`, which are whole frames, through the filter between socket and client; how many came out.
fn sift(bytes: &[u8], into: &mut [u8]) -> usize {
    let mut frame_filter = FrameFilter::new(bytes, SkipBodies::default());
    let mut context = Context::from_waker(Waker::noop());
    let mut sifted = 0;
    while let Poll::Ready(Ok(read @ 1..)) = Pin::new(&mut frame_filter).poll_read(&mut context, into) {
        sifted += read;
    }
    sifted
}

/// The frames of so many deliveries, as they come from a broker.
fn frames(deliveries: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for tag in 1..=deliveries {
        let message = message(&logs::id(tag), Timestamp::default(), &logs::log());
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
fn frame_filter(bencher: Bencher<'_, '_>, batch: usize) {
    let frames = frames(batch as u64);
    let mut into = vec![0; 256 * 1024];
    bencher
        .counter(ItemsCount::new(batch))
        .counter(BytesCount::new(frames.len()))
        .bench_local(|| sift(black_box(&frames), &mut into));
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
fn records(bencher: Bencher<'_, '_>, batch: usize) {
    let messages: Vec<_> =
        (1..=batch as u64).map(|n| message(&logs::id(n), Timestamp::default(), &logs::log())).collect();
    let (names, decode) = (
        Names::new(Prefix::default()),
        Decode { message: true, attributes: false, traces: TracesRead::None },
    );
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        for message in black_box(&messages) {
            black_box(record(message, &names, Timestamp::default(), decode));
        }
    });
}

/// What a consumer reads of a log that only counts.
const COUNTS: Decode = Decode { message: false, attributes: false, traces: TracesRead::None };

/// Beside [`found_for_counts`]: the same logs, through loghost's own exchanges.
#[divan::bench(args = logs::BATCHES)]
fn records_for_counts(bencher: Bencher<'_, '_>, batch: usize) {
    let messages: Vec<_> =
        (1..=batch as u64).map(|n| message(&logs::id(n), Timestamp::default(), &logs::log())).collect();
    let names = Names::new(Prefix::default());
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        for message in black_box(&messages) {
            black_box(record(message, &names, Timestamp::default(), COUNTS));
        }
    });
}

/// By a rule that says the severity; the source is in the routing key, as that of Python's `logging` is.
#[divan::bench(args = logs::BATCHES)]
fn found_for_counts(bencher: Bencher<'_, '_>, batch: usize) {
    let rules = BindRules::new(vec!["app/*.error=error".parse().expect("a rule")], &Decoding::default());
    let of_others = |n| {
        let log = Log { source: None, ..logs::log() };
        let message = message(&logs::id(n), Timestamp::default(), &log);
        Delivery { exchange: "app".into(), routing_key: "web.error".into(), ..message }
    };
    let messages: Vec<_> = (1..=batch as u64).map(of_others).collect();
    let names = Names::new(Prefix::default());
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        for message in black_box(&messages) {
            black_box(record(message, &names, Timestamp::default(), COUNTS));
            black_box(found_logs(message, &rules, Timestamp::default(), COUNTS));
        }
    });
}

fn main() {
    divan::main();
}
