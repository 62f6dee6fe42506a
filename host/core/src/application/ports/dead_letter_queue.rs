//! Where dead letters wait, for whoever sends them back or destroys them.

use std::future::Future;

use crate::application::FoundMessage;

/// The dead letters of one consumer, which are gone through once, from the front. What is read stays where it was, unless it is
/// taken out.
pub trait DeadLetterQueue: Send + 'static {
    /// A message among them.
    type Message: Send;
    /// Why they cannot be read any more, or one cannot be taken out.
    type Error: Send + 'static;

    /// How many messages there were when it was opened. No more are read.
    fn length(&self) -> u32;

    /// How many of them have been read.
    fn read(&self) -> u32;

    /// The next message; none at the end. Is awaited to its end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Message>, Self::Error>> + Send;

    /// What is known of a message.
    fn found(message: &Self::Message) -> FoundMessage<'_>;

    /// How many bytes a message has.
    fn size(message: &Self::Message) -> usize;

    /// Leaves the message that was read last where it is.
    fn leave(&mut self, message: Self::Message);

    /// Takes the message that was read last out, for good, once the future is polled.
    fn discard(
        &mut self,
        message: &Self::Message,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + use<Self>;

    /// So many messages were to be taken out, and were not: they stay.
    fn expect_back(&mut self, messages: u32);
}

/// The way from the dead letters in `Q` back to their consumer.
pub trait DeadLetterReturn<Q: DeadLetterQueue>: Sync + 'static {
    /// Sends the message that was read last back; it is taken out of `queue` when it is safe with its consumer. Any number may
    /// be under way, in one `FuturesUnordered`.
    fn send(
        &self,
        queue: &mut Q,
        message: Q::Message,
    ) -> impl Future<Output = Result<(), Q::Error>> + Send + use<Self, Q>;
}
