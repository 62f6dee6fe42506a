//! What is published.

use std::collections::BTreeSet;

use loghost_core::application::{Confirmed, LogSink, Publish, Receipts, SinkError};
use loghost_core::domain::{
    Attributes, Log, MessageId, Producer, Sequencer, Severity, Source as LogOrigin, Timestamp,
};

use crate::world::{Kind, Leaping, Message, World};

/// What was published.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// Logs of a severity that the consumer wants, and of one that it does not want at first.
    pub(crate) wanted: u64,
    pub(crate) unwanted: u64,
    /// How many of them have no id.
    pub(crate) without_id: u64,
    /// How many messages have several logs, and the numbers of those that the consumer does not accept.
    pub(crate) several: usize,
    pub(crate) refused: BTreeSet<(usize, usize)>,
    /// Messages that are no logs.
    pub(crate) foreign: BTreeSet<String>,
}

/// Publishes some logs, a few of them more than once, as a producer does whose confirmation got lost.
pub(crate) async fn publish(world: &World) -> Published {
    let producer = Producer::new("p").unwrap();
    let mut publish = Publish::new(Sink(world.clone()), Sequencer::new(producer), Leaping(world.clone()));
    let logs = world.things().rng.u64(1..60);
    let mut published = Published::default();
    for _ in 0..logs {
        let log = {
            let mut things = world.things();
            let text = *things
                .rng
                .choice(&["ok", "ok", "ok", "ok", "ok", "ok", "skip", "reject", "retry", "poison"])
                .unwrap();
            let severity = [Severity::Error, Severity::Critical, Severity::Error, Severity::Info];
            let severity = *things.rng.choice(&severity).unwrap();
            let source = if things.rng.bool() { Some(LogOrigin::new("web").unwrap()) } else { None };
            Log {
                severity,
                message: text.to_owned(),
                source,
                timestamp: None,
                attributes: Attributes::default(),
                hops: 0,
            }
        };
        if log.severity == Severity::Info {
            published.unwanted += 1;
        } else {
            published.wanted += 1;
        }
        publish.log(&log).await.unwrap();
        // One that is not wanted at first would have to be recognised later.
        let may_strip = world.things().kind == Kind::Stream && log.severity != Severity::Info;
        let strips = may_strip && world.things().rng.u8(0..6) == 0;
        if strips && world.strip_last() {
            published.without_id += 1;
        }
        if world.things().rng.u8(0..8) == 0 {
            published.foreign.insert(world.publish_elsewhere(published.foreign.len()));
        }
        // Without ids, they are counted once where they have offsets.
        let has_offsets = world.things().kind == Kind::Stream;
        if has_offsets && world.things().rng.u8(0..6) == 0 {
            published.several(world);
        }
    }
    published
}

impl Published {
    /// Publishes a message with several logs, some of which the filter does not want.
    fn several(&mut self, world: &World) {
        let texts: Vec<&str> = {
            let mut things = world.things();
            let logs = things.rng.usize(1..6);
            let some = ["ok", "ok", "skip", "reject", "retry", "poison", UNASKED];
            (0..logs).filter_map(|_| things.rng.choice(some)).collect()
        };
        for (index, text) in texts.iter().enumerate() {
            if matches!(*text, "reject" | "poison") {
                // One log is no part of a message.
                self.refused.extend((texts.len() > 1).then_some((self.several, index + 1)));
            }
            let counts = u64::from(*text != UNASKED);
            self.wanted += counts;
            self.without_id += counts;
        }
        world.publish_several(self.several, texts);
        self.several += 1;
    }
}

/// The text of a log that the filter does not want, of a message with several.
pub(crate) const UNASKED: &str = "unasked";

pub(crate) struct Sink(World);

impl LogSink for Sink {
    async fn publish(&mut self, id: &MessageId, _: Timestamp, log: &Log) -> Result<(), SinkError> {
        let text = ["ok", "skip", "reject", "retry", "poison"].into_iter().find(|text| *text == log.message);
        let source = log.source.as_ref().map_or(String::new(), ToString::to_string);
        let message = Message {
            id: Some(id.to_string()),
            severity: log.severity,
            source,
            text: text.unwrap(),
            replayed: false,
            is_log: true,
            several: None,
        };
        let mut things = self.0.things();
        let things = &mut *things;
        while things.rng.u8(0..8) == 0 {
            // A copy that is late.
            let index = things.rng.usize(0..=things.queue.len());
            things.queue.insert(index, message.clone());
        }
        things.queue.push_back(message);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn take_confirmed(&mut self) -> Confirmed {
        Confirmed::default()
    }

    fn receipts(&self) -> Receipts {
        Receipts::default()
    }
}
