//! Publishing with a journal, on fakes: a producer that crashes at every step sends everything, and nothing
//! under two ids.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};

use loghost_core::application::{
    Confirmed, Journal, JournalError, LogSink, Publish, Receipts, Resume, ResumeError, SinkError,
};
use loghost_core::domain::{Attributes, Log, MessageId, Producer, Sequencer, Severity, Source, Timestamp};
use loghost_core::testing::FakeClock;

/// What survives a crash.
#[derive(Default)]
struct World {
    /// The logs that were begun, and what the journal knows to be confirmed.
    begun: Vec<Log>,
    confirmed: Confirmed,
    /// What arrived: for each severity, source and number the text, and how often.
    arrived: HashMap<(Severity, Option<String>, u64), (String, u32)>,
}

type Shared = Arc<Mutex<World>>;

struct Memory {
    world: Shared,
    read: Vec<Log>,
}

impl Journal for Memory {
    fn begun(&self) -> u64 {
        self.world.lock().unwrap().begun.len() as u64
    }

    fn is_confirmed(&self, severity: Severity, source: Option<&Source>, sequence: NonZeroU64) -> bool {
        self.world.lock().unwrap().confirmed.contains(severity, source, sequence)
    }

    fn read(&mut self, log: &Log) {
        self.read.push(log.clone());
    }

    fn verify(&self) -> Result<(), JournalError> {
        let begun = self.begun();
        let same = self.world.lock().unwrap().begun == self.read;
        if same { Ok(()) } else { Err(JournalError::Changed { begun, read: self.read.len() as u64 }) }
    }

    fn begin(&mut self, confirmed: Confirmed) -> Result<(), JournalError> {
        self.world.lock().unwrap().begun.clone_from(&self.read);
        self.confirm(confirmed)
    }

    fn confirm(&mut self, confirmed: Confirmed) -> Result<(), JournalError> {
        let known = &mut self.world.lock().unwrap().confirmed;
        for (severity, source, intervals) in confirmed.iter() {
            for (first, last) in intervals.iter() {
                known.of(severity, source.cloned()).insert_interval(first, last);
            }
        }
        Ok(())
    }
}

/// A broker that is lost at random: before or after a log has arrived, or its confirmation.
struct Unsteady {
    world: Shared,
    random: fastrand::Rng,
    confirmed: Confirmed,
    receipts: Receipts,
}

impl LogSink for Unsteady {
    async fn publish(&mut self, id: &MessageId, _: Timestamp, log: &Log) -> Result<(), SinkError> {
        let lost = || SinkError::Failed("lost".into());
        if self.random.u8(..) < 4 {
            return Err(lost());
        }
        {
            let arrived = &mut self.world.lock().unwrap().arrived;
            let source = log.source.as_ref().map(ToString::to_string);
            let entry = arrived.entry((log.severity, source, id.sequence.get()));
            let (text, times) = entry.or_insert((log.message.clone(), 0));
            assert_eq!(*text, log.message, "two logs have one id");
            *times += 1;
        }
        if self.random.u8(..) < 4 {
            return Err(lost());
        }
        self.confirmed.insert(log.severity, log.source.as_ref(), id.sequence);
        self.receipts.confirm(log.severity);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        if self.random.u8(..) < 4 { Err(SinkError::Failed("lost".into())) } else { Ok(()) }
    }

    fn receipts(&self) -> Receipts {
        self.receipts
    }

    fn take_confirmed(&mut self) -> Confirmed {
        std::mem::take(&mut self.confirmed)
    }
}

fn start(world: &Shared, seed: u64) -> Resume<Unsteady, FakeClock, Memory> {
    let sink = Unsteady {
        world: Arc::clone(world),
        random: fastrand::Rng::with_seed(seed),
        confirmed: Confirmed::default(),
        receipts: Receipts::default(),
    };
    let publish = Publish::new(sink, Sequencer::new(Producer::new("p").unwrap()), FakeClock);
    Resume::new(publish, Some(Memory { world: Arc::clone(world), read: Vec::new() }))
}

fn input(random: &mut fastrand::Rng, length: usize) -> Vec<Log> {
    let log = |n| Log {
        severity: *random.choice(Severity::ALL.iter()).unwrap(),
        message: format!("log {n}"),
        source: random.choice(["web", "db", ""]).and_then(|name| Source::new(name).ok()),
        timestamp: None,
        attributes: Attributes::default(),
        hops: 0,
    };
    (0..length).map(log).collect()
}

async fn run(
    resume: &mut Resume<Unsteady, FakeClock, Memory>,
    logs: &[Log],
    random: &mut fastrand::Rng,
) -> Result<(), ResumeError> {
    let mut rest = logs;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(random.usize(1..=rest.len().min(20)));
        resume.piece(piece).await?;
        rest = after;
    }
    resume.finish().await
}

#[tokio::test]
async fn everything_arrives_under_one_id() {
    for seed in 0..500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let logs = input(&mut random, 200);
        let world = Shared::default();
        // It ends: what is confirmed is not sent again.
        loop {
            let mut resume = start(&world, random.u64(..));
            let ended = run(&mut resume, &logs, &mut random).await;
            if random.bool() {
                resume.note().unwrap();
            }
            match ended {
                Ok(()) => {
                    let total = resume.receipts().confirmed.total() + resume.already_confirmed().total();
                    assert_eq!((total, resume.unfinished()), (200, 0), "seed {seed}");
                    break;
                }
                Err(ResumeError::Sink(_)) => {}
                Err(ResumeError::Journal(error)) => panic!("seed {seed}: {error}"),
            }
        }
        let world = world.lock().unwrap();
        assert_eq!(world.arrived.len(), 200, "seed {seed}");
        let mut texts: Vec<&str> = world.arrived.values().map(|(text, _)| text.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), 200, "seed {seed}");
    }
}

#[tokio::test]
async fn nothing_is_sent_of_another_input() {
    let mut random = fastrand::Rng::with_seed(1);
    let logs = input(&mut random, 50);
    let world = Shared::default();
    while run(&mut start(&world, random.u64(..)), &logs, &mut random).await.is_err() {}
    let mut changed = logs.clone();
    changed[20].message.push('!');
    changed.push(logs[0].clone());
    for other in [&changed[..], &logs[..49], &[]] {
        let before = world.lock().unwrap().arrived.values().map(|(_, times)| times).sum::<u32>();
        let ended = run(&mut start(&world, 3), other, &mut random).await;
        assert!(matches!(ended, Err(ResumeError::Journal(JournalError::Changed { .. }))), "{ended:?}");
        let after = world.lock().unwrap().arrived.values().map(|(_, times)| times).sum::<u32>();
        assert_eq!(before, after);
    }
}
