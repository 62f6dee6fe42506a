//! What holds whatever a broker, or something else, sends. `PROPTEST_CASES` says how many inputs are tried.

use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::sync::{mpsc, oneshot};

use crate::stream::protocol::command::Request;
use crate::stream::protocol::frame::FrameBuffer;
use crate::stream::protocol::incoming::Incoming;
use crate::stream::protocol::offset::OffsetSpec;
use crate::stream::protocol::session::{Order, Session, Subscribe};
use crate::stream::protocol::subscriptions::ChunkSender;

/// Keys that are known, as commands and as answers, more often than others.
fn key() -> impl Strategy<Value = u16> {
    let known = (0..32_u16, any::<bool>()).prop_map(|(key, answers)| key | (u16::from(answers) << 15));
    prop_oneof![9 => known, 1 => any::<u16>()]
}

/// Numbers as they are lengths and counts: small, or so large that nothing may be allocated for them.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![
        (0..5_u32).prop_map(|number| number.to_be_bytes().to_vec()),
        (0..9_u16).prop_map(|number| number.to_be_bytes().to_vec()),
        Just(vec![0xff; 4]),
        Just(vec![0x7f, 0xff, 0xff, 0xff]),
        vec(any::<u8>(), 0..12),
    ];
    vec(number, 0..12).prop_map(|parts| parts.concat())
}

/// A session that has one request and two subscriptions under way, of which nobody reads the second.
fn session() -> (Session, impl Sized) {
    let mut session = Session::new(4096);
    let (waiter, answered) = oneshot::channel();
    session.order(Order::Ask(Request::Statistics { stream: "s".to_owned() }, waiter));
    let receivers: Vec<_> = [true, false]
        .into_iter()
        .map(|is_read| {
            let (deliveries, chunks) = mpsc::channel(2);
            let reader = ChunkSender { deliveries, end: Arc::default() };
            let ((granted, _), (waiter, answered)) = (oneshot::channel(), oneshot::channel());
            let (stream, from) = ("s".to_owned(), OffsetSpec::First);
            let subscribe = Subscribe { stream, from, credit: 2, properties: Vec::new() };
            session.order(Order::Subscribe(subscribe, reader, granted, waiter));
            is_read.then_some((chunks, answered))
        })
        .collect();
    (session, (answered, receivers))
}

proptest! {
    /// Whatever comes, a session goes on or ends, and does not answer more than it gets.
    #[test]
    fn a_session_survives_any_frames(frames in vec((key(), 1..3_u16, content()), 1..20)) {
        let (mut session, _receivers) = session();
        session.out.clear();
        for (key, version, content) in &frames {
            let frame = [&key.to_be_bytes()[..], &version.to_be_bytes(), content].concat();
            if session.receive(&Bytes::from(frame)).is_err() {
                break;
            }
        }
        prop_assert!(session.out.len() <= 20 * frames.len());
    }

    /// A frame is decoded or refused.
    #[test]
    fn any_frame_is_decoded_or_refused(key in key(), version in 0..4_u16, content in content()) {
        let frame = [&key.to_be_bytes()[..], &version.to_be_bytes(), &content].concat();
        let _ = Incoming::decode(&Bytes::from(frame));
    }

    /// Frames are the same in however many pieces they arrive, and what they hold is what was sent.
    #[test]
    fn frames_are_found_in_any_pieces(
        contents in vec(vec(any::<u8>(), 4..200), 0..8),
        pieces in vec(1..64_usize, 1..40),
    ) {
        let mut sent = Vec::new();
        for content in &contents {
            sent.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
            sent.extend(content);
        }
        let (mut frames, mut found, mut rest) = (FrameBuffer::new(), Vec::new(), &sent[..]);
        for piece in pieces.iter().cycle() {
            let (now, later) = rest.split_at((*piece).min(rest.len()));
            frames.room().extend_from_slice(now);
            while let Some(frame) = frames.next().expect("frames that are not too long") {
                found.push(frame.to_vec());
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(found, contents);
    }

    /// Bytes that are no frames are waited for or refused, without room for what they announce.
    #[test]
    fn any_bytes_are_frames_or_refused(bytes in vec(any::<u8>(), 0..64)) {
        let mut frames = FrameBuffer::new();
        frames.room().extend_from_slice(&bytes);
        while let Ok(Some(frame)) = frames.next() {
            let _ = Incoming::decode(&frame);
        }
        prop_assert!(frames.room().capacity() <= 4 * 1024 * 1024);
    }
}
