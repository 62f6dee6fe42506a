//! Whether a message is taken out of the dead letters, or stays.

use super::message::FoundMessage;
use super::selection::Selection;

/// How dead letters are taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// They are sent back to their consumer.
    Replay,
    /// They are destroyed.
    Purge,
}

/// What is done with one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is taken out.
    Remove,
    /// It stays: it is not meant.
    NotSelected,
    /// It stays: somebody else has put it there.
    NotDeadLetter,
    /// It stays: the consumer could not read it as a log.
    NotLog,
}

impl Removal {
    /// What is done with a `message` where those of the `selection` are meant.
    pub fn decide(self, selection: &Selection, message: &FoundMessage<'_>) -> Decision {
        if !selection.has(message) {
            return Decision::NotSelected;
        }
        match (self, &message.dead_letter) {
            (_, None) => Decision::NotDeadLetter,
            (Self::Replay, Some(dead_letter)) if !dead_letter.can_be_replayed() => Decision::NotLog,
            (Self::Replay | Self::Purge, Some(_)) => Decision::Remove,
        }
    }
}
