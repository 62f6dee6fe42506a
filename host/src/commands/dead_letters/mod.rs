//! `loghost dead-letters`: lists them, shows one, sends some back, destroys some.

mod look;
mod take;

use std::pin::Pin;

use futures_util::FutureExt;
use loghost_core::application::{DeadLetterQueue, Removal, Selection};
use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::{DeadLetter, DeadQueue, ManagementUrl, Purpose};

use crate::compose::dead_letters::{failure, lost, open};
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::plugins::suggestion::consumer_is_meant;
use crate::compose::target::Target;
use crate::platform::signals::interrupted;
use crate::ui::dead_letters::{Taken, print_finished, say_renewed};
use crate::ui::events::command::{DeadLettersEvent, no_dead_letters};
use crate::ui::terminal::{self, OutputFormat};

/// What `dead-letters` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) target: Target,
    /// Where the broker's management plugin is, if it is not where it usually is.
    pub(crate) management: Option<ManagementUrl>,
    pub(crate) consumer: ConsumerName,
    pub(crate) format: OutputFormat,
    pub(crate) action: Action,
}

/// What is done with them.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    List(Selection),
    /// The one with this number.
    Show(u32),
    Replay(Selection),
    Purge(Selection),
}

/// Does what is asked for with the dead letters of a consumer.
pub(crate) async fn dead_letters(options: Options) -> Result<(), Failure> {
    let mut interrupted = Box::pin(interrupted().status(Status::Internal)?);
    let Options { target, management, consumer, format, action } = options;
    let purpose = match action {
        Action::List(_) | Action::Show(_) => Purpose::Look,
        Action::Replay(_) | Action::Purge(_) => Purpose::Take,
    };
    let opened = tokio::select! {
        biased;
        opened = open(&target, management.as_ref(), &consumer, purpose) => opened?,
        () = &mut interrupted => return Err(Failure::new(Status::Unavailable, "interrupted")),
    };
    let (connection, queue) = opened;
    let Some(queue) = queue else {
        let meant = consumer_is_meant(&connection, management.as_ref(), &target.names, &consumer).await;
        connection.close().await;
        return none_there(&action, format, consumer, meant);
    };
    let session = DeadLetterSession { queue, format, interrupted };
    let session = async {
        match action {
            Action::List(selection) => session.list(&selection).await,
            Action::Show(number) => session.show(number).await,
            Action::Replay(selection) => session.replay(&target, &consumer, &selection).await,
            Action::Purge(selection) => session.purge(&selection).await,
        }
    };
    let done = tokio::select! {
        biased;
        done = session => done,
        // The client answers nothing that is asked of it just after a connection has ended.
        () = connection.end() => Err(lost(&connection)),
    };
    // Whatever was not finished goes back with the connection.
    connection.close().await;
    done
}

/// What it means that a consumer has no dead letters: only who asks for one of them misses it. `meant` is what may be meant instead.
fn none_there(
    action: &Action,
    format: OutputFormat,
    consumer: ConsumerName,
    meant: String,
) -> Result<(), Failure> {
    let missing = || Failure::new(Status::Differs, no_dead_letters(&consumer, &meant));
    let (removal, selection) = match action {
        Action::List(_) => {
            terminal::tell(DeadLettersEvent::None(consumer, meant));
            return Ok(());
        }
        Action::Show(_) => return Err(missing()),
        Action::Replay(selection) => (Removal::Replay, selection),
        Action::Purge(selection) => (Removal::Purge, selection),
    };
    print_finished(removal, &Taken { done: 0, left: Some(0), not_dead_letters: 0, not_logs: 0 }, format)?;
    if selection.is_of_one() {
        return Err(missing());
    }
    terminal::tell(DeadLettersEvent::None(consumer, meant));
    Ok(())
}

/// The dead letters under one command.
struct DeadLetterSession {
    queue: DeadQueue,
    format: OutputFormat,
    interrupted: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl DeadLetterSession {
    /// The next dead letter; none at the end.
    async fn next(&mut self) -> Result<Option<DeadLetter>, Failure> {
        if (&mut self.interrupted).now_or_never().is_some() {
            return Err(Failure::new(Status::Unavailable, "interrupted"));
        }
        self.queue.next().await.map_err(failure)
    }

    /// Leaves what was read where it is; also after an interruption, or when nobody reads the rest.
    async fn leave(self) -> Result<(), Failure> {
        let name = self.queue.name().to_owned();
        say_renewed(&name, self.queue.close().await.map_err(failure)?.renewed);
        Ok(())
    }
}

/// That the dead letter is not there that is called `one`.
fn missing(one: &str, queue: &DeadQueue) -> Failure {
    Failure::new(Status::Differs, format!("there is no {one}: {} has {}", queue.name(), queue.length()))
}
