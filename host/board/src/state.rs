//! What a consumer does, in a word.

/// What a consumer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is being started, or its source is being opened.
    Opening,
    /// It takes its logs.
    Consuming,
    /// Another host takes its logs.
    StandingBy,
    /// It keeps failing, and is left alone.
    Stopped,
    /// Somebody has paused it.
    Paused,
    /// Its run has ended, or could not begin.
    Ended,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Opening, Self::Consuming, Self::StandingBy, Self::Stopped, Self::Paused, Self::Ended];

    /// Whether it can be asked to measure.
    pub(crate) fn can_measure(self) -> bool {
        matches!(self, Self::Consuming | Self::StandingBy | Self::Paused)
    }

    /// Whether its queue is there, to be asked for its depth.
    pub(crate) fn has_queue(self) -> bool {
        matches!(self, Self::Consuming | Self::StandingBy | Self::Stopped | Self::Paused)
    }

    /// What it is called, for machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Consuming => "consuming",
            Self::StandingBy => "standing_by",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
            Self::Ended => "ended",
        }
    }
}
