//! A consumer that does what a log says, and fails now and then.

use std::sync::LazyLock;

use loghost_core::application::{Consumer, ConsumerError};
use loghost_core::domain::{Descriptor, Metric, Outcome, Processed, Record, Severity, Timestamp, Verdict};
use loghost_core::testing::descriptor;

use crate::world::{Luck, World};

/// What the consumer does with logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// What their text says: `ok`, `skip`, `reject`, `retry`, `poison`. It does not want those of severity info.
    AsWritten,
    /// They are accepted, and all are wanted.
    AllIsWell,
}

/// Counts what it accepts, and keeps that number.
pub(crate) struct Tester {
    world: World,
    behaviour: Behaviour,
    counted: u64,
    saved: Option<Vec<u8>>,
    /// After a failure, until it has started afresh.
    broken: bool,
}

impl Tester {
    pub(crate) fn new(world: &World, behaviour: Behaviour) -> Self {
        Self { world: world.clone(), behaviour, counted: 0, saved: None, broken: false }
    }

    fn fail<T>(&mut self, call: &'static str) -> Result<T, ConsumerError> {
        self.broken = true;
        Err(ConsumerError { call, reason: "trapped".to_owned(), backtrace: None })
    }

    fn start(&mut self) {
        if std::mem::take(&mut self.broken) {
            self.counted =
                self.saved.as_deref().map_or(0, |state| u64::from_le_bytes(state.try_into().unwrap()));
        }
    }
}

impl Consumer for Tester {
    fn descriptor(&self) -> &Descriptor {
        static DESCRIPTORS: LazyLock<[Descriptor; 2]> = LazyLock::new(|| {
            let narrow = [Severity::Error, Severity::Critical];
            [descriptor("tester", narrow), descriptor("tester", Severity::ALL)]
        });
        &DESCRIPTORS[usize::from(self.behaviour == Behaviour::AllIsWell)]
    }

    fn processes(&self) -> bool {
        self.world.things().processes
    }

    fn keeps_state(&self) -> bool {
        self.processes()
    }

    fn digest(&self) -> &'static str {
        ""
    }

    async fn process(&mut self, _: Timestamp, batch: &[Record]) -> Result<Processed, ConsumerError> {
        self.start();
        let luck = self.world.step("process").await;
        let mut verdicts = Vec::new();
        for (index, record) in batch.iter().enumerate() {
            let text = if self.behaviour == Behaviour::AllIsWell { "ok" } else { record.message.as_str() };
            let outcome = match text {
                "ok" => {
                    self.counted += 1;
                    continue;
                }
                "skip" => {
                    self.counted += 1;
                    Outcome::Skip
                }
                "reject" => Outcome::Reject("bad".to_owned()),
                "retry" if record.attempt == 2 => {
                    self.counted += 1;
                    continue;
                }
                "retry" => Outcome::Retry("busy".to_owned()),
                _ => return self.fail("process"),
            };
            verdicts.push(Verdict { index, outcome });
        }
        if luck == Luck::Good {
            Ok(Processed { verdicts, publish: Vec::new() })
        } else {
            self.fail("process")
        }
    }

    async fn format_metric(&mut self, _: &Metric) -> Result<String, ConsumerError> {
        Ok(String::new())
    }

    async fn save(&mut self) -> Result<Vec<u8>, ConsumerError> {
        self.start();
        if self.world.step("save").await != Luck::Good {
            return self.fail("save");
        }
        let state = self.counted.to_le_bytes().to_vec();
        self.saved = Some(state.clone());
        Ok(state)
    }

    async fn restore(&mut self, state: Option<&[u8]>) -> Result<(), ConsumerError> {
        self.saved = state.map(<[u8]>::to_vec);
        self.broken = true;
        self.start();
        Ok(())
    }
}
