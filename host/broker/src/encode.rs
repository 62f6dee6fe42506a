//! Turns outputs into bytes.
//!
//! Methods are encoded by the codec; a delivery is encoded here, from the shared message without a copy.

use std::io;

use amq_protocol::{
    frame::{AMQPFrame, ProtocolVersion, WriteContext, gen_frame},
    protocol::{
        AMQPClass,
        constants::{FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_METHOD},
    },
};

use crate::{frame::ENVELOPE, message::Content};

const BASIC: u16 = 60;
const RETURN: u16 = 50;
const DELIVER: u16 = 60;
const GET_OK: u16 = 71;
const ACK: u16 = 80;
const NO_ROUTE: u16 = 312;

pub(crate) fn protocol_header(buffer: &mut Vec<u8>) -> io::Result<()> {
    codec(&AMQPFrame::ProtocolHeader(ProtocolVersion::amqp_0_9_1()), buffer)
}

pub(crate) fn heartbeat(buffer: &mut Vec<u8>) -> io::Result<()> {
    codec(&AMQPFrame::Heartbeat, buffer)
}

pub(crate) fn method(channel: u16, method: AMQPClass, buffer: &mut Vec<u8>) -> io::Result<()> {
    codec(&AMQPFrame::Method(channel, method), buffer)
}

pub(crate) fn ack(channel: u16, delivery_tag: u64, multiple: bool, buffer: &mut Vec<u8>) {
    basic(channel, ACK, buffer, |buffer| {
        buffer.extend(delivery_tag.to_be_bytes());
        buffer.push(multiple.into());
    });
}

/// Without the body, as with the next two.
pub(crate) fn deliver(
    channel: u16,
    consumer_tag: &str,
    delivery_tag: u64,
    redelivered: bool,
    (exchange, content): (&str, &Content),
    buffer: &mut Vec<u8>,
) {
    basic(channel, DELIVER, buffer, |buffer| {
        short_string(consumer_tag.as_bytes(), buffer);
        buffer.extend(delivery_tag.to_be_bytes());
        buffer.push(redelivered.into());
        short_string(exchange.as_bytes(), buffer);
        short_string(content.routing_key(), buffer);
    });
    header(channel, content, buffer);
}

pub(crate) fn get_ok(
    channel: u16,
    delivery_tag: u64,
    redelivered: bool,
    message_count: u32,
    (exchange, content): (&str, &Content),
    buffer: &mut Vec<u8>,
) {
    basic(channel, GET_OK, buffer, |buffer| {
        buffer.extend(delivery_tag.to_be_bytes());
        buffer.push(redelivered.into());
        short_string(exchange.as_bytes(), buffer);
        short_string(content.routing_key(), buffer);
        buffer.extend(message_count.to_be_bytes());
    });
    header(channel, content, buffer);
}

pub(crate) fn no_route(channel: u16, (exchange, content): (&str, &Content), buffer: &mut Vec<u8>) {
    basic(channel, RETURN, buffer, |buffer| {
        buffer.extend(NO_ROUTE.to_be_bytes());
        short_string(b"NO_ROUTE", buffer);
        short_string(exchange.as_bytes(), buffer);
        short_string(content.routing_key(), buffer);
    });
    header(channel, content, buffer);
}

/// The bodies of the frames that carry `content`.
pub(crate) fn body_parts(content: &Content, frame_max: u32) -> impl Iterator<Item = &[u8]> {
    let most = (frame_max as usize).saturating_sub(ENVELOPE).max(1);
    content.body().chunks(most)
}

pub(crate) fn body_part(channel: u16, part: &[u8], buffer: &mut Vec<u8>) {
    frame(FRAME_BODY, channel, buffer, |buffer| {
        buffer.extend_from_slice(part);
    });
}

fn header(channel: u16, content: &Content, buffer: &mut Vec<u8>) {
    frame(FRAME_HEADER, channel, buffer, |buffer| {
        buffer.extend(BASIC.to_be_bytes());
        // The weight, of no use.
        buffer.extend([0, 0]);
        buffer.extend((content.body().len() as u64).to_be_bytes());
        buffer.extend_from_slice(content.properties());
    });
}

fn basic(channel: u16, method: u16, buffer: &mut Vec<u8>, arguments: impl FnOnce(&mut Vec<u8>)) {
    frame(FRAME_METHOD, channel, buffer, |buffer| {
        buffer.extend(BASIC.to_be_bytes());
        buffer.extend(method.to_be_bytes());
        arguments(buffer);
    });
}

fn frame(kind: u8, channel: u16, buffer: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    buffer.push(kind);
    buffer.extend(channel.to_be_bytes());
    let size_at = buffer.len();
    buffer.extend([0; 4]);
    payload(buffer);
    // A payload is at most a frame, which a `u32` measures.
    let size = u32::try_from(buffer.len() - size_at - 4).unwrap_or(u32::MAX);
    buffer[size_at..size_at + 4].copy_from_slice(&size.to_be_bytes());
    buffer.push(FRAME_END);
}

/// Names that are sent were received as short strings, or made up shorter.
fn short_string(text: &[u8], buffer: &mut Vec<u8>) {
    let len = u8::try_from(text.len()).unwrap_or(u8::MAX);
    buffer.push(len);
    buffer.extend_from_slice(&text[..usize::from(len)]);
}

fn codec(frame: &AMQPFrame, buffer: &mut Vec<u8>) -> io::Result<()> {
    let context = WriteContext::from(Vec::new());
    let (bytes, _) = gen_frame(frame)(context).map_err(io::Error::other)?.into_inner();
    buffer.extend(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use amq_protocol::{
        frame::{AMQPContentHeader, parse_frame},
        protocol::basic,
    };

    use super::*;

    /// What is written by hand is what the codec reads.
    #[track_caller]
    fn check(mut bytes: &[u8], expected: basic::AMQPMethod) {
        let content =
            AMQPContentHeader { class_id: BASIC, body_size: 5, properties: basic::AMQPProperties::default() };
        let frames = [AMQPFrame::Method(9, AMQPClass::Basic(expected)), AMQPFrame::Header(9, content)];
        for expected in frames {
            if bytes.is_empty() {
                break;
            }
            let (rest, frame) = parse_frame(bytes).unwrap();
            assert_eq!(frame, expected);
            bytes = rest;
        }
        assert!(bytes.is_empty());
    }

    #[test]
    fn by_hand_is_as_by_codec() {
        let content = Content::of("web-1", "hello");
        let (exchange, routing_key) = ("logs".into(), "web-1".into());

        let mut buffer = Vec::new();
        deliver(9, "c", 7, true, ("logs", &content), &mut buffer);
        let expected = basic::Deliver {
            consumer_tag: "c".into(),
            delivery_tag: 7,
            redelivered: true,
            exchange,
            routing_key,
        };
        check(&buffer, basic::AMQPMethod::Deliver(expected.clone()));

        let mut buffer = Vec::new();
        get_ok(9, 7, false, 3, ("logs", &content), &mut buffer);
        let (exchange, routing_key) = (expected.exchange, expected.routing_key);
        let expected = basic::GetOk {
            delivery_tag: 7,
            redelivered: false,
            exchange: exchange.clone(),
            routing_key: routing_key.clone(),
            message_count: 3,
        };
        check(&buffer, basic::AMQPMethod::GetOk(expected));

        let mut buffer = Vec::new();
        no_route(9, ("logs", &content), &mut buffer);
        let expected =
            basic::Return { reply_code: 312, reply_text: "NO_ROUTE".into(), exchange, routing_key };
        check(&buffer, basic::AMQPMethod::Return(expected));

        let mut buffer = Vec::new();
        ack(9, 8, true, &mut buffer);
        let expected = basic::Ack { delivery_tag: 8, multiple: true };
        check(&buffer, basic::AMQPMethod::Ack(expected));
    }

    #[test]
    fn a_body_is_cut_to_frames() {
        let content = Content::of("q", &"x".repeat(10_000));
        let parts: Vec<_> = body_parts(&content, 4096).map(<[u8]>::len).collect();
        assert_eq!(parts, [4088, 4088, 1824]);
        assert_eq!(body_parts(&Content::of("q", ""), 4096).count(), 0);
    }
}
