//! How far a stream goes.

/// How far the member of a stream on the node that was asked goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStatistics {
    /// The offset of the first message; none if there is none.
    pub first_chunk_id: Option<u64>,
    /// The offset of the first message of the last chunk that a majority of members has; none if there is none.
    pub committed_chunk_id: Option<u64>,
    /// The offset of the last message that a majority of members has; none if there is none, or if the broker, before
    /// version 4.3, does not tell.
    pub committed_offset: Option<u64>,
}

impl StreamStatistics {
    /// What is known of what the broker says: names and numbers, of which -1 is none.
    pub(crate) fn of(numbers: &[(String, i64)]) -> Self {
        let number = |wanted: &str| {
            let (_, number) = numbers.iter().find(|(name, _)| name == wanted)?;
            u64::try_from(*number).ok()
        };
        Self {
            first_chunk_id: number("first_chunk_id"),
            committed_chunk_id: number("committed_chunk_id"),
            committed_offset: number("committed_offset"),
        }
    }
}
