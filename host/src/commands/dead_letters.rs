//! `loghost dead-letters`: lists them, shows one, sends some back, destroys some.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt;
use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::{
    Connection, DeadLetter, DeadLetterHeaders, DeadQueue, DeadQueueError, Left, ManagementUrl, Purpose,
    Replay,
};
use serde_json::json;

use crate::commands::dead_letter_batch::{Answer, Settled, SettledEnd, settle};
use crate::commands::selection::Selection;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::limits;
use crate::compose::suggestion::consumer_is_meant;
use crate::compose::target::{Target, refused};
use crate::platform::signals::interrupted;
use crate::ui::dead_letters;
use crate::ui::terminal::{self, Format, Reader};

/// What `dead-letters` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) target: Target,
    /// Where the broker's management plugin is, if it is not where it usually is.
    pub(crate) management: Option<ManagementUrl>,
    pub(crate) consumer: ConsumerName,
    pub(crate) format: Format,
    pub(crate) action: Action,
}

/// What was done to those that are not where they were.
const REPLAYED: &str = "replayed";
const PURGED: &str = "purged";

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
        let text = format!(
            "the consumer {consumer} has no dead letters{meant}: it has not run here, or has counted all that it got, or runs under \
             another --prefix"
        );
        return none_there(&action, format, text);
    };
    let tending = Tending { queue, format, interrupted };
    let tending = async {
        match action {
            Action::List(selection) => tending.list(&selection).await,
            Action::Show(number) => tending.show(number).await,
            Action::Replay(selection) => tending.replay(&target, &consumer, &selection).await,
            Action::Purge(selection) => tending.purge(&selection).await,
        }
    };
    let done = tokio::select! {
        biased;
        done = tending => done,
        // The client answers nothing that is asked of it just after a connection has ended.
        () = connection.end() => Err(Failure::new(
            Status::Unavailable,
            format!("lost the connection to the broker at {}: what is not confirmed elsewhere is still there", connection.address()),
        )),
    };
    // Whatever was not settled goes back with the connection.
    connection.close().await;
    done
}

/// What it means that a consumer has no dead letters, which `text` says: only who asks for one of them misses it.
fn none_there(action: &Action, format: Format, text: String) -> Result<(), Failure> {
    let (verb, selection) = match action {
        Action::List(_) => {
            terminal::notice(&text);
            return Ok(());
        }
        Action::Show(_) => return Err(Failure::new(Status::Differs, text)),
        Action::Replay(selection) => (REPLAYED, selection),
        Action::Purge(selection) => (PURGED, selection),
    };
    let nothing = Settled { done: 0, strangers: 0, not_logs: 0, end: SettledEnd::Done };
    print_settled(verb, &nothing, Some(0), format)?;
    if selection.one().is_some() {
        return Err(Failure::new(Status::Differs, text));
    }
    terminal::notice(&text);
    Ok(())
}

/// Opens the queue of dead letters, if there is one.
async fn open(
    target: &Target,
    management: Option<&ManagementUrl>,
    consumer: &ConsumerName,
    purpose: Purpose,
) -> Result<(Arc<Connection>, Option<DeadQueue>), Failure> {
    let link = target.connect("dead letters").await?;
    let connection = link.connection().await.map_err(|error| target.unreachable(&error))?;
    let limit = limits::of_queue(&connection, management, &target.names.dead_queue(consumer)).await;
    let opening = || DeadQueue::open(&connection, &target.names, consumer, purpose, limit.clone()).boxed();
    let queue = target.retry.until_ready(terminal::tell, opening).await.map_err(refused)?;
    Ok((connection, queue))
}

/// The dead letters under one command.
struct Tending {
    queue: DeadQueue,
    format: Format,
    interrupted: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Tending {
    /// The next letter; none at the end.
    async fn next(&mut self) -> Result<Option<DeadLetter>, Failure> {
        if (&mut self.interrupted).now_or_never().is_some() {
            return Err(Failure::new(Status::Unavailable, "interrupted"));
        }
        self.queue.next().await.map_err(failure)
    }

    async fn list(mut self, selection: &Selection) -> Result<(), Failure> {
        let listed = self.list_all(selection).await;
        let (name, length) = (self.queue.name().to_owned(), self.queue.length());
        let left = self.leave().await;
        if listed? == 0 {
            terminal::notice(&format!("none to list: {name} has {length} messages"));
        }
        left
    }

    /// Lists them as long as somebody reads that; says how many.
    async fn list_all(&mut self, selection: &Selection) -> Result<u32, Failure> {
        let mut listed = 0;
        while selection.max.is_none_or(|max| listed < max) {
            let Some(letter) = self.next().await? else { break };
            let line = selection.has(&letter).then(|| self.line(&letter, listed == 0)).transpose()?;
            self.queue.leave(letter);
            let Some(line) = line else { continue };
            listed += 1;
            if self.show_text(line).await? == Reader::Gone {
                break;
            }
        }
        Ok(listed)
    }

    fn line(&self, letter: &DeadLetter, is_first: bool) -> Result<String, Failure> {
        match self.format {
            Format::Text if is_first => {
                Ok(format!("{}\n{}", dead_letters::head(), dead_letters::line(letter)))
            }
            Format::Text => Ok(dead_letters::line(letter)),
            Format::Json => terminal::json_line(&dead_letters::object(letter)).map_err(Failure::from),
        }
    }

    /// Shows a text to whoever reads, who may take any time.
    async fn show_text(&mut self, text: String) -> Result<Reader, Failure> {
        tokio::select! {
            biased;
            () = &mut self.interrupted => Err(Failure::new(Status::Unavailable, "interrupted")),
            printed = terminal::printed(text) => printed.map_err(Failure::from),
        }
    }

    async fn show(mut self, number: u32) -> Result<(), Failure> {
        let found = self.show_it(number).await;
        let absent = missing(&format!("number {number}"), &self.queue);
        let left = self.leave().await;
        if found? { left } else { Err(absent) }
    }

    /// Whether there is one with this number.
    async fn show_it(&mut self, number: u32) -> Result<bool, Failure> {
        while let Some(letter) = self.next().await? {
            let text = (letter.number == number).then(|| match self.format {
                Format::Text => Ok(dead_letters::full(&letter, self.queue.length())),
                Format::Json => terminal::json_line(&dead_letters::object(&letter)),
            });
            self.queue.leave(letter);
            if let Some(text) = text.transpose()? {
                self.show_text(text).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Leaves what was read where it is; also after an interruption, or when nobody reads the rest.
    async fn leave(self) -> Result<(), Failure> {
        let name = self.queue.name().to_owned();
        say_renewed(&name, self.queue.close().await.map_err(failure)?);
        Ok(())
    }

    async fn replay(
        self,
        target: &Target,
        consumer: &ConsumerName,
        selection: &Selection,
    ) -> Result<(), Failure> {
        // A broker that holds publishers back must not hold up the acknowledgements.
        let link = target.connect("replaying dead letters").await?;
        let publishing = link.connection().await.map_err(|error| target.unreachable(&error))?;
        let done = self.replay_through(&publishing, target, consumer, selection).await;
        publishing.close().await;
        done
    }

    async fn replay_through(
        mut self,
        publishing: &Arc<Connection>,
        target: &Target,
        consumer: &ConsumerName,
        selection: &Selection,
    ) -> Result<(), Failure> {
        let patience = target.retry.patience();
        let opening = || Replay::open(publishing, &target.names, consumer, patience).boxed();
        let opened = tokio::select! {
            biased;
            opened = target.retry.until_ready(terminal::tell, opening) => opened.map_err(refused)?,
            () = &mut self.interrupted => {
                let end = SettledEnd::Interrupted;
                let nothing = Settled { done: 0, strangers: 0, not_logs: 0, end };
                return self.report(REPLAYED, selection, nothing).await;
            }
        };
        let Some(replay) = opened else {
            self.leave().await?;
            let queue = target.names.queue(consumer);
            let text = format!(
                "there is no queue {queue} to send them back to: run the consumer, or declare its queue with \
                 `loghost run PLUGIN --declare-only`; the dead letters are where they were"
            );
            return Err(Failure::new(Status::BadConfiguration, text));
        };
        let send = |queue: &mut DeadQueue, letter: DeadLetter| {
            if letter.fate.as_ref().is_some_and(DeadLetterHeaders::is_log) {
                Ok(Box::pin(replay.send(queue, letter)) as Answer)
            } else {
                Err(Box::new(letter))
            }
        };
        let settled = settle(&mut self.queue, selection, REPLAYED, send, &mut self.interrupted).await;
        self.report(REPLAYED, selection, settled).await
    }

    async fn purge(mut self, selection: &Selection) -> Result<(), Failure> {
        let discard =
            |queue: &mut DeadQueue, letter: DeadLetter| Ok(Box::pin(queue.discard(&letter)) as Answer);
        let settled = settle(&mut self.queue, selection, PURGED, discard, &mut self.interrupted).await;
        self.report(PURGED, selection, settled).await
    }

    /// Says what was done, also where it did not come to its end.
    async fn report(self, verb: &str, selection: &Selection, settled: Settled) -> Result<(), Failure> {
        let name = self.queue.name().to_owned();
        let found = settled.done > 0 || settled.strangers > 0 || settled.not_logs > 0;
        let beyond = selection.number.is_none_or(|number| number > self.queue.read());
        let one = selection.one().filter(|_| beyond && !found);
        let absent = one.map(|one| missing(&one, &self.queue));
        let left = match settled.end {
            SettledEnd::Failed(DeadQueueError::Lost { .. }) => None,
            _ => self.queue.close().await.ok(),
        };
        let left = left.map(|left| {
            say_renewed(&name, left);
            left.messages
        });
        print_settled(verb, &settled, left, self.format)?;
        if settled.strangers > 0 {
            let strangers = settled.strangers;
            terminal::warning(&format!(
                "{name} has messages that are no dead letters of this consumer, which stay there: {strangers}"
            ));
        }
        let nothing_done = settled.done == 0;
        let not_logs = (settled.not_logs > 0).then(|| not_logs(&name, settled.not_logs));
        if let Some(text) = not_logs.as_ref().filter(|_| !nothing_done) {
            terminal::warning(text);
        }
        match settled.end {
            SettledEnd::Failed(error) => Err(failure(error)),
            SettledEnd::Interrupted => Err(Failure::new(
                Status::Unavailable,
                "interrupted; what was not confirmed stays where it was",
            )),
            SettledEnd::Done => match not_logs.filter(|_| nothing_done) {
                Some(text) => Err(Failure::new(Status::BadInput, text)),
                None => absent.map_or(Ok(()), Err),
            },
        }
    }
}

fn say_renewed(queue: &str, left: Left) {
    if left.renewed > 0 {
        terminal::notice(&format!(
            "{queue} counts how often a message comes back, and may drop it for that: {} were written anew, in \
             the same order",
            left.renewed
        ));
    }
}

/// Says how many were settled, and how many are left, if that is known.
fn print_settled(
    verb: &str,
    settled: &Settled,
    left: Option<u32>,
    format: Format,
) -> Result<(), terminal::Unwritable> {
    match format {
        Format::Text => {
            let left = left.map_or("unknown".to_owned(), |left| left.to_string());
            terminal::print(&format!("{verb} {}  left {left}", settled.done))
        }
        Format::Json => terminal::print_json(&json!({
            verb: settled.done,
            "left": left,
            "not_dead_letters": settled.strangers,
            "not_logs": settled.not_logs,
        })),
    }
}

/// That the dead letter is not there that is called `one`.
fn missing(one: &str, queue: &DeadQueue) -> Failure {
    Failure::new(Status::Differs, format!("there is no {one}: {} has {}", queue.name(), queue.length()))
}

/// Why messages stay that were to be sent back.
fn not_logs(queue: &str, messages: u32) -> String {
    format!(
        "{queue} has messages that cannot be replayed, because they were not published as logs (outcome foreign): \
         {messages}; they stay there: publish what they say to a severity's exchange, then purge them"
    )
}

/// What it means that they cannot be looked after any more.
fn failure(error: DeadQueueError) -> Failure {
    let status = match error {
        DeadQueueError::Lost { .. } | DeadQueueError::Full(_) => Status::Unavailable,
        DeadQueueError::NotTaken { .. } => Status::BadConfiguration,
    };
    let text = anyhow::Error::from(error).context("stopped; what was not confirmed is still a dead letter");
    Failure::of(status, text)
}
