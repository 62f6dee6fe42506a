//! What both kinds of source have: how they are opened, what is done through their channel, and where the dead
//! dead letters go.

use std::marker::PhantomData;

use loghost_core::application::{
    DeadLettering, DeadLetters, DeadLog, Delivery, Item, LogSource, NextOffset, Opened, Reads, Rejection,
    SourceError, SourceFactory, Subscription,
};
use loghost_core::domain::{Position, Record, Severity};
use loghost_core::testing::logs;

use crate::producer::UNASKED;
use crate::world::{Luck, Message, Things, World};

/// A source of a world.
pub(crate) trait Source: LogSource<Original = Message> + Sized + 'static {
    /// Begins to take from `channel`; where there are offsets, from these on.
    fn open(channel: Channel, offsets: &[NextOffset]) -> Self;
}

/// Opens a source of a world.
pub(crate) struct Factory<S> {
    pub(crate) world: World,
    pub(crate) source: PhantomData<fn() -> S>,
}

impl<S: Source> SourceFactory for Factory<S> {
    type Source = S;
    type DeadLetters = DeadMessages;

    async fn open(&mut self, subscription: Subscription<'_>) -> Result<Opened<S, DeadMessages>, SourceError> {
        if self.world.step("open").await != Luck::Good {
            return Err(SourceError::Lost("it is away".into()));
        }
        let number = self.world.things().channel;
        let channel = Channel { world: self.world.clone(), number, reads: subscription.reads };
        let dead_letters = match subscription.reads {
            Reads::Logs => DeadLettering::Ready(DeadMessages(channel.clone())),
            Reads::Counts => DeadLettering::Unread,
        };
        let source = S::open(channel, subscription.offsets);
        Ok(Opened { source, dead_letters, begins: Vec::new() })
    }
}

/// What a source and its dead letters go through; of no use after it is lost.
#[derive(Clone)]
pub(crate) struct Channel {
    pub(crate) world: World,
    number: u64,
    reads: Reads,
}

impl Channel {
    pub(crate) fn is_lost(&self) -> bool {
        self.world.things().channel != self.number
    }

    /// An error if it is lost.
    pub(crate) fn check(&self) -> Result<(), SourceError> {
        if self.is_lost() { Err(SourceError::Lost("it has gone".into())) } else { Ok(()) }
    }

    /// What happens if `effect` happens now; nothing, after the channel is lost.
    pub(crate) fn act<F: FnOnce(&mut Things) + Send>(
        &self,
        what: &'static str,
        effect: F,
    ) -> impl Future<Output = Result<(), SourceError>> + Send + use<F> {
        let channel = self.clone();
        async move {
            let luck = channel.world.step(what).await;
            channel.check()?;
            if luck != Luck::Before {
                effect(&mut channel.world.things());
            }
            if luck != Luck::Good {
                channel.world.lose();
                return channel.check();
            }
            channel.world.step(what).await;
            Ok(())
        }
    }

    /// A message, as it is delivered to somebody who reads so much of it.
    pub(crate) fn delivery(&self, position: Position, message: &Message) -> Delivery<Message> {
        let item = if let Some((_, texts)) = &message.several {
            Item::Logs(texts.iter().copied().map(record_of_several).collect())
        } else if message.is_log {
            Item::Log(record(message))
        } else {
            Item::Foreign("it came another way".to_owned())
        };
        Delivery { position, item, original: (self.reads == Reads::Logs).then(|| message.clone()) }
    }
}

/// The dead letters, as long as the channel is there.
pub(crate) struct DeadMessages(Channel);

impl DeadLetters for DeadMessages {
    type Original = Message;

    fn write(
        &mut self,
        message: Message,
        log: Option<DeadLog<'_>>,
        _: &Rejection,
    ) -> impl Future<Output = Result<(), SourceError>> + Send + use<> {
        let number = log.and_then(|log| log.number);
        if let (Some(DeadLog { record, number: Some(number) }), Some((_, texts))) = (log, &message.several) {
            assert_eq!((texts[number.number - 1], texts.len()), (&*record.message, number.of));
        }
        let number = number.map(|number| number.number);
        self.0.act("dead-letter", move |things| match (&message.several, number) {
            (Some((message, _)), Some(number)) => {
                things.dead_logs.insert((*message, number));
            }
            _ => things.dead.push(message),
        })
    }

    async fn close(self) {}
}

fn record(message: &Message) -> Record {
    Record {
        severity: message.severity,
        id: message.id.clone(),
        source: message.source.clone(),
        replayed: message.replayed,
        ..logs::error_record(1, message.text)
    }
}

fn record_of_several(text: &str) -> Record {
    let severity = if text == UNASKED { Severity::Debug } else { Severity::Error };
    Record { severity, id: None, ..logs::error_record(1, text) }
}
