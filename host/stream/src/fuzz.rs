//! What holds whatever the bytes are. `PROPTEST_CASES` says how many are tried.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::testing::{Amqp, ChunkBuilder, MessageBuilder, Width, compress, log};
use crate::{Body, Chunk, Compression, Inflater, Item, Message, Value};

/// The most that a batch may be when it is inflated, here.
const MAX: usize = 100_000;

fn leaf() -> impl Strategy<Value = Amqp> {
    prop_oneof![
        Just(Amqp::Null),
        any::<bool>().prop_map(Amqp::Bool),
        any::<u8>().prop_map(Amqp::Ubyte),
        any::<u16>().prop_map(Amqp::Ushort),
        prop_oneof![0..300_u32, any::<u32>()].prop_map(Amqp::Uint),
        prop_oneof![0..300_u64, any::<u64>()].prop_map(Amqp::Ulong),
        any::<i8>().prop_map(Amqp::Byte),
        any::<i16>().prop_map(Amqp::Short),
        prop_oneof![-200..200_i32, any::<i32>()].prop_map(Amqp::Int),
        prop_oneof![-200..200_i64, any::<i64>()].prop_map(Amqp::Long),
        (-1e30..1e30_f32).prop_map(Amqp::Float),
        (-1e300..1e300_f64).prop_map(Amqp::Double),
        any::<[u8; 4]>().prop_map(Amqp::Decimal32),
        any::<[u8; 8]>().prop_map(Amqp::Decimal64),
        any::<[u8; 16]>().prop_map(Amqp::Decimal128),
        any::<char>().prop_map(Amqp::Char),
        any::<i64>().prop_map(Amqp::Timestamp),
        any::<[u8; 16]>().prop_map(Amqp::Uuid),
        vec(any::<u8>(), 0..300).prop_map(Amqp::Binary),
        ".{0,40}".prop_map(Amqp::String),
        "[a-z:.-]{0,40}".prop_map(Amqp::Symbol),
    ]
}

fn value() -> impl Strategy<Value = Amqp> {
    let array = prop_oneof![
        vec(any::<i64>().prop_map(Amqp::Long), 0..5),
        vec(any::<bool>().prop_map(Amqp::Bool), 0..5),
        vec(".{0,9}".prop_map(Amqp::String), 0..5),
    ];
    let leaf = prop_oneof![9 => leaf(), 1 => array.prop_map(Amqp::Array)];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Amqp::List),
            vec((inner.clone(), inner.clone()), 0..4).prop_map(Amqp::Map),
            (inner.clone(), inner).prop_map(|(of, value)| Amqp::Described(of.into(), value.into())),
        ]
    })
}

fn width() -> impl Strategy<Value = Width> {
    select(&[Width::Compact, Width::Wide][..])
}

prop_compose! {
    fn message()(
        wide: bool,
        durable in proptest::option::of(any::<bool>()),
        annotations in vec(("x-[a-z-]{0,12}", value()), 0..4),
        properties in vec((0..16_usize, leaf()), 0..8),
        application in vec(("[a-z_]{0,12}", value()), 0..4),
        data in vec(vec(any::<u8>(), 0..40), 0..3),
        sequences in vec(vec(value(), 0..3), 0..3),
        body in proptest::option::of(value()),
        kind in 0..3,
    ) -> Vec<u8> {
        let mut message = MessageBuilder::new();
        message = durable.into_iter().fold(message, MessageBuilder::durable);
        message = annotations.into_iter().fold(message, |message, (key, value)| message.annotation(&key, value));
        message = properties.into_iter().fold(message, |message, (index, value)| message.property(index, value));
        message = application.into_iter().fold(message, |message, (key, value)| message.application(&key, value));
        message = match kind {
            0 => data.iter().fold(message, |message, bytes| message.data(bytes)),
            1 => sequences.into_iter().fold(message, MessageBuilder::sequence),
            _ => body.into_iter().fold(message, MessageBuilder::value),
        };
        if wide { message.wide().encode() } else { message.encode() }
    }
}

/// An entry of a chunk.
#[derive(Clone, Debug)]
enum Part {
    Message(Vec<u8>),
    Batch(Compression, Vec<Vec<u8>>),
    /// A batch that declares this compression, so many records and this length.
    Wrong(u8, u16, u32, Vec<u8>),
}

/// Any chunk: messages, and batches that are right or not.
fn chunk() -> impl Strategy<Value = ChunkBuilder> {
    let bytes = || vec(any::<u8>(), 0..60);
    let plain = || vec(bytes(), 0..9);
    let compression = || select(&Compression::ALL[..]);
    let compressed = (compression(), bytes()).prop_map(|(compression, bytes)| compress(compression, &bytes));
    let part = prop_oneof![
        bytes().prop_map(Part::Message),
        (compression(), plain()).prop_map(|(compression, messages)| Part::Batch(compression, messages)),
        (0..8_u8, any::<u16>(), prop_oneof![0..200_u32, any::<u32>()], prop_oneof![bytes(), compressed])
            .prop_map(|(compression, records, inflated, data)| Part::Wrong(
                compression,
                records,
                inflated,
                data
            )),
    ];
    (0..1000_u64, vec(part, 0..6), vec(any::<u8>(), 0..20), bytes()).prop_map(
        |(first, parts, filter, trailer)| {
            let chunk = ChunkBuilder::new(first).around(&filter, &trailer);
            parts.into_iter().fold(chunk, |chunk, part| match part {
                Part::Message(bytes) => chunk.entry(&bytes),
                Part::Batch(compression, messages) => chunk.batch(compression, &messages),
                Part::Wrong(compression, records, inflated, data) => {
                    chunk.raw_batch(compression, records, inflated, &data)
                }
            })
        },
    )
}

/// Looks at everything that a message has.
fn look(bytes: &[u8]) {
    let Ok(message) = Message::parse(bytes) else { return };
    let _ = message.header().map(|list| list.iter().for_each(|value| drop(value.map(Amqp::of))));
    for map in [
        message.delivery_annotations(),
        message.message_annotations(),
        message.application_properties(),
        message.footer(),
    ]
    .into_iter()
    .flatten()
    {
        let _ = (map.get("x-routing-key"), map.get("timestamp_in_ms"));
        for (key, value) in map.iter().flatten() {
            let _ = (Amqp::of(key), Amqp::of(value), value.as_i64());
        }
    }
    if let Ok(properties) = message.properties() {
        let _ = (properties.message_id(), properties.user_id(), properties.to(), properties.subject());
        let _ = (properties.reply_to(), properties.correlation_id(), properties.content_type());
        let _ =
            (properties.content_encoding(), properties.absolute_expiry_time(), properties.creation_time());
        let _ = (properties.group_id(), properties.group_sequence(), properties.reply_to_group_id());
    }
    match message.body() {
        Ok(Body::Data(data)) => assert_eq!(data.clone().bytes().len(), data.map(<[u8]>::len).sum::<usize>()),
        Ok(Body::Sequence(lists)) => lists.for_each(|list| drop(Amqp::of(Value::List(list)))),
        Ok(Body::Value(value)) => drop((Amqp::of(value), format!("{value:?}"))),
        Ok(Body::Empty) | Err(_) => {}
    }
}

/// Looks at everything in a chunk; its offsets, each of which is there once.
fn offsets(bytes: &[u8], from: u64) -> Option<Vec<u64>> {
    let chunk = Chunk::parse(bytes).ok()?;
    let mut inflater = Inflater::new(MAX);
    let mut records = chunk.records(from, &mut inflater);
    let mut offsets = Vec::new();
    while let Some(item) = records.next_item() {
        match item {
            Item::Message { offset, bytes } => {
                offsets.push(offset);
                look(bytes);
            }
            Item::Bad { first, records, error, .. } => {
                offsets.extend((first..).take(usize::from(records)));
                assert!(!error.to_string().is_empty());
            }
        }
    }
    assert_eq!(records.offset(), chunk.header().next_offset());
    assert!(inflater.capacity() <= MAX);
    Some(offsets)
}

proptest! {
    #[test]
    fn any_bytes_are_no_chunk_or_one(bytes in vec(any::<u8>(), 0..200), from: u64) {
        offsets(&bytes, from);
        // Behind the beginning of a chunk, with lengths that are right.
        let mut framed = ChunkBuilder::new(1).raw_batch(0, 0, 0, &bytes).encode();
        framed.drain(48..59);
        framed[36..40].copy_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
        framed[32..36].copy_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        offsets(&framed, from);
    }

    #[test]
    fn any_bytes_are_no_message_or_one(bytes in vec(any::<u8>(), 0..200), section in 0x6f..0x7a_u8) {
        look(&bytes);
        look(&[&[0, 0x53, section][..], &bytes].concat());
    }

    /// Each offset of a chunk is there once and in order, whatever is in it and wherever one begins.
    #[test]
    fn no_record_is_lost(chunk in chunk(), from in prop_oneof![0..1100_u64, any::<u64>()], stored: bool) {
        let bytes = if stored { chunk.encode_stored() } else { chunk.encode() };
        let header = *Chunk::parse(&bytes).expect("a chunk").header();
        let expected: Vec<u64> = (header.first_offset.max(from)..header.next_offset()).collect();
        prop_assert_eq!(offsets(&bytes, from), Some(expected));
    }

    #[test]
    fn a_truncated_chunk_is_refused(chunk in chunk(), cut in any::<proptest::sample::Index>()) {
        let bytes = chunk.around(b"", b"").encode();
        prop_assert_eq!(offsets(&bytes[..cut.index(bytes.len())], 0), None);
    }

    /// Damage of the entries is found. That of the header is, or changes no number of records.
    #[test]
    fn a_damaged_chunk_is_refused(chunk in chunk(), bit in any::<proptest::sample::Index>()) {
        let bytes = chunk.around(b"", b"").encode();
        let bit = bit.index(bytes.len() * 8);
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let found = offsets(&damaged, 0);
        if bit / 8 >= 48 {
            prop_assert_eq!(found, None);
        } else if let Some(found) = found {
            prop_assert_eq!(found.len(), offsets(&bytes, 0).expect("a chunk").len());
        }
    }

    /// As from a producer that damages what it compresses, before the broker computes the checksum.
    #[test]
    fn damage_within_a_batch_costs_no_other_record(
        compression in select(&Compression::ALL[..]),
        messages in vec(vec(any::<u8>(), 0..200), 1..20),
        damage in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let plain: Vec<u8> = messages
            .iter()
            .flat_map(|message| [&u32::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat())
            .collect();
        let mut data = compress(compression, &plain);
        for (at, byte) in damage {
            let at = at.index(data.len());
            data[at] = byte;
        }
        if let Some(cut) = cut {
            data.truncate(cut.index(data.len()));
        }
        let (records, inflated) = (u16::try_from(messages.len()).unwrap(), u32::try_from(plain.len()).unwrap());
        let bytes = ChunkBuilder::new(0)
            .entry(b"before")
            .raw_batch(compression as u8, records, inflated, &data)
            .entry(b"behind")
            .encode();
        prop_assert_eq!(offsets(&bytes, 0), Some((0..u64::from(records) + 2).collect()));
    }

    #[test]
    fn what_is_encoded_is_read_again(value in value(), width in width()) {
        let mut bytes = b"\0\x53\x77".to_vec();
        value.encode(width, &mut bytes);
        let message = Message::parse(&bytes).expect("a message");
        let Body::Value(read) = message.body().expect("a body") else { panic!("no value") };
        prop_assert_eq!(Amqp::of(read).expect("a value"), value);
    }

    #[test]
    fn a_damaged_message_is_read_or_refused(
        message in prop_oneof![message(), (0..1000_u64).prop_map(log)],
        damage in vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        prop_assert!(Message::parse(&message).is_ok());
        let mut bytes = message;
        for (at, byte) in damage {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        look(&bytes);
    }
}
