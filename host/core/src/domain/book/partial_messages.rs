//! What a book has of messages of streams that are finished in part: their finished logs, each an offset and
//! the index of a log in the message there.

use std::sync::Arc;

use super::tracked::Tracked;
use super::{StreamChange, StreamState};
use crate::domain::StreamPosition;

/// The finished logs of partly finished messages, of each stream that has some. As a ledger has them, they are a stream of its own, [named](SUFFIX) after
/// the stream.
#[derive(Clone, Debug, Default)]
pub(super) struct PartialMessages(Vec<(Arc<str>, Tracked)>);

/// What the name ends with under which a ledger has these logs of a stream. No stream's name has this character.
const SUFFIX: &str = "\0places";

/// The low bits of a log's number, which are its index in the message; the offset is above.
const BITS: u32 = 14;

impl PartialMessages {
    /// Whether this is what a ledger has of such logs, and not of a stream.
    pub(super) fn are_of(state: &StreamState) -> bool {
        state.stream.ends_with(SUFFIX)
    }

    pub(super) fn restore(states: impl IntoIterator<Item = StreamState>) -> Self {
        let partial_messages =
            states.into_iter().map(|state| (state.stream.into(), Tracked::from(state.finished)));
        Self(partial_messages.collect())
    }

    /// Records that the log with this index is finished. One beyond all bounds is not recorded: it is counted again if
    /// the message comes again.
    pub(super) fn finish(&mut self, position: &StreamPosition, index: usize) {
        let Some(number) = number(position.offset, index) else { return };
        let index = self.index_of(position).unwrap_or_else(|| {
            self.0.push((format!("{}{SUFFIX}", position.stream.name).into(), Tracked::default()));
            self.0.len() - 1
        });
        self.0[index].1.insert_interval(number, number);
    }

    /// Whether the log with this index is finished.
    pub(super) fn contains(&self, position: &StreamPosition, index: usize) -> bool {
        let partial_messages = self.index_of(position).map(|index| &self.0[index].1);
        partial_messages
            .zip(number(position.offset, index))
            .is_some_and(|(partial_messages, number)| partial_messages.set.contains(number))
    }

    /// Forgets those that a delivery covers, which is finished.
    pub(super) fn forget(&mut self, position: &StreamPosition) {
        if !self.0.is_empty()
            && let Some(((first, _), (_, last))) = numbers(position.first).zip(numbers(position.offset))
            && let Some(index) = self.index_of(position)
        {
            self.0[index].1.remove_interval(first, last);
        }
    }

    /// What has changed since the last call.
    pub(super) fn changes(&mut self) -> impl Iterator<Item = StreamChange> {
        self.0.iter_mut().filter_map(|(stream, finished)| {
            let (stream, finished) = (Arc::clone(stream), finished.changes());
            (!finished.is_empty()).then_some(StreamChange {
                stream,
                finished,
                fingerprint: None,
                removed: Vec::new(),
            })
        })
    }

    fn index_of(&self, position: &StreamPosition) -> Option<usize> {
        self.0.iter().position(|(name, _)| name.strip_suffix(SUFFIX) == Some(&*position.stream.name))
    }
}

/// The number of the log with this index in the message at this offset; none where it has none.
fn number(offset: u64, index: usize) -> Option<u64> {
    let index = u64::try_from(index).ok().filter(|index| *index < 1 << BITS)?;
    Some(numbers(offset)?.0 + index)
}

/// The numbers of all logs in the message at this offset.
fn numbers(offset: u64) -> Option<(u64, u64)> {
    let first = offset.checked_mul(1 << BITS)?;
    Some((first, first + ((1 << BITS) - 1)))
}
