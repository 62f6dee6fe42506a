//! Dead letters: `writer` publishes them, `dead_letter` is what one says, `queue` reads them, `replay` sends them back; both
//! publish through `confirmed_sender`. `acknowledger` takes those that are finished out of the queue, by `acknowledgements`;
//! `error` is why that cannot go on.

pub(crate) mod acknowledgements;
pub(crate) mod acknowledger;
pub(crate) mod confirmed_sender;
pub(crate) mod dead_letter;
pub(crate) mod error;
pub(crate) mod queue;
pub(crate) mod replay;
pub(crate) mod writer;
