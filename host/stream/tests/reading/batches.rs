//! Batches: each compression, as other implementations write it as well, and what a producer can do wrongly.

use loghost_stream::testing::{ChunkBuilder, compress};
use loghost_stream::{BatchError, Compression, DEFAULT_MAX_INFLATED, Inflater};

use super::{Found, messages, read, read_from, unhex};

const COMPRESSED: [Compression; 4] =
    [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

/// The length of `MESSAGES`, each behind its length, in bytes.
const LENGTH: u32 = 365;

/// The messages that were compressed by other implementations below: "one", nothing, and a longer one.
fn expected() -> Vec<Vec<u8>> {
    let lines: Vec<String> = (0..20).map(|line| format!("line {line} of a log; ")).collect();
    vec![b"one".to_vec(), Vec::new(), lines.concat().into_bytes()]
}

/// What Python's `gzip` (zlib), `lz4` (liblz4 1.10) and `zstandard` (libzstd 1.5) make of them, and the Snappy frame of
/// `cramjam`: in one piece, in several, and with the settings that clients have.
const FOREIGN: [(&str, Compression, &str); 9] = [
    (
        "gzip",
        Compression::Gzip,
        "1f8b080000000000020365ce3d0a80301044e1152fb24770fc17ef12b0882284ecfd3b2195ccbcf2559f99f551b3b5ba54de9a7df0b8\
         fdf212cfe96d80c7c863e231f35878ac3c361e3b8f43604a152b040bd142b8102f040c1143c8f89b3f1de2f2d86d010000",
    ),
    (
        "two members of gzip",
        Compression::Gzip,
        "1f8b080000000000020363606060cecf4b650003c6b89cccbc54050385fc348544859cfc746b05b08021b200008dc3d0b2320000001f\
         8b080000000000020365cebb0d80300043c1553c02e68f98860250a488ecdf4189fcdaabae3ca77ab54b876abb77d5f2c19030264c09\
         73c292b0266c09ee2086206b6c8daef135c2c6d828fb7f7e01d47016e43b010000",
    ),
    (
        "snappy",
        Compression::Snappy,
        "ff060000734e61507059008d0000c3e8a590ed021c000000036f6e6500050148015e6c696e652030206f662061206c6f673b20051100\
         313e110000323e110000333e110000343e110000353e110000363e110000373e110000383e110000393e1100003146ab0042ac000031\
         42ad00003142ae00003142af00003142b000003142b100003142b200003142b300303139206f662061206c6f673b20",
    ),
    (
        "lz4: linked blocks, each with a checksum, and the content's length, as of Java",
        Compression::Lz4,
        "04224d187c406d010000000000009c7300000081000000036f6e65000100f104015e6c696e652030206f662061206c6f673b2011001c\
         3111001c3211001c3311001c3411001c3511001c3611001c3711001c3811001c3911001e31ab000dac001d31ad001d31ae001d31af00\
         1d31b0001d31b1001d31b2001d31b3001331b400506c6f673b201492a4b500000000690d6d59",
    ),
    (
        "lz4: blocks of 4 MiB, a checksum of the content, as of Go",
        Compression::Lz4,
        "04224d186440a77300000081000000036f6e65000100f104015e6c696e652030206f662061206c6f673b2011001c3111001c3211001c\
         3311001c3411001c3511001c3611001c3711001c3811001c3911001e31ab000dac001d31ad001d31ae001d31af001d31b0001d31b100\
         1d31b2001d31b3001331b400506c6f673b2000000000690d6d59",
    ),
    (
        "zstd: the content's length and checksum",
        Compression::Zstd,
        "28b52ffd646d00150300d402000000036f6e6500015e6c696e652030206f662061206c6f673b20313233343536373839313131313131\
         313131150037e3c466f3d56c66349b6566f3c96c66319b0566f3bd6c0e97f10e200c2002900308038800e400c20022006f9a175a1007\
         8e5636e9",
    ),
    (
        "zstd: flushed in between, without the content's length, as of Java",
        Compression::Zstd,
        "28b52ffd04587c0100f8000000036f6e6500015e6c696e652030206f662061206c6f673b20313233340600c010801c40184091e68516\
         c401cd0100786c3536373839313131313131313131100037e3c466f3d56c66349b6566f3c96c66319b0566f3bd6c0e97f10e200c2002\
         900308032801b8028e5636e9",
    ),
    (
        "zstd: a window of 8 MiB, as of Go",
        Compression::Zstd,
        "28b52ffd0068150300d402000000036f6e6500015e6c696e652030206f662061206c6f673b2031323334353637383931313131313131\
         3131150037e3c466f3d56c66349b6566f3c96c66319b0566f3bd6c0e97f10e200c2002900308038800e400c20022006f9a175a1007",
    ),
    (
        "zstd: a frame to skip, and two frames",
        Compression::Zstd,
        "502a4d1803000000aabbcc28b52ffd2432350100e0000000036f6e6500015e6c696e652030206f662061206c6f673b2031030080459a\
         2d08200e2afdeabd28b52ffd643b007d02008402696e652032206f662061206c6f673b206c696e652033343536373839313031313233\
         3435363738391100c010301f98199805cc0766066601f3ad99f18e110408038800e400c2002200b908994d7d44b139",
    ),
];

/// A chunk whose second entry is a batch that declares what it is told to, between two messages: offsets 7 to 8 + records.
fn around(compression: u8, records: u16, inflated: u32, data: &[u8]) -> Vec<u8> {
    ChunkBuilder::new(7)
        .entry(b"before")
        .raw_batch(compression, records, inflated, data)
        .entry(b"behind")
        .encode()
}

/// What is wrong with a batch, which costs none of the messages around it.
#[track_caller]
fn refused(chunk: &[u8], records: u16, inflater: &mut Inflater) -> BatchError {
    let mut found = read_from(chunk, 0, inflater);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found.pop(), Some(Found::Message(8 + u64::from(records), b"behind".to_vec())));
    match found.pop() {
        Some(Found::Bad(8, number, error)) if number == records => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_compression_is_read() {
    for compression in Compression::ALL {
        let bytes = ChunkBuilder::new(7).batch(compression, &expected()).encode();
        assert_eq!(read(&bytes), messages(7, &expected()), "{compression}");
    }
}

#[test]
fn what_other_implementations_write_is_read() {
    for (name, compression, hex) in FOREIGN {
        let bytes = ChunkBuilder::new(7).raw_batch(compression as u8, 3, LENGTH, &unhex(hex)).encode();
        assert_eq!(read(&bytes), messages(7, &expected()), "{name}");
    }
}

#[test]
fn large_batches_of_many_messages_are_read() {
    let many: Vec<String> =
        (0..u16::MAX).map(|number| format!("message {number} of many, some text")).collect();
    for compression in Compression::ALL {
        let bytes = ChunkBuilder::new(7).batch(compression, &many).entry(b"behind").encode();
        let found = read_from(&bytes, 7 + 65_000, &mut Inflater::default());
        let mut expected = messages(7 + 65_000, &many[65_000..]);
        expected.push(Found::Message(7 + 65_535, b"behind".to_vec()));
        assert_eq!(found, expected, "{compression}");
    }
}

/// Everything up to a byte before the end, and everything with a byte changed: what was compressed has no checksum in
/// each format, so that damage may go unnoticed by the decoder; then the messages' lengths tell, or nothing can.
#[test]
fn a_batch_that_cannot_be_inflated_costs_no_other_entry() {
    for (name, compression, hex) in FOREIGN {
        let data = unhex(hex);
        let mut inflater = Inflater::default();
        for length in 0..data.len() {
            // What follows the last block says nothing that is needed.
            let found = read_from(&around(compression as u8, 3, LENGTH, &data[..length]), 0, &mut inflater);
            if length < data.len() - 16 {
                assert!(matches!(found[1], Found::Bad(8, 3, _)), "{name}, {length} bytes: {found:?}");
            }
            assert_eq!(found.last(), Some(&Found::Message(11, b"behind".to_vec())), "{name}");
        }
    }
    let error = refused(&around(1, 3, LENGTH, b"no gzip"), 3, &mut Inflater::default());
    assert!(matches!(error, BatchError::Inflate { compression: Compression::Gzip, .. }), "{error}");
}

#[test]
fn a_batch_of_another_length_than_it_declares_is_refused() {
    let mut inflater = Inflater::default();
    let plain = b"\0\0\0\x03one\0\0\0\x03two";
    for compression in Compression::ALL {
        let data = compress(compression, plain);
        let number = compression as u8;
        let longer = refused(&around(number, 2, 15, &data), 2, &mut inflater);
        assert_eq!(longer, BatchError::Shorter { declared: 15, actual: 14 }, "{compression}");
        let shorter = refused(&around(number, 2, 13, &data), 2, &mut inflater);
        assert_eq!(shorter, BatchError::Longer { declared: 13 }, "{compression}");
        let none = refused(&around(number, 2, 0, &data), 2, &mut inflater);
        assert_eq!(none, BatchError::Longer { declared: 0 }, "{compression}");
    }
}

#[test]
fn a_batch_of_another_number_of_messages_is_refused() {
    let mut inflater = Inflater::default();
    for compression in Compression::ALL {
        let number = compression as u8;
        let data = compress(compression, b"\0\0\0\x03one\0\0\0\x03two");
        for declared in [1, 3, u16::MAX] {
            let error = refused(&around(number, declared, 14, &data), declared, &mut inflater);
            assert_eq!(error, BatchError::Records { declared, actual: 2 });
        }
        let data = compress(compression, b"\0\0\0\x03one\0\0\0\x04two");
        assert_eq!(refused(&around(number, 2, 14, &data), 2, &mut inflater), BatchError::Framing);
        // The top bit means nothing within a batch.
        let data = compress(compression, b"\0\0\0\x03one\x80\0\0\x03two");
        assert_eq!(refused(&around(number, 2, 14, &data), 2, &mut inflater), BatchError::Framing);
    }
}

#[test]
fn an_unknown_compression_is_refused() {
    for number in 5..8 {
        let error = refused(&around(number, 9, 4, b"what"), 9, &mut Inflater::default());
        assert_eq!(error, BatchError::Compression(number));
    }
}

/// Of a bad batch in whose middle reading begins, what is left is reported.
#[test]
fn a_bad_batch_covers_what_was_asked_for() {
    let bytes = around(5, 4, 4, b"what");
    for (from, first, records) in [(0, 8, 4), (8, 8, 4), (9, 9, 3), (11, 11, 1)] {
        let found = read_from(&bytes, from, &mut Inflater::default());
        let bad = Found::Bad(first, records, BatchError::Compression(5));
        assert!(found.contains(&bad), "from {from}: {found:?}");
    }
    assert_eq!(read_from(&bytes, 12, &mut Inflater::default()), messages(12, &["behind"]));
}

/// What declares more than is allowed is not even begun with, and what is longer than it declares is not kept.
#[test]
fn bombs_take_no_more_memory_than_they_declare() {
    let zeros = vec![0; 16 * 1024 * 1024];
    for compression in COMPRESSED {
        let bomb = compress(compression, &zeros);
        let mut inflater = Inflater::default();
        let declared = 100_000;
        let error = refused(&around(compression as u8, 2, declared, &bomb), 2, &mut inflater);
        assert_eq!(error, BatchError::Longer { declared }, "{compression}");
        assert_eq!(inflater.capacity(), 100_000, "{compression}");
        let mut inflater = Inflater::new(1000);
        let error = refused(&around(compression as u8, 2, 1001, &bomb), 2, &mut inflater);
        assert_eq!(error, BatchError::TooLarge { declared: 1001, max: 1000 });
        assert_eq!(inflater.capacity(), 0);
    }
    // The producer declares much and sends little.
    for compression in COMPRESSED {
        let mut inflater = Inflater::default();
        let declared = u32::try_from(DEFAULT_MAX_INFLATED).expect("fits");
        let error = refused(
            &around(compression as u8, 2, declared, &compress(compression, b"few")),
            2,
            &mut inflater,
        );
        assert_eq!(error, BatchError::Shorter { declared, actual: 3 }, "{compression}");
        assert!(inflater.capacity() <= 64 * 1024, "{compression}");
    }
}

/// A decoder of Zstandard has the window that the frame wants: 128 MiB here, for 365 bytes.
#[test]
fn a_window_beyond_bounds_is_refused() {
    let frame = unhex(
        "28b52ffd0088150300d402000000036f6e6500015e6c696e652030206f662061206c6f673b2031323334353637383931313131313131\
         3131150037e3c466f3d56c66349b6566f3c96c66319b0566f3bd6c0e97f10e200c2002900308038800e400c20022006f9a175a1007",
    );
    let error = refused(&around(4, 3, LENGTH, &frame), 3, &mut Inflater::default());
    assert!(error.to_string().contains("window_size"), "{error}");
}

#[test]
fn the_checksums_of_what_was_compressed_are_compared() {
    for (name, compression, hex) in FOREIGN {
        // The last byte is of the content's checksum or length, where there is one.
        let checked = !matches!(
            name,
            "snappy" | "zstd: a window of 8 MiB, as of Go" | "zstd: a frame to skip, and two frames"
        );
        let mut data = unhex(hex);
        if let Some(last) = data.last_mut().filter(|_| checked) {
            *last ^= 1;
            let error = refused(&around(compression as u8, 3, LENGTH, &data), 3, &mut Inflater::default());
            assert!(matches!(error, BatchError::Inflate { .. }), "{name}: {error}");
        }
    }
}
