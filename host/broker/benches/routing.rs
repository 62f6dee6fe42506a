//! The embedded broker alone: accepting a message, routing it to a number of queues, and confirming it. The client
//! sends frames that were encoded before.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, gen_frame};
use amq_protocol::protocol::basic::AMQPProperties as BasicProperties;
use amq_protocol::protocol::{AMQPClass, basic, channel, confirm, connection, exchange, queue};
use divan::Bencher;
use divan::counter::ItemsCount;
use loghost_broker::{Broker, Options};
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What each message holds.
const BODY: &[u8] = &[b'.'; 120];

/// How many are published before their confirms are waited for.
const WINDOW: u64 = 1000;

/// A connection with one channel.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn connect(broker: &Broker) -> Self {
        let address = broker.local_addr();
        let stream = BufReader::with_capacity(1 << 16, TcpStream::connect(address).expect("a broker"));
        let mut client = Self { stream };
        client.write(b"AMQP\0\0\x09\x01");
        client.skip_to(10, 10);
        let start = connection::StartOk {
            client_properties: amq_protocol::types::FieldTable::default(),
            mechanism: "PLAIN".into(),
            response: "\0guest\0guest".into(),
            locale: "en_US".into(),
        };
        client.send(0, AMQPClass::Connection(connection::AMQPMethod::StartOk(start)));
        client.skip_to(10, 30);
        let tune = connection::TuneOk { channel_max: 1, frame_max: 128 * 1024, heartbeat: 0 };
        client.send(0, AMQPClass::Connection(connection::AMQPMethod::TuneOk(tune)));
        let open = connection::Open { virtual_host: "/".into() };
        client.send(0, AMQPClass::Connection(connection::AMQPMethod::Open(open)));
        client.skip_to(10, 41);
        client.send(1, AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})));
        client.skip_to(20, 11);
        client
    }

    fn write(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("a connection");
    }

    fn send(&mut self, channel: u16, method: AMQPClass) {
        let bytes = bytes(&AMQPFrame::Method(channel, method));
        self.write(&bytes);
    }

    /// The next method: its class, its number and what comes behind them.
    fn method(&mut self) -> (u16, u16, Vec<u8>) {
        let mut head = [0; 7];
        self.stream.read_exact(&mut head).expect("a frame");
        let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
        let mut payload = vec![0; size + 1];
        self.stream.read_exact(&mut payload).expect("a frame");
        let short = |at: usize| u16::from_be_bytes([payload[at], payload[at + 1]]);
        (short(0), short(2), payload.split_off(4))
    }

    fn skip_to(&mut self, class: u16, method: u16) {
        loop {
            let (c, m, _) = self.method();
            if (c, m) == (class, method) {
                return;
            }
        }
    }

    /// Waits until everything through `tag` is confirmed.
    fn confirmed(&mut self, tag: u64) {
        loop {
            let (class, method, arguments) = self.method();
            assert_eq!((class, method), (60, 80), "basic.ack");
            let upto = u64::from_be_bytes(arguments[..8].try_into().expect("a delivery tag"));
            if upto >= tag {
                return;
            }
        }
    }
}

fn bytes(frame: &AMQPFrame) -> Vec<u8> {
    gen_frame(frame)(Vec::new().into()).expect("a frame").into_inner().0
}

/// A window of messages to the exchange `bench`.
fn window() -> Vec<u8> {
    let mut all = Vec::new();
    for n in 1..=WINDOW {
        let properties = BasicProperties::default()
            .with_message_id(format!("bench/{n}").into())
            .with_timestamp(1_790_000_000)
            .with_delivery_mode(2);
        let publish = basic::Publish {
            exchange: "bench".into(),
            routing_key: "web".into(),
            mandatory: true,
            immediate: false,
        };
        let header = AMQPContentHeader { class_id: 60, body_size: BODY.len() as u64, properties };
        all.extend(bytes(&AMQPFrame::Method(1, AMQPClass::Basic(basic::AMQPMethod::Publish(publish)))));
        all.extend(bytes(&AMQPFrame::Header(1, header)));
        all.extend(bytes(&AMQPFrame::Body(1, BODY.to_vec())));
    }
    all
}

#[divan::bench(args = [1, 4, 64], sample_count = 20, sample_size = 1)]
fn publish(bencher: Bencher<'_, '_>, queues: usize) {
    let runtime = Runtime::new().expect("a runtime");
    let options = Options { memory_high_watermark: usize::MAX, ..Options::default() };
    let listen = ([127, 0, 0, 1], 0).into();
    let broker = runtime.block_on(Broker::bind(listen, options)).expect("a broker");
    let mut client = Client::connect(&broker);
    let declare = exchange::Declare {
        exchange: "bench".into(),
        kind: "topic".into(),
        passive: false,
        durable: true,
        auto_delete: false,
        internal: false,
        nowait: false,
        arguments: amq_protocol::types::FieldTable::default(),
    };
    client.send(1, AMQPClass::Exchange(exchange::AMQPMethod::Declare(declare)));
    client.skip_to(40, 11);
    for n in 0..queues {
        let name = format!("bench.{n}");
        let declare = queue::Declare {
            queue: name.as_str().into(),
            passive: false,
            durable: true,
            exclusive: false,
            auto_delete: false,
            nowait: false,
            arguments: amq_protocol::types::FieldTable::default(),
        };
        client.send(1, AMQPClass::Queue(queue::AMQPMethod::Declare(declare)));
        client.skip_to(50, 11);
        let bind = queue::Bind {
            queue: name.into(),
            exchange: "bench".into(),
            routing_key: "#".into(),
            nowait: false,
            arguments: amq_protocol::types::FieldTable::default(),
        };
        client.send(1, AMQPClass::Queue(queue::AMQPMethod::Bind(bind)));
        client.skip_to(50, 21);
    }
    client.send(1, AMQPClass::Confirm(confirm::AMQPMethod::Select(confirm::Select { nowait: false })));
    client.skip_to(85, 11);
    let (window, mut published) = (window(), 0);
    bencher.counter(ItemsCount::new(WINDOW)).bench_local(|| {
        client.write(&window);
        published += WINDOW;
        client.confirmed(published);
    });
    runtime.block_on(broker.shutdown());
}

fn main() {
    divan::main();
}
