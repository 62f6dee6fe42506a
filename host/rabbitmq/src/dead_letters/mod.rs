//! Dead letters: `writer` makes them, `dead_letter` is what one says, `queue` looks after those that are there, `replay` sends
//! them back; both send through `confirmed_sender`.

pub(crate) mod confirmed_sender;
pub(crate) mod dead_letter;
pub(crate) mod queue;
pub(crate) mod replay;
pub(crate) mod writer;
