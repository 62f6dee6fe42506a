//! What it costs a consumer that its host listens: the events of one batch, told to the board, while nobody asks and while
//! somebody asks all the time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use std::{hint, thread};

use divan::Bencher;
use divan::counter::ItemsCount;
use loghost_board::Board;
use loghost_core::application::{ConsumerEvent, Event, Load, Observer};
use loghost_core::domain::{ConsumerName, Counts, Severity, Tally};
use loghost_http::open_metrics;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

/// Tells what happens with a batch of this many logs, as the core does.
fn tell(observer: &dyn Observer, name: &ConsumerName, counts: &Counts, logs: usize) {
    let took = Duration::from_micros(300);
    let mut tally = Tally::default();
    tally[Severity::Error] = logs as u64;
    let load = |taken| Load { taken, waiting: 0 };
    for event in [
        ConsumerEvent::Received { deliveries: logs, logs: tally },
        ConsumerEvent::Acknowledged { deliveries: 0, load: load(logs) },
        ConsumerEvent::Processed { logs, took },
        ConsumerEvent::Acknowledged { deliveries: 0, load: load(logs) },
        ConsumerEvent::Committed { counts, deliveries: logs, took },
        ConsumerEvent::Acknowledged { deliveries: logs, load: load(0) },
    ] {
        observer.observe(&Event::Consumer(name, event));
    }
}

/// Nobody is told.
struct Nobody;

impl Observer for Nobody {
    fn observe(&self, event: &Event<'_>) {
        hint::black_box(event);
    }
}

fn run(bencher: Bencher<'_, '_>, observer: &dyn Observer) {
    let name = ConsumerName::new("bench").expect("a name");
    let counts = Counts::default();
    bencher.counter(ItemsCount::new(64_usize)).bench_local(|| tell(observer, &name, &counts, 64));
}

#[divan::bench]
fn off(bencher: Bencher<'_, '_>) {
    run(bencher, &Nobody);
}

#[divan::bench]
fn on(bencher: Bencher<'_, '_>) {
    run(bencher, &board());
}

#[divan::bench(sample_count = 1000, sample_size = 100)]
fn on_while_somebody_asks(bencher: Bencher<'_, '_>) {
    let (board, done) = (Arc::new(board()), Arc::new(AtomicBool::new(false)));
    let (asked, begun) = mpsc::channel();
    let asking = {
        let (board, done) = (Arc::clone(&board), Arc::clone(&done));
        thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                hint::black_box(open_metrics(&board));
                // Only the first is waited for.
                let _ = asked.send(());
            }
        })
    };
    begun.recv().expect("a first answer");
    run(bencher, &*board);
    done.store(true, Ordering::Relaxed);
    asking.join().expect("no panic");
}

/// A board that knows as many consumers as a large host has.
fn board() -> Board {
    let board = Board::default();
    for n in 0..200 {
        board.expect(&ConsumerName::new(format!("consumer-{n}")).expect("a name"), &[]);
    }
    board.expect(&ConsumerName::new("bench").expect("a name"), &[]);
    board
}

/// What one scrape takes, with 201 consumers.
#[divan::bench]
fn scrape(bencher: Bencher<'_, '_>) {
    let board = board();
    bencher.bench_local(|| open_metrics(&board));
}
