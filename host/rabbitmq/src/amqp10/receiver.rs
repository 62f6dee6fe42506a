//! Receiving one message of a queue.

use std::time::Duration;

use loghost_stream::Value;
use tokio::time::timeout;

use super::encode::{Field, described};
use super::error::Amqp10Error;
use super::frames::{FrameType, error_of};
use super::session::{Amqp10Session, Role, number};
use super::{ACCEPTED, DETACH, DISPOSITION, RELEASED, SOURCE, TARGET, TRANSFER};
use crate::connection::address::{Address, encode as percent_encoded};
use crate::connection::product::Generation;

/// The most bytes of a message: what brokers take, by default.
const LONGEST: usize = 16 * 1024 * 1024;

/// How long the broker may take to send a message that is in the queue.
const WAIT: Duration = Duration::from_secs(10);

/// Receives the first message of a queue, and no other. Dropped, the broker puts it back unless it was accepted.
pub(crate) struct Receiver {
    session: Amqp10Session,
    /// The number of the message that was received.
    delivery: Option<u32>,
}

impl Receiver {
    /// Begins to receive from `queue` of the broker at `address`, which knows the connection by its `name`.
    pub(crate) async fn open(
        address: &Address,
        generation: Generation,
        queue: &str,
        name: &str,
    ) -> Result<Self, Amqp10Error> {
        let queue = match generation {
            Generation::RabbitMq3 => format!("/amq/queue/{}", percent_encoded(queue)),
            Generation::RabbitMq4 => format!("/queues/{}", percent_encoded(queue)),
            Generation::Other => return Err(Amqp10Error::NotSpoken),
        };
        let opening = async {
            let mut session = Amqp10Session::begin(address, name).await?;
            let (source, target) = (described(SOURCE, &[Field::Text(&queue)]), described(TARGET, &[]));
            let link = session.attach(name, Role::Receiver, source, target).await?;
            session.ask(&link).await?;
            Ok(Self { session, delivery: None })
        };
        timeout(address.timeout(), opening).await.unwrap_or(Err(Amqp10Error::Silent))
    }

    /// The message, as its sections; none if there is none.
    pub(crate) async fn receive(&mut self) -> Result<Option<Vec<u8>>, Amqp10Error> {
        match timeout(WAIT, self.receive_all()).await {
            Ok(received) => received.map(Some),
            Err(_) => Ok(None),
        }
    }

    async fn receive_all(&mut self) -> Result<Vec<u8>, Amqp10Error> {
        let mut message = Vec::new();
        loop {
            let transfer = self.session.frames.next(TRANSFER).await?;
            let number = number(&transfer.fields, 1)?;
            if message.len() + transfer.payload.len() > LONGEST {
                return Err(Amqp10Error::TooLarge(LONGEST));
            }
            message.extend(transfer.payload);
            let has_more = transfer.fields.get(5)? == Some(Value::Bool(true));
            self.delivery = self.delivery.or(number);
            if !has_more {
                return Ok(message);
            }
        }
    }

    /// Says that the message that was received need not come again. When this returns, the broker knows.
    pub(crate) async fn accept(&mut self) -> Result<(), Amqp10Error> {
        self.dispose(ACCEPTED).await
    }

    /// Puts the message that was received back, which is no failed delivery of it, and ends the connection.
    pub(crate) async fn release(mut self) {
        // Without an answer, the broker puts it back when the connection ends.
        let _ = self.dispose(RELEASED).await;
        self.close().await;
    }

    async fn dispose(&mut self, outcome: u8) -> Result<(), Amqp10Error> {
        let Some(number) = self.delivery.take() else { return Ok(()) };
        let frames = &mut self.session.frames;
        let outcome = Field::Described(described(outcome, &[]));
        let fields = [Field::Bool(true), Field::Uint(number), Field::Null, Field::Bool(true), outcome];
        let disposition = async {
            frames.send(FrameType::Amqp, DISPOSITION, &fields).await?;
            // What is answered to this was done after what was sent before.
            frames.send(FrameType::Amqp, DETACH, &[Field::Uint(0), Field::Bool(true)]).await?;
            let detached = frames.next(DETACH).await?;
            error_of(&detached).map_or(Ok(()), |error| Err(Amqp10Error::Refused(error)))
        };
        timeout(WAIT, disposition).await.unwrap_or(Err(Amqp10Error::Silent))
    }

    /// Ends the connection: when this returns, the broker has put back what was not accepted.
    pub(crate) async fn close(self) {
        self.session.close().await;
    }
}
