//! Messages on their way out of a queue: delivered, acknowledged, rejected or requeued.

use std::sync::Arc;

use amq_protocol::protocol::{AMQPClass, basic};

use super::{
    BrokerState,
    arena::Key,
    channel::{ChannelState, DeliveryTags, Subscription, Unacked},
    names::generated_name,
    queue::{Acknowledgement, Consumer, ConsumerId, Queue},
};
use crate::{
    death::Reason,
    error::{AmqpError, Code},
    memory::Charge,
    outbox::Output,
};

/// What `basic.consume` asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Consume<'a> {
    pub(crate) queue: &'a str,
    /// Empty: one is made up.
    pub(crate) tag: &'a str,
    pub(crate) acknowledgement: Acknowledgement,
    pub(crate) exclusive: bool,
    /// The client wants no `consume-ok`.
    pub(crate) nowait: bool,
}

/// How a delivery is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disposition {
    Acknowledged,
    /// Not to be delivered again: a dead letter, if the queue has an exchange for those.
    Rejected,
    Requeued,
}

impl BrokerState {
    /// The consumer's tag is in the `consume-ok`, which is sent before its first delivery.
    pub(crate) fn consume(
        &mut self,
        channel: Key<ChannelState>,
        consume: Consume<'_>,
    ) -> Result<(), AmqpError> {
        let tag = match consume.tag {
            "" => generated_name("amq.ctag"),
            tag => tag.into(),
        };
        if self.channel(channel)?.subscription(&tag).is_some() {
            return Err(AmqpError::new(Code::NotAllowed, format!("attempt to reuse consumer tag '{tag}'")));
        }
        let key = self.find_queue(channel, consume.queue)?;
        self.last_consumer += 1;
        let id = ConsumerId(self.last_consumer);
        let consumer = Consumer {
            id,
            tag: Arc::clone(&tag),
            channel,
            acknowledgement: consume.acknowledgement,
            exclusive: consume.exclusive,
            prefetch: self.channel(channel)?.prefetch,
            in_flight: 0,
            _charge: Charge::new(&self.memory, &[&tag])?,
        };
        if let Some(queue) = self.queues.get_mut(key) {
            queue.add_consumer(consumer)?;
        }
        let channel = self.channel(channel)?;
        channel.subscriptions.push(Subscription { tag: Arc::clone(&tag), queue: key, consumer: id });
        if !consume.nowait {
            // Before the first delivery.
            let ok = basic::AMQPMethod::ConsumeOk(basic::ConsumeOk { consumer_tag: (&*tag).into() });
            channel.outbox.push_method(channel.number, AMQPClass::Basic(ok));
        }
        self.dispatch(key);
        Ok(())
    }

    /// Its deliveries stay unacknowledged. A tag that is not in use is no error.
    pub(crate) fn cancel(&mut self, channel: Key<ChannelState>, tag: &str) -> Result<(), AmqpError> {
        let channel = self.channel(channel)?;
        let Some(subscription) = channel.subscription(tag).cloned() else {
            return Ok(());
        };
        channel.unsubscribe(subscription.consumer);
        if let Some(queue) = self.queues.get_mut(subscription.queue) {
            queue.remove_consumer(subscription.consumer);
            self.after_consumer_left(subscription.queue);
        }
        Ok(())
    }

    pub(crate) fn get(
        &mut self,
        channel: Key<ChannelState>,
        queue: &str,
        acknowledgement: Acknowledgement,
    ) -> Result<(), AmqpError> {
        let key = self.find_queue(channel, queue)?;
        let popped = self.queues.get_mut(key).and_then(|queue| {
            queue.touch(&self.clock);
            queue.drop_expired(&self.clock, &mut self.dead);
            Some((queue.pop()?, queue.len()))
        });
        let channel = self.channel(channel)?;
        let Some((entry, left)) = popped else {
            let empty = basic::AMQPMethod::GetEmpty(basic::GetEmpty {});
            channel.outbox.push_method(channel.number, AMQPClass::Basic(empty));
            self.dispatch(key);
            return Ok(());
        };
        let delivery_tag = channel.next_tag();
        channel.outbox.push(Output::GetOk {
            channel: channel.number,
            delivery_tag,
            redelivered: entry.redelivered(),
            message_count: u32::try_from(left).unwrap_or(u32::MAX),
            message: Arc::clone(&entry.message),
        });
        if acknowledgement == Acknowledgement::Explicit {
            channel.remember(Unacked { delivery_tag, queue: key, consumer: None, entry });
        }
        self.dispatch(key);
        Ok(())
    }

    pub(crate) fn resolve(
        &mut self,
        channel: Key<ChannelState>,
        tags: DeliveryTags,
        disposition: Disposition,
    ) -> Result<(), AmqpError> {
        let mut resolved = std::mem::take(&mut self.resolved);
        let result = self.channel(channel).and_then(|channel| channel.take_unacked(tags, &mut resolved));
        let mut freed = std::mem::take(&mut self.routes);
        if disposition == Disposition::Requeued {
            // Last first: each is then inserted at the front, which is cheap.
            resolved.reverse();
        }
        for unacked in resolved.drain(..) {
            let Some(queue) = self.queues.get_mut(unacked.queue) else {
                continue;
            };
            if let Some(consumer) = unacked.consumer.and_then(|id| queue.consumer_mut(id)) {
                consumer.in_flight = consumer.in_flight.saturating_sub(1);
            }
            match disposition {
                Disposition::Acknowledged => {}
                Disposition::Rejected => queue.dead_letter(unacked.entry, Reason::Rejected, &mut self.dead),
                Disposition::Requeued => queue.requeue(unacked.entry),
            }
            if freed.last() != Some(&unacked.queue) {
                freed.push(unacked.queue);
            }
        }
        self.resolved = resolved;
        // With a shared prefetch, each queue may deliver now.
        for queue in self.sharing_queues(channel) {
            self.dispatch(queue);
        }
        for queue in freed.drain(..) {
            self.dispatch(queue);
        }
        self.routes = freed;
        result
    }

    /// The prefetch of future consumers, or the one that all consumers of the channel share.
    pub(crate) fn set_prefetch(
        &mut self,
        key: Key<ChannelState>,
        count: u16,
        global: bool,
    ) -> Result<(), AmqpError> {
        let channel = self.channel(key)?;
        if !global {
            channel.prefetch = count;
            return Ok(());
        }
        channel.shared_prefetch = count;
        let turn = channel.turn;
        for queue in self.subscribed_queues(&[key], turn) {
            self.dispatch(queue);
        }
        Ok(())
    }

    /// Delivers what a queue can deliver, drops what it must, and publishes the resulting dead letters.
    pub(super) fn dispatch(&mut self, key: Key<Queue>) {
        self.serve(key);
        self.dead_letter();
    }

    /// As `dispatch`, but the caller publishes dead letters.
    pub(super) fn serve(&mut self, key: Key<Queue>) {
        self.deliver_ready(key);
        if let Some(queue) = self.queues.get_mut(key) {
            queue.drop_excess(&self.clock, &mut self.dead);
            queue.schedule(key, &mut self.clock);
        }
    }

    /// Delivers to consumers in turn, while there are messages and a consumer has credit.
    fn deliver_ready(&mut self, key: Key<Queue>) {
        let Some(queue) = self.queues.get_mut(key) else {
            return;
        };
        loop {
            queue.drop_expired(&self.clock, &mut self.dead);
            if queue.is_empty() {
                return;
            }
            let channels = &self.channels;
            let taker = queue.next_consumer(|consumer| {
                consumer.has_credit()
                    && channels.get(consumer.channel).is_some_and(|channel| {
                        (consumer.acknowledgement == Acknowledgement::Automatic || channel.has_credit())
                            && channel.outbox.has_room()
                    })
            });
            let Some(consumer) = taker else {
                return;
            };
            let (id, tag) = (consumer.id, Arc::clone(&consumer.tag));
            let acknowledgement = consumer.acknowledgement;
            if acknowledgement == Acknowledgement::Explicit {
                consumer.in_flight += 1;
            }
            let Some(channel) = self.channels.get_mut(consumer.channel) else {
                return;
            };
            let Some(entry) = queue.pop() else {
                return;
            };
            let delivery_tag = channel.next_tag();
            channel.outbox.push(Output::Deliver {
                channel: channel.number,
                consumer_tag: tag,
                delivery_tag,
                redelivered: entry.redelivered(),
                message: Arc::clone(&entry.message),
            });
            if acknowledgement == Acknowledgement::Explicit {
                channel.remember(Unacked { delivery_tag, queue: key, consumer: Some(id), entry });
            }
        }
    }

    /// Deletes an auto-delete queue with its last consumer; in any other queue the next consumer may be active now.
    pub(super) fn after_consumer_left(&mut self, key: Key<Queue>) {
        let abandoned =
            self.queues.get(key).is_some_and(|queue| queue.spec.auto_delete && queue.consumers().is_empty());
        if abandoned {
            self.drop_queue(key);
        } else {
            if let Some(queue) = self.queues.get_mut(key) {
                queue.touch(&self.clock);
            }
            self.dispatch(key);
        }
    }

    /// Cancels a consumer whose queue is gone.
    pub(super) fn cancel_from_here(&mut self, consumer: &Consumer) {
        let Some(channel) = self.channels.get_mut(consumer.channel) else {
            return;
        };
        channel.unsubscribe(consumer.id);
        if channel.cancel_notify {
            let cancel = basic::AMQPMethod::Cancel(basic::Cancel {
                consumer_tag: (&*consumer.tag).into(),
                nowait: true,
            });
            channel.outbox.push_method(channel.number, AMQPClass::Basic(cancel));
        }
    }

    /// The queues whose consumers share the channel's prefetch, in turn.
    fn sharing_queues(&mut self, key: Key<ChannelState>) -> Vec<Key<Queue>> {
        match self.channels.get_mut(key) {
            Some(channel) if channel.shared_prefetch > 0 => {
                channel.turn = channel.turn.wrapping_add(1);
                let turn = channel.turn;
                self.subscribed_queues(&[key], turn)
            }
            _ => Vec::new(),
        }
    }
}
