//! What the consumers of a run read.

/// What the consumers of a run read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Queues,
    Streams,
}

/// Streams, by their names.
pub(crate) fn named_streams(streams: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = streams.iter().map(AsRef::as_ref).collect();
    let noun = if names.len() == 1 { "stream" } else { "streams" };
    format!("the {noun} {}", names.join(", "))
}
