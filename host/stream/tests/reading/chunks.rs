//! The framing of chunks: what is right, and what is refused as damaged.

use loghost_stream::testing::ChunkBuilder;
use loghost_stream::{Chunk, ChunkError, Compression, Header, Inflater, Kind};

use super::{messages, read, read_from};

/// A chunk of two messages and a batch of three, offsets 10 to 14.
fn chunk() -> ChunkBuilder {
    let batch = [&b"three"[..], b"four", b""];
    ChunkBuilder::new(10).entry(b"one").entry(b"two").batch(Compression::Gzip, &batch)
}

const ALL: [&[u8]; 5] = [b"one", b"two", b"three", b"four", b""];

/// Why a chunk is refused.
#[track_caller]
fn refused(bytes: &[u8]) -> ChunkError {
    Chunk::parse(bytes).expect_err("a chunk that is refused")
}

#[test]
fn offsets_count_each_record() {
    let bytes = chunk().encode();
    let parsed = Chunk::parse(&bytes).expect("a chunk");
    let header = parsed.header();
    assert_eq!((header.kind, header.entries, header.records), (Kind::User, 3, 5));
    assert_eq!((header.first_offset, header.next_offset(), header.epoch), (10, 15, 1));
    assert_eq!(header.timestamp_ms, 1_790_000_000_000);
    assert_eq!(read(&bytes), messages(10, &ALL));
}

#[test]
fn what_is_before_the_first_offset_wanted_is_stepped_over() {
    let bytes = chunk().encode();
    for from in 0..20 {
        let before = usize::try_from(from).expect("few").saturating_sub(10).min(5);
        let expected = messages(10 + before as u64, &ALL[before..]);
        assert_eq!(read_from(&bytes, from, &mut Inflater::default()), expected, "from {from}");
    }
}

#[test]
fn a_batch_before_the_first_offset_wanted_is_not_inflated() {
    let bytes = ChunkBuilder::new(10).batch(Compression::Zstd, &["one", "two"]).entry(b"three").encode();
    let mut inflater = Inflater::default();
    assert_eq!(read_from(&bytes, 12, &mut inflater), messages(12, &["three"]));
    assert_eq!(inflater.capacity(), 0);
    assert_eq!(read_from(&bytes, 11, &mut inflater), messages(11, &["two", "three"]));
    assert_eq!(inflater.capacity(), 14);
}

/// To readers, `osiris_log` sends the header as it is stored, and the entries without the filter and the trailer.
#[test]
fn filter_and_trailer_may_be_declared_and_not_there() {
    let around = chunk().around(&[7; 16], b"trailer");
    for bytes in [around.encode(), [&around.encode()[..], b"trailer"].concat(), around.encode_stored()] {
        assert_eq!(read(&bytes), messages(10, &ALL));
    }
    for bytes in
        [chunk().around(&[7; 16], b"").encode_stored(), chunk().around(b"", b"trailer").encode_stored()]
    {
        assert_eq!(read(&bytes), messages(10, &ALL));
    }
}

#[test]
fn an_empty_chunk_is_one() {
    assert_eq!(read(&ChunkBuilder::new(3).encode()), []);
    let empty: [&[u8]; 0] = [];
    let bytes = ChunkBuilder::new(3).batch(Compression::None, &empty).entry(b"one").encode();
    assert_eq!(read(&bytes), messages(3, &["one"]));
}

#[test]
fn what_the_broker_tracks_is_told_apart_and_has_no_records() {
    let offset = [&b"\x01\x03app"[..], &42_u64.to_be_bytes()].concat();
    let sequence = [&b"\x00\x02id"[..], &[0; 16]].concat();
    for (kind, entry) in [
        (Kind::TrackingDelta, offset.clone()),
        (Kind::TrackingDelta, [&offset[..], &offset].concat()),
        (Kind::TrackingSnapshot, [&sequence[..], &offset].concat()),
        (Kind::TrackingSnapshot, Vec::new()),
    ] {
        let bytes = ChunkBuilder::new(5).kind(kind).entry(&entry).encode();
        let chunk = Chunk::parse(&bytes).expect("a chunk");
        assert_eq!((chunk.header().kind, chunk.header().next_offset()), (kind, 6));
        assert!(chunk.records(0, &mut Inflater::default()).next_item().is_none());
    }
}

/// The checksum does not cover the kind: messages must not be skipped because of a damaged bit.
#[test]
fn messages_are_not_taken_for_what_the_broker_tracks() {
    for chunk in [chunk(), ChunkBuilder::new(1).entry(&loghost_stream::testing::log(1))] {
        for kind in [Kind::TrackingDelta, Kind::TrackingSnapshot] {
            let error = refused(&chunk.clone().kind(kind).encode());
            assert_eq!(error, ChunkError::Tracking { kind: kind as u8 });
        }
    }
}

#[test]
fn a_header_that_is_none_is_refused() {
    let mut bytes = chunk().encode();
    assert_eq!(refused(&bytes[..47]), ChunkError::Truncated { header: 48, actual: 47 });
    assert_eq!(refused(b""), ChunkError::Truncated { header: 48, actual: 0 });
    bytes[1] = 3;
    assert_eq!(refused(&bytes), ChunkError::Kind(3));
    bytes[0] = 0x51;
    assert_eq!(refused(&bytes), ChunkError::Magic(0x51));
    let last = ChunkBuilder::new(u64::MAX - 1).entry(b"one");
    assert_eq!(read(&last.encode()), messages(u64::MAX - 1, &["one"]));
    let beyond = refused(&last.entry(b"two").encode());
    assert_eq!(beyond, ChunkError::Offset { first: u64::MAX - 1, records: 2 });
}

#[test]
fn no_byte_is_missing_or_added() {
    let bytes = chunk().around(&[7; 16], b"trailer").encode();
    let data = u32::try_from(bytes.len() - 48).expect("few");
    for length in 48..bytes.len() {
        let expected = ChunkError::Length {
            filter: 16,
            data,
            trailer: 7,
            actual: u64::try_from(length - 48).expect("few"),
        };
        assert_eq!(refused(&bytes[..length]), expected);
    }
    assert!(matches!(refused(&[&bytes[..], b"x"].concat()), ChunkError::Length { .. }));
}

#[test]
fn every_damaged_bit_of_the_entries_is_found() {
    let bytes = chunk().encode();
    for bit in 48 * 8..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(refused(&damaged), ChunkError::Crc { .. }), "bit {bit}");
    }
}

/// Timestamp, epoch and the first offset are what nothing in a chunk says twice.
#[test]
fn every_damaged_bit_of_the_header_is_found_that_can_be() {
    let bytes = chunk().encode();
    // What is behind the data's length is of what is not sent, or reserved.
    for bit in (0..8 * 8).chain(32 * 8..40 * 8) {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(Chunk::parse(&damaged).is_err(), "bit {bit}");
    }
}

#[test]
fn a_chunk_that_lies_about_its_entries_is_refused() {
    assert_eq!(refused(&chunk().declare(4, 5).encode()), ChunkError::Entries { declared: 4, actual: 3 });
    assert_eq!(refused(&chunk().declare(2, 5).encode()), ChunkError::Entries { declared: 2, actual: 3 });
    assert_eq!(refused(&chunk().declare(3, 4).encode()), ChunkError::Records { declared: 4, actual: 5 });
    assert_eq!(
        refused(&chunk().declare(3, u32::MAX).encode()),
        ChunkError::Records { declared: u32::MAX, actual: 5 }
    );
}

/// An entry that is longer than the chunk, with a checksum that is right.
#[test]
fn an_entry_that_lies_about_its_length_is_refused() {
    let whole = ChunkBuilder::new(1).entry(&[0x7f; 4]).encode();
    // The message's bytes as an entry: of 0x7f7f7f7f bytes.
    let mut bytes = [&whole[..48], &whole[52..]].concat();
    bytes[32..36].copy_from_slice(&crc(&[0x7f; 4]));
    bytes[36..40].copy_from_slice(&4_u32.to_be_bytes());
    let expected = ChunkError::Entry { entry: 0, needed: 0x7f7f_7f7f + 4, left: 4 };
    assert_eq!(refused(&bytes), expected);
    let (header, _) = Header::parse(&bytes).expect("a header");
    assert_eq!(header.data_length, 4);
}

/// CRC-32, bit by bit.
fn crc(bytes: &[u8]) -> [u8; 4] {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    (!crc).to_be_bytes()
}
