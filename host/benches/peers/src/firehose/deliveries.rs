//! The deliveries to one consumer, encoded once: what differs from one to the next, its delivery tag and the
//! number in its message id, is written over in place.

use std::io;

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame};
use amq_protocol::protocol::{AMQPClass, basic};
use loghost_peers::log::{BODY, SOURCE, id_prefix, producer, properties};

use super::acknowledged::Acknowledged;
use super::session::encode;

/// How many deliveries are encoded, and sent at once at most.
const BLOCK: usize = 256;

/// Type, channel and size of the frame, class and method, length of the consumer's tag.
const BEFORE_CONSUMER_TAG: usize = 7 + 4 + 1;

/// How deliveries are made, and how many.
#[derive(Clone, Debug)]
pub(crate) struct DeliveryOptions {
    pub(crate) channel: u16,
    pub(crate) consumer_tag: String,
    /// The exchange that the logs seem to have been published to.
    pub(crate) exchange: String,
    /// How many may be unacknowledged.
    pub(crate) prefetch: u64,
    /// How many there are.
    pub(crate) logs: u64,
}

/// The deliveries to one consumer.
pub(crate) struct Deliveries {
    options: DeliveryOptions,
    id_prefix: String,
    delivered: u64,
    pub(crate) acknowledged: Acknowledged,
    block: Block,
}

impl Deliveries {
    pub(crate) fn new(options: DeliveryOptions, number: u32) -> io::Result<Self> {
        let id_prefix = id_prefix(&producer(number));
        let block = Block::new(&options, &id_prefix, 1)?;
        Ok(Self { options, id_prefix, delivered: 0, acknowledged: Acknowledged::default(), block })
    }

    /// How many have been delivered.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// The next deliveries that may be sent; empty if the consumer has to acknowledge first.
    pub(crate) fn next(&mut self) -> io::Result<&[u8]> {
        let under_way = self.delivered.saturating_sub(self.acknowledged.count());
        let window = self.options.prefetch.saturating_sub(under_way);
        let wanted = window.min(self.options.logs - self.delivered);
        let first = self.delivered + 1;
        if first >= self.block.end {
            self.block = Block::new(&self.options, &self.id_prefix, first)?;
        }
        let count = wanted.min(BLOCK as u64).min(self.block.end - first);
        self.delivered += count;
        Ok(self.block.number(first, count))
    }
}

/// Deliveries that differ in their numbers only, which have the same number of digits.
struct Block {
    bytes: Vec<u8>,
    /// The length of each.
    stride: usize,
    tag_at: usize,
    digits_at: usize,
    /// The digits of the next number.
    digits: Vec<u8>,
    /// The first number with more digits.
    end: u64,
}

impl Block {
    fn new(options: &DeliveryOptions, id_prefix: &str, first: u64) -> io::Result<Self> {
        let digits = first.to_string();
        let deliver = basic::Deliver {
            consumer_tag: options.consumer_tag.as_str().into(),
            delivery_tag: first,
            redelivered: false,
            exchange: options.exchange.as_str().into(),
            routing_key: SOURCE.into(),
        };
        let header = AMQPContentHeader {
            class_id: 60,
            body_size: BODY.len() as u64,
            properties: properties(format!("{id_prefix}{digits}")),
        };
        let mut one = Vec::new();
        let method = AMQPClass::Basic(basic::AMQPMethod::Deliver(deliver));
        encode(&AMQPFrame::Method(options.channel, method), &mut one)?;
        encode(&AMQPFrame::Header(options.channel, header), &mut one)?;
        encode(&AMQPFrame::Body(options.channel, BODY.to_vec()), &mut one)?;
        let id_at = one.windows(id_prefix.len()).position(|part| part == id_prefix.as_bytes());
        Ok(Self {
            stride: one.len(),
            bytes: one.repeat(BLOCK),
            tag_at: BEFORE_CONSUMER_TAG + options.consumer_tag.len(),
            digits_at: id_at.map_or(0, |at| at + id_prefix.len()),
            end: u32::try_from(digits.len()).ok().and_then(|n| 10_u64.checked_pow(n)).unwrap_or(u64::MAX),
            digits: digits.into_bytes(),
        })
    }

    /// The deliveries with `count` numbers from `first`, which is the one after the last.
    fn number(&mut self, first: u64, count: u64) -> &[u8] {
        let mut end = 0;
        for (number, delivery) in (first..first + count).zip(self.bytes.chunks_exact_mut(self.stride)) {
            delivery[self.tag_at..][..8].copy_from_slice(&number.to_be_bytes());
            delivery[self.digits_at..][..self.digits.len()].copy_from_slice(&self.digits);
            increment(&mut self.digits);
            end += self.stride;
        }
        &self.bytes[..end]
    }
}

/// Adds one to a number in decimal digits.
fn increment(digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
}

#[cfg(test)]
mod tests {
    use amq_protocol::frame::parse_frame;

    use super::*;

    /// The delivery tags and message ids of what is delivered.
    fn read(mut bytes: &[u8]) -> Vec<(u64, String)> {
        let (mut tags, mut ids) = (Vec::new(), Vec::new());
        while !bytes.is_empty() {
            let (rest, frame) = parse_frame(bytes).unwrap();
            match frame {
                AMQPFrame::Method(3, AMQPClass::Basic(basic::AMQPMethod::Deliver(deliver))) => {
                    assert_eq!(deliver.exchange.as_str(), "logs.error");
                    tags.push(deliver.delivery_tag);
                }
                AMQPFrame::Header(3, header) => {
                    ids.push(header.properties.message_id().as_ref().unwrap().to_string());
                }
                AMQPFrame::Body(3, body) => assert_eq!(body, BODY),
                other => panic!("{other:?}"),
            }
            bytes = rest;
        }
        tags.into_iter().zip(ids).collect()
    }

    #[test]
    fn every_delivery_has_its_own_numbers() {
        let options = DeliveryOptions {
            channel: 3,
            consumer_tag: "tag".into(),
            exchange: "logs.error".into(),
            prefetch: 1000,
            logs: 1234,
        };
        let mut consumer = Deliveries::new(options, 0).unwrap();
        let mut all = Vec::new();
        loop {
            let deliveries = read(consumer.next().unwrap());
            if deliveries.is_empty() {
                assert!(all.len() == 1000 || all.len() == 1234, "{}", all.len());
                if consumer.acknowledged.count() == 900 {
                    break;
                }
                consumer.acknowledged.through(900);
            }
            all.extend(deliveries);
        }
        assert_eq!(all.len(), 1234);
        for ((tag, id), number) in all.iter().zip(1..) {
            assert_eq!(*tag, number);
            assert_eq!(id, &format!("{}{number}", consumer.id_prefix));
        }
    }
}
