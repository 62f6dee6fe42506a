//! The requests whose answers have not come.

use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::stream::protocol::error::{ProtocolError, Unsendable};
use crate::stream::protocol::incoming::Answer;
use crate::stream::protocol::subscriptions::Key;

/// Who waits for the answer to a request, or why there is none.
pub(crate) type Waiter = oneshot::Sender<Result<Answer, Unsendable>>;

/// The requests whose answers have not come.
#[derive(Default)]
pub(crate) struct Requests {
    next: u32,
    waiting: HashMap<u32, Waiting>,
}

struct Waiting {
    /// What kind of answer belongs to it.
    key: u16,
    then: AnswerUse,
}

/// What the answer is for.
pub(crate) enum AnswerUse {
    /// For who waits for it.
    Tell(Waiter),
    /// For a subscription that begins, and who waits for that.
    Subscribe(Key, Waiter),
    /// For a subscription that ends, and who waits for that, if anybody does.
    Unsubscribe(Key, Option<Waiter>),
    /// For the end of the connection.
    Close,
}

impl Requests {
    /// The correlation id of the next request.
    pub(crate) fn next(&self) -> u32 {
        self.next
    }

    /// Notes that the next request was sent.
    pub(crate) fn add(&mut self, key: u16, then: AnswerUse) {
        // An answer for which nobody waits any more may never come.
        self.waiting
            .retain(|_, waiting| !matches!(&waiting.then, AnswerUse::Tell(waiter) if waiter.is_closed()));
        self.waiting.insert(self.next, Waiting { key, then });
        self.next = self.next.wrapping_add(1);
    }

    /// What an answer is for; none if nobody waits for it any more.
    pub(crate) fn take(&mut self, answer: &Answer) -> Result<Option<AnswerUse>, ProtocolError> {
        match self.waiting.remove(&answer.correlation) {
            Some(waiting) if waiting.key != answer.key => {
                Err(ProtocolError::Mismatch { answer: answer.key, request: waiting.key })
            }
            waiting => Ok(waiting.map(|waiting| waiting.then)),
        }
    }
}
