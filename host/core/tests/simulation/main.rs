//! A simulation of consuming: the real pipeline between ports that fail at every step. Seeded, in virtual time;
//! after each run every log must be counted once, or be among the dead letters, and so must be all that is no log.
//! On a queue, and on files of logs that are read by offsets.
//!
//! `LOGHOST_SEED=N cargo test -p loghost-core --test simulation` runs one seed again, and says what happens.

mod channel;
mod check;
mod consumer;
mod producer;
mod queue;
mod store;
mod stream;
mod world;

use std::marker::PhantomData;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join;
use loghost_core::application::{
    Adapters, Consume, ConsumeOptions, Control, End, Finished, Ports, Tolerance,
};
use loghost_core::testing::{FakeObserver, options};
use tokio::runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::channel::{Factory, Source};
use crate::check::check;
use crate::consumer::{Behaviour, Tester};
use crate::producer::{Sink, publish};
use crate::queue::Queue;
use crate::store::Store;
use crate::stream::Streams;
use crate::world::{Honest, Kind, Leaping, World};

/// Longer than anything here takes, and far less than the clock leaps.
const FORGET_AFTER: Duration = Duration::from_mins(20);

/// How many seeds are run.
const SEEDS: usize = 10_000;

#[test]
fn every_log_is_counted_once_whatever_fails() {
    run_all::<Queue>(Kind::Queue);
}

#[test]
fn every_log_of_a_stream_is_counted_once_whatever_fails() {
    run_all::<Streams>(Kind::Stream);
}

fn run_all<S: Source>(kind: Kind) {
    if let Some(seed) = std::env::var_os("LOGHOST_SEED") {
        let number = seed.to_str().and_then(|seed| seed.parse().ok());
        return run::<S>(kind, number.expect("LOGHOST_SEED is a number"), true);
    }
    let threads = std::thread::available_parallelism().map_or(2, NonZero::get);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                (thread..SEEDS).step_by(threads).for_each(|seed| run::<S>(kind, seed as u64, false));
            });
        }
    });
}

/// Says which seed failed.
struct Failing(Kind, u64);

impl Drop for Failing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?}: seed {1} failed; run it again with LOGHOST_SEED={1}", self.0, self.1);
        }
    }
}

fn run<S: Source>(kind: Kind, seed: u64, aloud: bool) {
    let _failing = Failing(kind, seed);
    let runtime = runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = World::new(kind, seed, aloud);
        let published = publish(&world).await;
        until_quiet::<S>(&world, Behaviour::AsWritten).await;
        check(&world, &published, Behaviour::AsWritten);
        // The consumer is mended and wants more, and its dead letters are sent back.
        world.replay();
        until_quiet::<S>(&world, Behaviour::AllIsWell).await;
        check(&world, &published, Behaviour::AllIsWell);
    });
}

struct Fakes<S>(PhantomData<S>);

impl<S: Source> Ports for Fakes<S> {
    type SourceFactory = Factory<S>;
    type Consumer = Tester;
    type Ledger = Store;
    type Clock = Leaping;
    type Reporter = Honest;
    type Sink = Sink;
}

/// Runs hosts, one after the other, until one has emptied the queue.
async fn until_quiet<S: Source>(world: &World, behaviour: Behaviour) {
    let crashes = world.things().rng.u32(0..6);
    for crash in 0..=crashes {
        if crash == crashes {
            // Faults that never end would let nothing end.
            let mut things = world.things();
            things.crash_in = None;
            things.faults = 0;
        } else {
            let steps = world.things().rng.u32(1..150);
            world.things().crash_in = Some(steps);
        }
        tokio::select! {
            () = sleep(Duration::from_hours(24)) => panic!("it does not come to an end"),
            finished = host::<S>(world, behaviour) => {
                let passing = match &finished {
                    Ok(finished) => matches!(finished.end, End::Shutdown | End::Ledger(_)),
                    // It could not even start.
                    Err(end) => matches!(end, End::Source(_)),
                };
                assert!(passing, "{finished:?}");
            }
            () = world.crashed() => {}
        }
        // It may have crashed in the moment in which it ended.
        let _ = world.crashed().now_or_never();
        world.lose();
    }
    assert!(world.is_quiet(), "the last host has read everything");
}

/// A host from its start to its end.
async fn host<S: Source>(world: &World, behaviour: Behaviour) -> Result<Finished, End> {
    let (max_batch, max_waiting) = {
        let mut things = world.things();
        (things.rng.usize(1..12), things.rng.usize(1..5))
    };
    let options = ConsumeOptions {
        max_batch,
        max_waiting,
        pace: Duration::from_millis(5),
        tolerance: Tolerance { failures: 4, window: 5 },
        probe: Some(Duration::from_secs(1)),
        forget_after: FORGET_AFTER,
        ..options()
    };
    let (told_by, controls) = mpsc::channel(1);
    let consumer = || Tester::new(world, behaviour);
    let adapters: Adapters<Fakes<S>> = Adapters {
        source_factory: Factory { world: world.clone(), source: PhantomData },
        consumer: consumer(),
        ledger: Store(world.clone()),
        clock: Leaping(world.clone()),
        reporter: Honest(world.clone()),
        observer: Arc::new(FakeObserver::default()),
        derived: None,
        controls,
    };
    let mut consume = Consume::new(adapters, options);
    consume.open().await?;
    // In the middle of things: a new version, or a pause.
    let told = {
        let mut things = world.things();
        [(); 3].map(|()| (things.rng.u64(0..50), things.rng.u8(0..3)))
    };
    let telling = async {
        for (millis, what) in told {
            sleep(Duration::from_millis(millis)).await;
            let control = match what {
                0 => Control::Replace(consumer(), oneshot::channel().0),
                1 => Control::Pause,
                _ => Control::Resume,
            };
            // It may have ended.
            let _ = told_by.send(control).await;
        }
        let _ = told_by.send(Control::Resume).await;
    };
    let running = consume.run(async {
        while !world.is_quiet() {
            // In virtual time.
            sleep(Duration::from_secs(1)).await;
        }
    });
    Ok(join(running, telling).await.0)
}
