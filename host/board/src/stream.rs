//! How far a consumer is behind in a stream.

use loghost_core::application::NextOffset;

use crate::depths::Depths;

/// How far a consumer is in a stream, and how far the stream goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamProgress<'a> {
    /// Its name.
    pub stream: &'a str,
    /// The offset up to which all is finished and safe; none before the first.
    pub committed: Option<u64>,
    /// The offset of the last log; none of an empty stream, or where it is not known.
    pub last: Option<u64>,
    /// How many offsets there are behind the one that is committed, where that is known.
    pub lag: Option<u64>,
}

impl<'a> StreamProgress<'a> {
    /// That of a consumer that goes on at `next`.
    pub fn of(next: &'a NextOffset, depths: &Depths) -> Self {
        let end = depths.ends.get(&next.stream).copied();
        Self {
            stream: &next.stream,
            committed: next.of_log().checked_sub(1),
            last: end.and_then(|end| end.checked_sub(1)),
            lag: end.map(|end| end.saturating_sub(next.of_log())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn the_lag_is_what_is_behind_the_committed_offset() {
        let stream: Arc<str> = Arc::from("logs.error");
        let progress = |position, end: Option<u64>| {
            let ends = BTreeMap::from_iter(end.map(|end| (Arc::clone(&stream), end)));
            let next = NextOffset { stream: Arc::clone(&stream), offset: position, fingerprint: None };
            let StreamProgress { committed, last, lag, .. } =
                StreamProgress::of(&next, &Depths { ends, ..Depths::default() });
            (committed, last, lag)
        };
        // A position is one more than the offset of a log there.
        assert_eq!(progress(8, Some(10)), (Some(6), Some(9), Some(3)));
        assert_eq!(progress(11, Some(10)), (Some(9), Some(9), Some(0)));
        assert_eq!(progress(1, Some(0)), (None, None, Some(0)));
        assert_eq!(progress(8, None), (Some(6), None, None));
        // It has moved since the end was looked at.
        assert_eq!(progress(20, Some(10)).2, Some(0));
    }
}
