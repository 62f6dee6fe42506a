//! `loghost dead-letters`

use std::num::NonZeroU32;

use loghost_core::application::{Cause, Selection};
use loghost_core::domain::{ConsumerName, Pattern, Severity};

use super::connection::AskingArgs;
use super::{FormatArg, parse};
use crate::commands::dead_letters::{Action, Options};
use crate::compose::failure::{Failure, Status};

/// Looks after what a consumer did not count
///
/// The exit status is 1 if the dead letter is not there that is asked for by its number or id.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Args {
    /// Lists them, and leaves them where they are
    List {
        #[command(flatten)]
        consumer: DeadLetterArgs,

        #[command(flatten)]
        filter: FilterArgs,

        /// How many to list at most
        #[arg(long, value_name = "N", value_parser = parse::from_one::<NonZeroU32>)]
        limit: Option<NonZeroU32>,
    },
    /// Shows one in full
    Show {
        #[command(flatten)]
        consumer: DeadLetterArgs,

        /// Its number, as `list` has it
        #[arg(value_name = "NUMBER", help_heading = "Arguments", value_parser = parse::from_one::<NonZeroU32>)]
        number: NonZeroU32,
    },
    /// Sends them back to the consumer that they came from, and to no other
    ///
    /// May be interrupted at any point: each is taken out of the dead letters when the broker has it in the
    /// consumer's queue.
    Replay {
        #[command(flatten)]
        consumer: DeadLetterArgs,

        #[command(flatten)]
        which: WhichArgs,
    },
    /// Destroys them
    Purge {
        #[command(flatten)]
        consumer: DeadLetterArgs,

        #[command(flatten)]
        which: WhichArgs,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct DeadLetterArgs {
    /// Name of the consumer
    #[arg(value_name = "CONSUMER", value_parser = parse::consumer)]
    consumer: ConsumerName,

    #[command(flatten)]
    asking: AskingArgs,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Which")]
pub(super) struct FilterArgs {
    /// Only those of this severity; may be given several times
    #[arg(long, value_name = "SEVERITY", value_parser = parse::severity)]
    severity: Vec<Severity>,

    /// Only those whose source matches: words separated by dots, `*` for one word, `#` for any number
    #[arg(long, value_name = "PATTERN", value_parser = |text: &str| Pattern::new(text))]
    source: Option<Pattern>,

    /// Only those that came to this end; may be given several times
    #[arg(long, value_name = "OUTCOME")]
    outcome: Vec<OutcomeArg>,

    /// Only those whose reason contains this
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Only those with this message id
    #[arg(long, value_name = "ID")]
    id: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Which")]
pub(super) struct WhichArgs {
    /// All of them
    #[arg(long, conflicts_with_all = ["number", "severity", "source", "outcome", "reason", "id", "max"])]
    all: bool,

    /// The one with this number, as `list` has it now
    #[arg(long, value_name = "N", value_parser = parse::from_one::<NonZeroU32>)]
    number: Option<NonZeroU32>,

    #[command(flatten)]
    filter: FilterArgs,

    /// At most this many, from the front
    #[arg(long, value_name = "N", value_parser = parse::from_one::<NonZeroU32>)]
    max: Option<NonZeroU32>,
}

/// How a log came to be a dead letter.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum OutcomeArg {
    /// The consumer rejected it.
    #[value(alias = Cause::Rejected.as_str())]
    Reject,
    /// It was tried as often as it may be.
    #[value(alias = Cause::RetriesExhausted.as_str())]
    Retry,
    /// The consumer failed at it.
    #[value(alias = Cause::Trapped.as_str())]
    Trap,
    /// It was not published as a log.
    Foreign,
    /// The broker could not deliver it.
    Undeliverable,
    /// The consumer's filter does not want it.
    Unwanted,
    /// It had come through too many consumers that publish
    #[value(alias = Cause::Looped.as_str())]
    Loop,
    /// The broker took it out of the consumer's queue, because it had come back too often.
    Dropped,
}

impl From<OutcomeArg> for Cause {
    fn from(outcome: OutcomeArg) -> Self {
        match outcome {
            OutcomeArg::Reject => Self::Rejected,
            OutcomeArg::Retry => Self::RetriesExhausted,
            OutcomeArg::Trap => Self::Trapped,
            OutcomeArg::Foreign => Self::Foreign,
            OutcomeArg::Undeliverable => Self::Undeliverable,
            OutcomeArg::Unwanted => Self::Unwanted,
            OutcomeArg::Loop => Self::Looped,
            OutcomeArg::Dropped => Self::Dropped,
        }
    }
}

impl From<FilterArgs> for Selection {
    fn from(args: FilterArgs) -> Self {
        Self {
            number: None,
            severities: args.severity,
            source: args.source,
            causes: args.outcome.into_iter().map(Cause::from).collect(),
            reason: args.reason,
            id: args.id,
            max: None,
        }
    }
}

impl TryFrom<WhichArgs> for Selection {
    type Error = Failure;

    fn try_from(args: WhichArgs) -> Result<Self, Failure> {
        let number = args.number.map(NonZeroU32::get);
        let max = args.max.map(NonZeroU32::get);
        let selection = Self { number, max, ..args.filter.into() };
        // What is said here may be destroyed.
        if selection == Self::default() && !args.all {
            let text = "which of them? say --all, or --number N, --id ID, --severity SEVERITY, \
                        --source PATTERN, --outcome OUTCOME, --reason TEXT or --max N";
            return Err(Failure::new(Status::Usage, text));
        }
        Ok(selection)
    }
}

impl TryFrom<Args> for Options {
    type Error = Failure;

    fn try_from(args: Args) -> Result<Self, Failure> {
        let (consumer, action) = match args {
            Args::List { consumer, filter, limit } => {
                let max = limit.map(NonZeroU32::get);
                (consumer, Action::List(Selection { max, ..filter.into() }))
            }
            Args::Show { consumer, number } => (consumer, Action::Show(number.get())),
            Args::Replay { consumer, which } => (consumer, Action::Replay(which.try_into()?)),
            Args::Purge { consumer, which } => (consumer, Action::Purge(which.try_into()?)),
        };
        Ok(Self {
            target: consumer.asking.connection.target()?,
            management: consumer.asking.management.url()?,
            consumer: consumer.consumer,
            format: FormatArg::or_default(consumer.asking.format),
            action,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn an_outcome_has_the_name_of_headers_and_that_of_figures() {
        for cause in Cause::ALL {
            for name in [loghost_rabbitmq::outcome(cause), cause.as_str()] {
                let outcome = OutcomeArg::from_str(name, false).expect(name);
                assert_eq!(Cause::from(outcome), cause, "{name}");
            }
        }
    }
}
