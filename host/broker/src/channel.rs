//! A channel of a connection: reads its methods, has the state carry them out, and replies. It has the message that is
//! being assembled and the confirms that are to be sent.

use amq_protocol::protocol::{AMQPClass, access, basic, channel, confirm};

use crate::{
    client::Client,
    content::{Assembly, Rules},
    error::AmqpError,
    method::{Method, Publish},
    outbox::Output,
    state::{
        self,
        arena::Key,
        channel::DeliveryTags,
        delivery::{Consume, Disposition},
        queue::Acknowledgement,
        routing::Published,
    },
};

mod arguments;
mod topology;

#[derive(Debug)]
pub(crate) struct Channel {
    number: u16,
    key: Key<state::channel::ChannelState>,
    assembly: Assembly,
    confirms: Option<Confirms>,
}

/// Sequence numbers of a channel in confirm mode.
#[derive(Debug, Default)]
struct Confirms {
    published: u64,
    confirmed: u64,
}

impl Channel {
    pub(crate) fn open(number: u16, client: &Client) -> Result<Self, AmqpError> {
        let key = client.shared.state().open_channel(client.connection, number)?;
        let channel = Self { number, key, assembly: Assembly::default(), confirms: None };
        let ok = channel::AMQPMethod::OpenOk(channel::OpenOk {});
        channel.reply(client, AMQPClass::Channel(ok));
        Ok(channel)
    }

    /// Requeues its unacknowledged deliveries.
    pub(crate) fn close(mut self, client: &Client) {
        self.confirm(client);
        client.shared.state().close_channel(self.key);
    }

    /// The bytes of an incomplete message.
    pub(crate) fn assembling(&self) -> usize {
        self.assembly.len()
    }

    pub(crate) fn method(&mut self, method: Method<'_>, client: &Client) -> Result<(), AmqpError> {
        if !self.assembly.is_idle() {
            return Err(AmqpError::unexpected_frame("expected content, got a method instead"));
        }
        match method {
            Method::Publish(publish) => self.publish(&publish),
            Method::Ack { delivery_tag, multiple } => {
                self.resolve(delivery_tag, multiple, Disposition::Acknowledged, client)
            }
            Method::Other(method) => self.other(method, client),
        }
    }

    pub(crate) fn header(&mut self, payload: &[u8], client: &Client) -> Result<(), AmqpError> {
        let options = &client.shared.options;
        let rules = Rules { user: &options.user, max_size: options.max_message_size };
        self.assembly.header(payload, rules)?;
        self.complete(client)
    }

    pub(crate) fn body(&mut self, payload: &[u8], client: &Client) -> Result<(), AmqpError> {
        self.assembly.body(payload)?;
        self.complete(client)
    }

    /// Confirms what has been published since the last time, in one acknowledgement.
    pub(crate) fn confirm(&mut self, client: &Client) {
        let Some(confirms) = &mut self.confirms else {
            return;
        };
        let owed = confirms.published - confirms.confirmed;
        if owed == 0 {
            return;
        }
        confirms.confirmed = confirms.published;
        client.outbox.push(Output::Ack {
            channel: self.number,
            delivery_tag: confirms.published,
            multiple: owed > 1,
        });
    }

    /// Tells a publisher in confirm mode that its last message was refused.
    fn refuse(&mut self, client: &Client) {
        let Some(confirms) = &mut self.confirms else {
            return;
        };
        // The messages before it are confirmed first.
        confirms.published -= 1;
        self.confirm(client);
        if let Some(confirms) = &mut self.confirms {
            confirms.published += 1;
            confirms.confirmed = confirms.published;
            let nack = basic::Nack { delivery_tag: confirms.published, multiple: false, requeue: false };
            client.outbox.push_method(self.number, AMQPClass::Basic(basic::AMQPMethod::Nack(nack)));
        }
    }

    /// Whether there are confirms to send.
    pub(crate) fn owes_confirms(&self) -> bool {
        self.confirms.as_ref().is_some_and(|confirms| confirms.published > confirms.confirmed)
    }

    fn publish(&mut self, publish: &Publish<'_>) -> Result<(), AmqpError> {
        self.assembly.begin(publish)
    }

    fn complete(&mut self, client: &Client) -> Result<(), AmqpError> {
        let Some(message) = self.assembly.take() else {
            return Ok(());
        };
        let mandatory = message.mandatory;
        let published = client.shared.state().publish(message.exchange, message.content, message.copies)?;
        if let Some(confirms) = &mut self.confirms {
            confirms.published += 1;
        }
        match published {
            Published::Refused => self.refuse(client),
            Published::Unroutable(message) if mandatory => {
                client.outbox.push(Output::Return { channel: self.number, message });
            }
            Published::Routed | Published::Unroutable(_) => {}
        }
        Ok(())
    }

    fn other(&mut self, method: AMQPClass, client: &Client) -> Result<(), AmqpError> {
        match method {
            AMQPClass::Basic(method) => self.basic(method, client),
            AMQPClass::Exchange(method) => self.exchange(method, client),
            AMQPClass::Queue(method) => self.queue(method, client),
            AMQPClass::Confirm(confirm::AMQPMethod::Select(select)) => {
                self.confirms.get_or_insert_default();
                if !select.nowait {
                    let ok = confirm::AMQPMethod::SelectOk(confirm::SelectOk {});
                    self.reply(client, AMQPClass::Confirm(ok));
                }
                Ok(())
            }
            AMQPClass::Channel(channel::AMQPMethod::Flow(flow)) => {
                if !flow.active {
                    return Err(AmqpError::not_implemented("active=false"));
                }
                let ok = channel::AMQPMethod::FlowOk(channel::FlowOk { active: true });
                self.reply(client, AMQPClass::Channel(ok));
                Ok(())
            }
            AMQPClass::Tx(_) => Err(AmqpError::not_implemented("transactions")),
            AMQPClass::Access(access::AMQPMethod::Request(_)) => {
                Err(AmqpError::not_implemented("access.request"))
            }
            _ => Err(unexpected_method()),
        }
    }

    fn basic(&mut self, method: basic::AMQPMethod, client: &Client) -> Result<(), AmqpError> {
        match method {
            basic::AMQPMethod::Qos(qos) => self.qos(&qos, client),
            basic::AMQPMethod::Consume(consume) => self.consume(&consume, client),
            basic::AMQPMethod::Cancel(cancel) => {
                let consumer_tag = cancel.consumer_tag;
                client.shared.state().cancel(self.key, consumer_tag.as_str())?;
                if !cancel.nowait {
                    let ok = basic::AMQPMethod::CancelOk(basic::CancelOk { consumer_tag });
                    self.reply(client, AMQPClass::Basic(ok));
                }
                Ok(())
            }
            basic::AMQPMethod::Get(get) => {
                client.shared.state().get(self.key, get.queue.as_str(), acknowledgement(get.no_ack))
            }
            basic::AMQPMethod::Nack(nack) => {
                let disposition = disposition(nack.requeue);
                self.resolve(nack.delivery_tag, nack.multiple, disposition, client)
            }
            basic::AMQPMethod::Reject(reject) => {
                let disposition = disposition(reject.requeue);
                self.resolve(reject.delivery_tag, false, disposition, client)
            }
            basic::AMQPMethod::Recover(recover) => {
                check_recover(recover.requeue)?;
                // Before anything is delivered again: clients drop their deliveries when they receive it.
                let ok = basic::AMQPMethod::RecoverOk(basic::RecoverOk {});
                self.reply(client, AMQPClass::Basic(ok));
                self.recover(client)
            }
            basic::AMQPMethod::RecoverAsync(recover) => {
                check_recover(recover.requeue)?;
                self.recover(client)
            }
            _ => Err(unexpected_method()),
        }
    }

    fn qos(&self, qos: &basic::Qos, client: &Client) -> Result<(), AmqpError> {
        client.shared.state().set_prefetch(self.key, qos.prefetch_count, qos.global)?;
        let ok = basic::AMQPMethod::QosOk(basic::QosOk {});
        self.reply(client, AMQPClass::Basic(ok));
        Ok(())
    }

    fn consume(&self, consume: &basic::Consume, client: &Client) -> Result<(), AmqpError> {
        if consume.no_local {
            return Err(AmqpError::not_implemented("no_local=true"));
        }
        arguments::check_consumer(&consume.arguments)?;
        let consume = Consume {
            queue: consume.queue.as_str(),
            tag: consume.consumer_tag.as_str(),
            acknowledgement: acknowledgement(consume.no_ack),
            exclusive: consume.exclusive,
            nowait: consume.nowait,
        };
        client.shared.state().consume(self.key, consume)
    }

    fn resolve(
        &self,
        delivery_tag: u64,
        multiple: bool,
        disposition: Disposition,
        client: &Client,
    ) -> Result<(), AmqpError> {
        let tags = match (delivery_tag, multiple) {
            (0, true) => DeliveryTags::All,
            (tag, true) => DeliveryTags::UpTo(tag),
            (tag, false) => DeliveryTags::One(tag),
        };
        client.shared.state().resolve(self.key, tags, disposition)
    }

    fn recover(&self, client: &Client) -> Result<(), AmqpError> {
        client.shared.state().resolve(self.key, DeliveryTags::All, Disposition::Requeued)
    }

    fn reply(&self, client: &Client, method: AMQPClass) {
        client.outbox.push_method(self.number, method);
    }
}

/// A method that exists, but not here or not in this direction.
pub(crate) fn unexpected_method() -> AmqpError {
    AmqpError::command_invalid("method is not for the server, or not on this channel")
}

/// Redelivery to the same consumer is not implemented, as in `RabbitMQ`.
fn check_recover(requeue: bool) -> Result<(), AmqpError> {
    if requeue {
        return Ok(());
    }
    Err(AmqpError::not_implemented("requeue=false"))
}

fn acknowledgement(no_ack: bool) -> Acknowledgement {
    if no_ack { Acknowledgement::Automatic } else { Acknowledgement::Explicit }
}

fn disposition(requeue: bool) -> Disposition {
    if requeue { Disposition::Requeued } else { Disposition::Rejected }
}
