//! What is found out about exchanges and queues, and what is done about it: data for whoever observes.

use crate::topology::delivery_limit::{LimitOrigin, Overrun};
use crate::topology::inspection::{Binding, Policy};

/// What happens to exchanges and queues: the adapter's [event](loghost_core::application::Event::Adapter).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopologyEvent {
    /// A queue that exists already has other arguments, and is used as it is.
    QueueDiffers {
        /// The queue.
        queue: String,
        /// Each argument, with both values.
        differences: Vec<String>,
    },
    /// A stream that exists already has other arguments than those that are asked for, and is used as it is.
    StreamDiffers {
        /// The stream.
        stream: String,
        /// Each argument, with both values.
        differences: Vec<String>,
        /// The definition of a policy, as JSON, by which it would have what is asked for.
        policy: String,
    },
    /// A queue that the user may not declare is used as it is: its arguments are not known.
    DeclarationDenied {
        /// The queue.
        queue: String,
    },
    /// A queue that the user may not bind is used as it is.
    BindingDenied {
        /// The queue.
        queue: String,
        /// What it should be bound to, and was not before.
        new: Vec<Binding>,
    },
    /// Whether the broker drops what comes back too often cannot be found out.
    LimitsUnknown {
        /// Why.
        cause: String,
    },
    /// A queue has a delivery limit.
    DeliveryLimit {
        /// The queue.
        queue: String,
        /// How often a message may be returned.
        limit: u32,
        /// Where that comes from.
        origin: LimitOrigin,
        /// What becomes of a message that is returned more often.
        overrun: Overrun,
    },
    /// A message of a queue of which no limit is known was returned.
    Returned {
        /// The queue.
        queue: String,
        /// How often.
        returns: u64,
        /// What becomes of a message that is returned more often than a limit allows.
        overrun: Overrun,
    },
    /// A queue has another policy than before.
    PolicyChanged {
        /// The queue.
        queue: String,
        /// What it has now.
        policy: Policy,
    },
    /// By its policy, a queue drops messages that nobody has read.
    PolicyTakesOut {
        /// The queue.
        queue: String,
        /// The policy, with the keys that do so.
        policy: Policy,
    },
    /// An exchange did not exist: it is declared.
    ExchangeDeclared {
        /// The exchange.
        exchange: String,
    },
    /// An exchange was missing: it is declared and bound again.
    ExchangeRestored {
        /// The exchange.
        exchange: String,
    },
    /// An exchange of others is not there, and nobody says what to declare it as: it is waited for.
    ExchangeMissing {
        /// The exchange.
        exchange: String,
    },
    /// An exchange of others, which was missing or refused, is there: the queue is bound to it.
    ExchangeFound {
        /// The exchange.
        exchange: String,
    },
    /// The broker does not let a queue be bound to an exchange of others.
    ExchangeRefused {
        /// The exchange.
        exchange: String,
        /// What it refuses, and why.
        cause: String,
    },
    /// A queue was missing: it is declared and bound again.
    QueueRestored {
        /// The queue.
        queue: String,
    },
    /// Bindings were missing: they are made again.
    BindingsRestored(QueueBindings),
    /// Bindings are missing, and the user may not add them.
    BindingsMissing(Vec<QueueBindings>),
    /// A queue is bound to exchanges of others that no rule names.
    BindingsUnnamed(QueueBindings),
    /// What is missing cannot be declared or bound, because the broker refuses it.
    CheckRefused {
        /// What it refuses, and why.
        cause: String,
    },
    /// It cannot be found out whether something is missing.
    CheckFailed {
        /// Why.
        cause: String,
    },
    /// The broker cannot do what it is asked for yet: it is asked again.
    NotReady {
        /// What, and why.
        cause: String,
    },
    /// The broker has ended the connection of this consumer, and of those that share it, with internal errors: from now on
    /// it has one of its own.
    ConnectionSeparated,
    /// At the head of a queue is a message that the broker cannot deliver, and that cannot be taken out either: what is behind it
    /// waits.
    UndeliverableStays {
        /// The queue.
        queue: String,
        /// Why.
        cause: String,
    },
    /// A stream has a message that the broker cannot deliver through AMQP 0-9-1: what is behind it waits.
    UndeliverableInStream {
        /// The stream.
        stream: String,
        /// The offset from which on nothing is delivered, if that is known.
        offset: Option<u64>,
        /// Whether the broker is of a version whose stream protocol may not do.
        old: bool,
    },
    /// Logs of a stream were removed that are to be read from the past.
    PastRemoved {
        /// The stream.
        stream: String,
        /// The first offset that was asked for, if it was asked for by an offset.
        wanted: Option<u64>,
        /// The first offset that is still there.
        first: u64,
    },
    /// Streams are read through AMQP 0-9-1, because the broker does not speak the stream protocol.
    StreamsThroughAmqp {
        /// Why.
        cause: String,
    },
    /// Offsets of a stream that is read through AMQP 0-9-1 did not come: those of compressed batches, which the broker leaves
    /// out, or of what it stores there itself.
    OffsetsLeftOut {
        /// The stream.
        stream: String,
        /// The first of the last ones.
        first: u64,
        /// The last.
        last: u64,
        /// How many did not come in all.
        offsets: u64,
    },
    /// The broker does not store how far a consumer has read a stream.
    OffsetNotStored {
        /// The stream.
        stream: String,
    },
    /// A broker has stopped sending what it has of a stream: it is subscribed to again.
    StreamStalled {
        /// The stream.
        stream: String,
        /// Where reading goes on.
        offset: u64,
    },
    /// The user may not unbind the queue of a consumer that reads streams.
    UnbindingDenied {
        /// The queue.
        queue: String,
    },
    /// There are logs in the queue of a consumer that reads streams.
    LeftInQueue {
        /// The queue.
        queue: String,
        /// How many.
        messages: u32,
    },
    /// A queue of dead letters takes no more for now: they are sent again until they are taken.
    DeadLettersRefused {
        /// The queue.
        queue: String,
    },
}

/// A queue with bindings: those that it should have, or some of those, or others that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueBindings {
    /// The queue.
    pub queue: String,
    /// What it is bound to.
    pub bindings: Vec<Binding>,
}
