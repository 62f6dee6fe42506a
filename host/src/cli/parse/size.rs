//! Sizes.

use bytesize::ByteSize;
use loghost_system::STACK;

/// The most stack that a plugin may be given: the host's own calls around it need room as well.
const MOST_STACK: ByteSize = ByteSize(STACK as u64 / 2);

/// A page of WebAssembly's memory.
const PAGE: ByteSize = ByteSize(64 << 10);

/// With less than this, the embedded broker would hold publishers back from the beginning.
const LEAST_QUEUES: ByteSize = ByteSize(64 << 10);

/// All that a plugin's addresses reach.
const MOST_MEMORY: ByteSize = ByteSize(1 << 32);

/// What the broker has numbers for.
const MOST_OF_STREAM: ByteSize = ByteSize(1 << 62);

/// The broker's index of a segment has 32 bits for where a chunk is.
const MOST_OF_SEGMENT: ByteSize = ByteSize(3_000_000_000);

/// A number of bytes such as `64MiB`; not zero.
pub(in crate::cli) fn bytes(text: &str) -> Result<ByteSize, String> {
    match text.parse::<ByteSize>() {
        Ok(ByteSize(0)) => Err("must be greater than zero".to_owned()),
        Ok(size) => Ok(size),
        Err(_) => Err("expected a size such as 64MiB or 512KiB".to_owned()),
    }
}

/// A size of memory for queued messages, enough to take some.
pub(in crate::cli) fn queue_memory(text: &str) -> Result<ByteSize, String> {
    match bytes(text)? {
        size if size < LEAST_QUEUES => Err(format!("expected at least {LEAST_QUEUES}, such as 64MiB")),
        size => Ok(size),
    }
}

/// A size of memory: at least a page of WebAssembly's, of which every plugin has one.
pub(in crate::cli) fn memory(text: &str) -> Result<ByteSize, String> {
    match bytes(text)? {
        size if size < PAGE => Err(format!("a plugin has at least {PAGE}; expected a size such as 64MiB")),
        size if size > MOST_MEMORY => {
            Err(format!("a plugin's addresses have 32 bits: expected at most {MOST_MEMORY}"))
        }
        size => Ok(size),
    }
}

/// A size of stack: at most what the engine and the host's threads have room for.
pub(in crate::cli) fn stack(text: &str) -> Result<ByteSize, String> {
    match bytes(text)? {
        size if size > MOST_STACK => Err(format!("expected at most {MOST_STACK}")),
        size => Ok(size),
    }
}

/// A size of a stream: what the broker has numbers for.
pub(in crate::cli) fn stream_size(text: &str) -> Result<ByteSize, String> {
    at_most(MOST_OF_STREAM, text, "20GB or 500MB")
}

/// A size of a segment of a stream.
pub(in crate::cli) fn segment(text: &str) -> Result<ByteSize, String> {
    at_most(MOST_OF_SEGMENT, text, "500MB or 50MB")
}

fn at_most(most: ByteSize, text: &str, like: &str) -> Result<ByteSize, String> {
    match text.parse::<ByteSize>() {
        Ok(ByteSize(0)) => Err("must be greater than zero".to_owned()),
        Ok(size) if size > most => Err(format!("expected at most {most}")),
        Ok(size) => Ok(size),
        Err(_) => Err(format!("expected a size such as {like}")),
    }
}
