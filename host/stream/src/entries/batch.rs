//! A batch of messages in one entry ("sub-entry batch"): its header, and what may be wrong with it.

use std::fmt;

/// The length of a batch's header in bytes: 1 bit, 3 bits of compression, 4 reserved; u16 records; u32 inflated length;
/// u32 length.
pub(crate) const BATCH_HEADER: usize = 11;

/// A batch, as it is in the chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch<'a> {
    /// The number of the compression, of 3 bits.
    pub(crate) compression: u8,
    /// How many messages its producer says that there are; each has an offset.
    pub(crate) records: u16,
    /// How long its producer says that they are, in bytes, when they are inflated.
    pub(crate) inflated: u32,
    pub(crate) data: &'a [u8],
}

impl Batch<'_> {
    /// Reads the header, still without data, and the length of the data.
    pub(crate) fn parse(header: &[u8; BATCH_HEADER]) -> (Self, u32) {
        let [kind, r0, r1, i0, i1, i2, i3, l0, l1, l2, l3] = *header;
        let batch = Self {
            compression: (kind >> 4) & 0b111,
            records: u16::from_be_bytes([r0, r1]),
            inflated: u32::from_be_bytes([i0, i1, i2, i3]),
            data: &[],
        };
        (batch, u32::from_be_bytes([l0, l1, l2, l3]))
    }
}

/// How a batch is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Compression {
    /// Not at all.
    None = 0,
    /// RFC 1952.
    Gzip = 1,
    /// Snappy's framing format, `sNaPpY`.
    Snappy = 2,
    /// LZ4's frame format.
    Lz4 = 3,
    /// Zstandard, RFC 8878.
    Zstd = 4,
}

impl Compression {
    /// Each of them.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    pub(crate) fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|compression| *compression as u8 == number)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no compression",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        })
    }
}

/// What is wrong with a batch. Its producer wrote it so: the broker does not look into batches, and the chunk's checksum
/// is right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// No compression has this number.
    #[error("a batch of the unknown compression {0}")]
    Compression(u8),
    /// It declares more than the reader takes.
    #[error("a batch that declares {declared} bytes, more than the {max} that are allowed")]
    TooLarge {
        /// What it declares, in bytes.
        declared: u32,
        /// What the reader takes, in bytes.
        max: usize,
    },
    /// What is in it is not what its compression makes.
    #[error("a batch that cannot be inflated: {compression}: {reason}")]
    Inflate {
        /// The compression that it declares.
        compression: Compression,
        /// What the decoder says.
        reason: String,
    },
    /// It is shorter than it declares.
    #[error("a batch of {actual} bytes that declares {declared}")]
    Shorter {
        /// What it declares, in bytes.
        declared: u32,
        /// What there is, in bytes.
        actual: usize,
    },
    /// It is longer than it declares.
    #[error("a batch that is longer than the {declared} bytes that it declares")]
    Longer {
        /// What it declares, in bytes.
        declared: u32,
    },
    /// It has more messages, or fewer, than it declares.
    #[error("a batch of {actual} messages that declares {declared}")]
    Records {
        /// What it declares.
        declared: u16,
        /// How many there are.
        actual: u64,
    },
    /// A message in it is longer than what is left of it.
    #[error("a batch whose messages have other lengths than they declare")]
    Framing,
}
