//! What happens while dead letters are listed, sent back or destroyed.

use loghost_core::application::{Level, Removal};
use loghost_core::domain::ConsumerName;
use serde_json::{Value, json};

use super::{CommandEvent, interrupted};
use crate::ui::dead_letters::removed;

/// What happens to the dead letters of a consumer.
#[derive(Debug)]
pub(crate) enum DeadLettersEvent {
    /// The consumer has none: its name, and what may be meant instead.
    None(ConsumerName, String),
    /// None was listed of the queue, which has so many messages.
    NoneListed {
        /// The queue.
        queue: String,
        /// How many messages it has.
        messages: u32,
    },
    /// None of so many messages of the queue is one of those that were asked for.
    NoneMatches {
        /// The queue.
        queue: String,
        /// How many messages it has.
        messages: u32,
    },
    /// So many were sent back or destroyed.
    Progress {
        /// What is done to them.
        removal: Removal,
        /// To how many it was done.
        done: u32,
        /// How many messages were read.
        read: u32,
        /// How many there are.
        of: u32,
    },
    /// It was interrupted, and the answers to what was sent are waited for.
    Interrupted,
    /// So many messages were written anew, as the queue counts how often one comes back.
    Renewed {
        /// The queue.
        queue: String,
        /// How many messages.
        messages: u32,
    },
    /// So many messages of the queue are no dead letters of the consumer.
    NotDeadLetters {
        /// The queue.
        queue: String,
        /// How many messages.
        messages: u32,
    },
    /// So many dead letters of the queue are no logs, and stay.
    NotLogs {
        /// The queue.
        queue: String,
        /// How many messages.
        messages: u32,
    },
}

impl CommandEvent for DeadLettersEvent {
    fn level(&self) -> Level {
        match self {
            Self::NotDeadLetters { .. } | Self::NotLogs { .. } => Level::Warning,
            _ => Level::Info,
        }
    }

    fn told(&self) -> (&'static str, String, Value) {
        match self {
            Self::None(consumer, meant) => (
                "no_dead_letters",
                no_dead_letters(consumer, meant),
                json!({ "consumer": consumer.as_str() }),
            ),
            Self::NoneListed { queue, messages } => {
                let text = format!("none to list: {queue} has {messages} messages");
                ("none_listed", text, fields(queue, *messages))
            }
            Self::NoneMatches { queue, messages } => {
                let text = format!("none of the {messages} messages in {queue} matches");
                ("none_matches", text, fields(queue, *messages))
            }
            Self::Progress { removal, done, read, of } => {
                let text = format!("{} {done}; looked at {read} of {of}", removed(*removal));
                let action = action(*removal);
                let fields = json!({ "action": action, "done": done, "read": read, "messages": of });
                ("dead_letters_progress", text, fields)
            }
            Self::Interrupted => interrupted(),
            Self::Renewed { queue, messages } => {
                let text = format!(
                    "{queue} counts how often a message comes back, and may drop it for that: {messages} were written anew, in \
                     the same order"
                );
                ("renewed", text, fields(queue, *messages))
            }
            Self::NotDeadLetters { queue, messages } => {
                let text = format!(
                    "{queue} has messages that are no dead letters of this consumer, which stay there: {messages}"
                );
                ("not_dead_letters", text, fields(queue, *messages))
            }
            Self::NotLogs { queue, messages } => {
                ("not_logs", not_logs(queue, *messages), fields(queue, *messages))
            }
        }
    }
}

/// The command that takes dead letters out.
fn action(removal: Removal) -> &'static str {
    match removal {
        Removal::Replay => "replay",
        Removal::Purge => "purge",
    }
}

fn fields(queue: &str, messages: u32) -> Value {
    json!({ "queue": queue, "messages": messages })
}

/// What it means that a consumer has no dead letters; `meant` is what may be meant instead.
pub(crate) fn no_dead_letters(consumer: &ConsumerName, meant: &str) -> String {
    format!(
        "the consumer {consumer} has no dead letters{meant}: none of its logs became one, or the name is mistyped, or it \
         runs under another --prefix"
    )
}

/// Why messages stay that were to be sent back.
pub(crate) fn not_logs(queue: &str, messages: u32) -> String {
    format!(
        "{queue} has messages that cannot be replayed, because nobody knows that they were published as logs (outcome foreign or undeliverable): \
         {messages}; they stay there: publish what they say to a severity's exchange, then purge them"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_one_event_of_two_actions() {
        for (removal, action, text) in [
            (Removal::Replay, "replay", "replayed 2; looked at 3 of 5"),
            (Removal::Purge, "purge", "purged 2; looked at 3 of 5"),
        ] {
            let fields = json!({ "action": action, "done": 2, "read": 3, "messages": 5 });
            let told = DeadLettersEvent::Progress { removal, done: 2, read: 3, of: 5 }.told();
            assert_eq!(told, ("dead_letters_progress", text.to_owned(), fields));
        }
    }
}
