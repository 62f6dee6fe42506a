//! Controlling a run that is under way: for whoever shows it.

use crate::domain::ConsumerName;

/// Controls the consumers of a run.
pub trait RunControl: Send + Sync {
    /// Asks something of a consumer, without waiting for it: what comes of it is told by events.
    fn request(&self, consumer: &ConsumerName, request: Request) -> Result<(), RequestError>;

    /// Asks that the configuration is read again and all plugins are loaded again, without waiting for it.
    fn reload_all(&self) -> Result<(), RequestError>;
}

/// What can be asked of a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// To finish what is in hand, and take no logs until it is resumed.
    Pause,
    /// To go on; of one that is not paused this asks nothing.
    Resume,
    /// To load its plugin again, which takes over if it can; one that has ended begins anew.
    Reload,
    /// To have all its dead letters sent back to it.
    ReplayDeadLetters,
}

impl Request {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pause, Self::Resume, Self::Reload, Self::ReplayDeadLetters];

    /// What it is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Reload => "reload",
            Self::ReplayDeadLetters => "replay-dead-letters",
        }
    }
}

/// A request that is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// There is no such consumer in the run.
    #[error("the run has no consumer of this name")]
    Unknown,
    /// It has ended, and cannot be paused or resumed.
    #[error("the consumer has ended: reload it to try it again")]
    Ended,
    /// It has no dead letters: its queue is a copy, which ends with the run.
    #[error("there are no dead letters to replay: the queues of this run are copies, which have none")]
    NoDeadLetters,
    /// Others wait already.
    #[error("what was asked before is not done yet; try again later")]
    Busy,
}
