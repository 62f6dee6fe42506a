//! Publishing one message.

use std::time::Duration;

use loghost_stream::Value;
use tokio::time::timeout;

use super::encode::{Field, described};
use super::error::Amqp10Error;
use super::frames::FrameType;
use super::session::{Amqp10Session, Role};
use super::{ACCEPTED, DISPOSITION, FLOW, REJECTED, SOURCE, TARGET, TRANSFER};
use crate::connection::address::{Address, encode as percent_encoded};
use crate::connection::product::Generation;

/// How long the broker may take to have a message in a queue.
const WAIT: Duration = Duration::from_secs(10);

/// More bytes than a frame has beside its part of a message.
const OVERHEAD: usize = 256;

/// Publishes a message, as its sections, to an exchange with a routing key. When this returns, the broker has it in a queue.
/// It knows the connection by its `name`.
pub(crate) async fn send(
    address: &Address,
    generation: Generation,
    (exchange, key): (&str, &str),
    name: &str,
    message: &[u8],
) -> Result<(), Amqp10Error> {
    let (exchange, key) = (percent_encoded(exchange), percent_encoded(key));
    let target = match generation {
        Generation::RabbitMq3 => format!("/exchange/{exchange}/{key}"),
        Generation::RabbitMq4 => format!("/exchanges/{exchange}/{key}"),
        Generation::Other => return Err(Amqp10Error::NotSpoken),
    };
    let sending = async {
        let mut session = Amqp10Session::begin(address, name).await?;
        let (source, target) = (described(SOURCE, &[]), described(TARGET, &[Field::Text(&target)]));
        session.attach(name, Role::Sender, source, target).await?;
        session.frames.next(FLOW).await?;
        transfer(&mut session, message).await?;
        let outcome = outcome(&mut session).await;
        session.close().await;
        outcome
    };
    timeout(address.timeout() + WAIT, sending).await.unwrap_or(Err(Amqp10Error::Silent))
}

/// Sends a message in as many frames as it needs.
async fn transfer(session: &mut Amqp10Session, message: &[u8]) -> Result<(), Amqp10Error> {
    let part = session.frame_max.saturating_sub(OVERHEAD).max(OVERHEAD);
    let mut parts = message.chunks(part).peekable();
    while let Some(part) = parts.next() {
        let (number, has_more) = (Field::Uint(0), Field::Bool(parts.peek().is_some()));
        let fields =
            [Field::Uint(0), number, Field::Binary(b"1"), Field::Uint(0), Field::Bool(false), has_more];
        session.frames.send_with(FrameType::Amqp, TRANSFER, &fields, part).await?;
    }
    Ok(())
}

/// What has become of it.
async fn outcome(session: &mut Amqp10Session) -> Result<(), Amqp10Error> {
    let disposition = session.frames.next(DISPOSITION).await?;
    let refused = |why: &str| Err(Amqp10Error::Refused(why.to_owned()));
    let Some(Value::Described(state)) = disposition.fields.get(4)? else {
        return refused("it does not say why");
    };
    match state.descriptor()? {
        Value::Ulong(code) if code == u64::from(ACCEPTED) => Ok(()),
        Value::Ulong(code) if code == u64::from(REJECTED) => refused("a message was rejected"),
        _ => refused("a message has no queue to go to"),
    }
}
