//! What both kinds of source have: deliveries, and where the dead ones go.

use loghost_core::application::{DeadLettering, DeadLetters, Delivery, Item, Reads, Rejection, SourceError};
use loghost_core::domain::{Position, Record, Timestamp};

use crate::world::{Luck, Message, Things, World};

/// What happens if `effect` happens now; nothing, after the channel is lost.
pub(crate) async fn act(
    world: World,
    channel: u64,
    what: &'static str,
    effect: impl FnOnce(&mut Things),
) -> Result<(), SourceError> {
    let lost = || Err(SourceError::Lost("it has gone".into()));
    let luck = world.step(what).await;
    if world.things().channel != channel {
        return lost();
    }
    if luck != Luck::Before {
        effect(&mut world.things());
    }
    if luck != Luck::Good {
        world.lose();
        return lost();
    }
    world.step(what).await;
    Ok(())
}

/// A message, as it is delivered to somebody who reads so much of it.
pub(crate) fn delivery(position: Position, message: &Message, reads: Reads) -> Delivery<Message> {
    let item = if message.is_log {
        Item::Log(record(message))
    } else {
        Item::Foreign("it came another way".to_owned())
    };
    Delivery { position, item, original: (reads == Reads::Logs).then(|| message.clone()) }
}

/// The dead letters, as long as the connection is there.
pub(crate) struct DeadMessages {
    world: World,
    channel: u64,
}

impl DeadMessages {
    pub(crate) fn of(world: &World, channel: u64, reads: Reads) -> DeadLettering<Self> {
        match reads {
            Reads::Logs => DeadLettering::Ready(Self { world: world.clone(), channel }),
            Reads::Counts => DeadLettering::Unread,
        }
    }
}

impl DeadLetters for DeadMessages {
    type Original = Message;

    fn write(
        &mut self,
        message: Message,
        _: &Rejection,
    ) -> impl Future<Output = Result<(), SourceError>> + Send + use<> {
        act(self.world.clone(), self.channel, "dead-letter", |things| things.dead.push(message))
    }

    async fn close(self) {}
}

fn record(message: &Message) -> Record {
    Record {
        severity: message.severity,
        timestamp: Timestamp::from_millis(1),
        attempt: 1,
        message: message.text.to_owned(),
        id: message.id.clone(),
        source: message.source.clone(),
        attributes: Vec::new(),
        unkeyed: false,
        replayed: message.replayed,
        hops: 0,
    }
}
