//! `loghost publish`: one log, a scenario's, or a log a line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use loghost_core::application::{Publish, Receipts};
use loghost_core::domain::scenario::Step;
use loghost_core::domain::{Log, Sequencer};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::time::timeout;

use super::failure::{Failure, Status, WithStatus};
use super::host::{Target, new_producer, refused};
use super::signals::interrupted;
use crate::adapters::amqp::{self, AmqpSink};
use crate::adapters::clock::SystemClock;
use crate::adapters::scenario_file::ScenarioFile;
use crate::adapters::terminal::{self, Format};

/// What `publish` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) target: Target,
    pub(crate) input: Input,
    pub(crate) unrouted: Unrouted,
    pub(crate) format: Format,
}

/// What is published.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// This log.
    One(Log),
    /// The logs of this scenario.
    File(PathBuf),
    /// The lines of standard input, each as the message of a log like this.
    Lines(Log),
}

/// What it means that no queue wanted a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unrouted {
    /// It is said.
    IsSaid,
    /// It is a failure.
    Fails,
}

/// The longest line of standard input, in bytes with its end.
const LONGEST_LINE: u64 = 16 * 1024 * 1024;

/// Input that is good, as far as that can be known before it is sent.
enum Checked {
    One(Log),
    Scenario(ScenarioFile),
    Lines(Log),
}

/// How long an interrupted publisher waits for answers.
const PATIENCE: Duration = Duration::from_secs(5);

type Publisher = Publish<AmqpSink, SystemClock>;

/// Publishes, and reports what the broker has confirmed: also when it fails on the way.
pub(crate) async fn publish(options: Options) -> Result<(), Failure> {
    let input = match options.input {
        Input::One(log) => Checked::One(log),
        Input::Lines(log) => Checked::Lines(log),
        Input::File(path) => {
            // Nothing is sent of a file that is not good to its end.
            let mut scenario = ScenarioFile::open(&path).status(Status::BadInput)?;
            scenario.check().status(Status::BadInput)?;
            Checked::Scenario(scenario)
        }
    };
    let interrupted = interrupted().status(Status::Internal)?;
    let connection = options.target.connect("publishing").await?;
    let names = options.target.names;
    amqp::declare_exchanges(&connection, &names).await.map_err(refused)?;
    let sink = AmqpSink::open(&connection, names).await.map_err(refused)?;
    let mut publisher = Publish::new(sink, Sequencer::new(new_producer()?), SystemClock);

    // To be interrupted is the usual end of what follows a file that grows.
    let endless = matches!(input, Checked::Lines(_));
    let sent = tokio::select! {
        sent = send(input, &mut publisher) => sent,
        () = interrupted => {
            terminal::notice("interrupted: waiting for the answers to what was sent");
            // A broker that holds publishers back may never answer.
            let _ = timeout(PATIENCE, publisher.flush()).await;
            report(&publisher, options.format)?;
            if !endless || publisher.unanswered() > 0 {
                let text = "interrupted before everything was sent and confirmed";
                return Err(Failure::new(Status::Unavailable, text));
            }
            connection.close().await;
            return judge(publisher.receipts(), options.unrouted);
        }
    };
    let sent = match sent {
        Ok(()) => publisher.flush().await.status(Status::Unavailable),
        failed => failed,
    };
    report(&publisher, options.format)?;
    sent?;
    connection.close().await;
    judge(publisher.receipts(), options.unrouted)
}

async fn send(input: Checked, publisher: &mut Publisher) -> Result<(), Failure> {
    match input {
        Checked::One(log) => publisher.log(&log).await.status(Status::Unavailable),
        Checked::Scenario(scenario) => send_scenario(scenario, publisher).await,
        Checked::Lines(log) => send_lines(log, publisher).await,
    }
}

async fn send_scenario(scenario: ScenarioFile, publisher: &mut Publisher) -> Result<(), Failure> {
    for step in scenario.into_steps().status(Status::BadInput)? {
        if let Step::Logs { log, times } = step.status(Status::BadInput)? {
            for _ in 0..times.get() {
                publisher.log(&log).await.status(Status::Unavailable)?;
            }
        }
    }
    Ok(())
}

async fn send_lines(mut log: Log, publisher: &mut Publisher) -> Result<(), Failure> {
    let mut input = BufReader::new(tokio::io::stdin());
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let mut bounded = (&mut input).take(LONGEST_LINE + 1);
        let read = bounded.read_until(b'\n', &mut line).await;
        let read = read.context("cannot read standard input").status(Status::BadInput)?;
        if read == 0 {
            break;
        }
        if line.len() as u64 > LONGEST_LINE {
            let text = format!(
                "line {number} of standard input has more than {LONGEST_LINE} bytes; stopped before it"
            );
            return Err(Failure::new(Status::BadInput, text));
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        log.message = String::from_utf8_lossy(text).into_owned();
        publisher.log(&log).await.status(Status::Unavailable)?;
    }
    Ok(())
}

fn report(publisher: &Publisher, format: Format) -> Result<(), Failure> {
    let Receipts { confirmed, unroutable, refused } = publisher.receipts();
    let unanswered = publisher.unanswered();
    match format {
        Format::Text => terminal::print(&format!(
            "confirmed  {}  total {}",
            terminal::tally_text(&confirmed),
            confirmed.total()
        )),
        Format::Json => terminal::print_json(&json!({
            "confirmed": terminal::tally_json(&confirmed),
            "unroutable": terminal::tally_json(&unroutable),
            "refused": terminal::tally_json(&refused),
            "unanswered": unanswered,
        })),
    }
    .status(Status::Internal)?;
    if unroutable.total() > 0 {
        terminal::notice(&format!(
            "no queue wanted {} of these logs ({}): is the consumer's queue declared? `loghost run --declare-only`",
            unroutable.total(),
            terminal::tally_text(&unroutable)
        ));
    }
    if refused.total() > 0 {
        terminal::notice(&format!("the broker refused {} logs", refused.total()));
    }
    if unanswered > 0 {
        terminal::notice(&format!(
            "{unanswered} logs were sent and not answered: whether they arrived is unknown"
        ));
    }
    Ok(())
}

fn judge(receipts: Receipts, unrouted: Unrouted) -> Result<(), Failure> {
    if receipts.refused.total() > 0 {
        return Err(Failure::silent(Status::Unavailable));
    }
    if receipts.unroutable.total() > 0 && unrouted == Unrouted::Fails {
        return Err(Failure::silent(Status::Differs));
    }
    Ok(())
}
