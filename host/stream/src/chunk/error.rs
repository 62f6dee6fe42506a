//! Why a chunk cannot be read.

/// What is wrong with a chunk. It was damaged on the way, or is no chunk: nothing of it may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// It ends in its header.
    #[error("a chunk of {actual} bytes is shorter than its header of {header}")]
    Truncated {
        /// The length of a header in bytes.
        header: usize,
        /// The length of what is there in bytes.
        actual: usize,
    },
    /// The first byte is not that of a chunk, or of a later version of the format.
    #[error("a chunk that begins with byte {0:#04x} instead of 0x50: of another format, or damaged")]
    Magic(u8),
    /// No kind of chunk has this number.
    #[error("a chunk of the unknown type {0}: of another format, or damaged")]
    Kind(u8),
    /// The lengths in the header are not those of what is there.
    #[error(
        "{actual} bytes behind a chunk's header that declares {data} of data, {filter} of filter and {trailer} of trailer"
    )]
    Length {
        /// The declared length of the filter in bytes.
        filter: u8,
        /// The declared length of the entries in bytes.
        data: u32,
        /// The declared length of the trailer in bytes.
        trailer: u32,
        /// The length of what is there in bytes.
        actual: u64,
    },
    /// The entries are not those that the broker stored.
    #[error(
        "a chunk with the checksum {actual:#010x} instead of {declared:#010x}: it was damaged on the way"
    )]
    Crc {
        /// What the header declares.
        declared: u32,
        /// What the entries have.
        actual: u32,
    },
    /// An entry is longer than what is left of the chunk.
    #[error("entry {entry} of a chunk needs {needed} bytes, and {left} are left")]
    Entry {
        /// Which, from 0 on.
        entry: u32,
        /// Its length in bytes.
        needed: u64,
        /// What is left in bytes.
        left: usize,
    },
    /// There are more entries, or fewer, than the header declares.
    #[error("a chunk with {actual} entries instead of {declared}")]
    Entries {
        /// What the header declares.
        declared: u16,
        /// How many there are.
        actual: u32,
    },
    /// There are more records, or fewer, than the header declares.
    #[error("a chunk with {actual} records instead of {declared}")]
    Records {
        /// What the header declares.
        declared: u32,
        /// How many there are.
        actual: u64,
    },
    /// Its last offset would not fit 64 bits.
    #[error("a chunk with {records} records from offset {first} on, which exceeds 64 bits")]
    Offset {
        /// The first offset.
        first: u64,
        /// How many records the header declares.
        records: u32,
    },
    /// It says that it holds what the broker tracks, and does not.
    #[error("a chunk of type {kind} that does not hold tracking data: damaged")]
    Tracking {
        /// The number of its kind.
        kind: u8,
    },
}
