//! What `loghost publish` publishes, in pieces: what there is at once, and never more than a bounded part.

use std::fmt;
use std::path::PathBuf;

use anyhow::Context;
use loghost_core::domain::Log;
use loghost_core::domain::scenario::Step;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Stdin};

use super::failure::{Failure, Status, WithStatus};
use crate::adapters::scenario_file::{ScenarioFile, ScenarioFileError};
use crate::adapters::terminal;

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

/// The most logs of a piece, and about the most bytes of their texts.
const MOST: usize = 1000;
const MOST_BYTES: usize = 1024 * 1024;

/// The longest line of standard input, in bytes with its end.
const LONGEST_LINE: u64 = 16 * 1024 * 1024;

/// An input that is being read; good, as far as that can be known before.
pub(super) struct Pieces {
    name: String,
    from: From,
}

enum From {
    One(Option<Log>),
    Scenario {
        steps: Box<dyn Iterator<Item = Result<Step, ScenarioFileError>> + Send>,
        /// What is left of a step.
        rest: Option<(Log, u64)>,
    },
    Lines {
        log: Log,
        input: BufReader<Stdin>,
        number: u64,
        /// How many lines were too long.
        skipped: u64,
    },
}

impl Pieces {
    /// Begins to read `input`. Nothing comes of a file that is not good to its end.
    pub(super) fn of(input: Input) -> Result<Self, Failure> {
        Ok(match input {
            Input::One(log) => Self { name: "the log".to_owned(), from: From::One(Some(log)) },
            Input::Lines(log) => {
                let input = BufReader::with_capacity(MOST_BYTES / 4, tokio::io::stdin());
                Self {
                    name: "standard input".to_owned(),
                    from: From::Lines { log, input, number: 0, skipped: 0 },
                }
            }
            Input::File(path) => {
                let mut scenario = ScenarioFile::open(&path).status(Status::BadInput)?;
                scenario.check().status(Status::BadInput)?;
                let name = scenario.name().to_owned();
                let steps = Box::new(scenario.into_steps().status(Status::BadInput)?);
                Self { name, from: From::Scenario { steps, rest: None } }
            }
        })
    }

    /// Whether it ends by being interrupted, as what follows a file that grows does.
    pub(super) fn is_endless(&self) -> bool {
        matches!(self.from, From::Lines { .. })
    }

    /// How many lines were left out, because they were too long.
    pub(super) fn skipped(&self) -> u64 {
        match self.from {
            From::Lines { skipped, .. } => skipped,
            From::One(_) | From::Scenario { .. } => 0,
        }
    }

    /// The next logs; none at the end.
    pub(super) async fn next(&mut self) -> Result<Vec<Log>, Failure> {
        match &mut self.from {
            From::One(log) => Ok(log.take().into_iter().collect()),
            From::Scenario { steps, rest } => {
                let (mut piece, mut bytes) = (Vec::new(), 0);
                while piece.len() < MOST && bytes < MOST_BYTES {
                    if let Some((log, times)) = rest {
                        bytes += log.message.len();
                        piece.push(log.clone());
                        *times -= 1;
                        rest.take_if(|(_, times)| *times == 0);
                    } else {
                        let Some(step) = steps.next() else { break };
                        if let Step::Logs { log, times } = step.status(Status::BadInput)? {
                            *rest = Some((log, times.get()));
                        }
                    }
                }
                Ok(piece)
            }
            From::Lines { log, input, number, skipped } => {
                let mut piece = Vec::new();
                loop {
                    *number += 1;
                    match line(input).await? {
                        None => break,
                        Some(Line::Text(message)) => piece.push(Log { message, ..log.clone() }),
                        Some(Line::TooLong(bytes)) => {
                            *skipped += 1;
                            terminal::notice(&format!(
                                "line {number} of standard input has {bytes} bytes, more than {LONGEST_LINE}: \
                                 skipped"
                            ));
                        }
                    }
                    // What is not there yet is not waited for; no logs at all would be the end.
                    let more = piece.is_empty() || input.buffer().contains(&b'\n');
                    if piece.len() == MOST || !more {
                        break;
                    }
                }
                Ok(piece)
            }
        }
    }
}

impl fmt::Display for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A line of standard input.
enum Line {
    /// Without its end.
    Text(String),
    /// One of so many bytes, with its end, which nobody has kept.
    TooLong(u64),
}

/// The next line; none at the end of the input.
async fn line(input: &mut BufReader<Stdin>) -> Result<Option<Line>, Failure> {
    let mut line = Vec::new();
    let read = (&mut *input).take(LONGEST_LINE + 1).read_until(b'\n', &mut line).await;
    if unreadable(read)? == 0 {
        return Ok(None);
    }
    let bytes = line.len() as u64;
    if bytes > LONGEST_LINE {
        let has_ended = line.ends_with(b"\n");
        drop(line);
        let rest = if has_ended { 0 } else { skip_line(input).await? };
        return Ok(Some(Line::TooLong(bytes + rest)));
    }
    for end in [b'\n', b'\r'] {
        line.pop_if(|last| *last == end);
    }
    let text = String::from_utf8(line);
    let text = text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Ok(Some(Line::Text(text)))
}

/// Reads to the end of the line and keeps nothing of it; how many bytes these were.
async fn skip_line(input: &mut BufReader<Stdin>) -> Result<u64, Failure> {
    let mut skipped = 0;
    loop {
        let there = unreadable(input.fill_buf().await)?;
        let end = there.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(there.len(), |end| end + 1);
        input.consume(length);
        skipped += length as u64;
        if end.is_some() || length == 0 {
            return Ok(skipped);
        }
    }
}

fn unreadable<T>(read: std::io::Result<T>) -> Result<T, Failure> {
    read.context("cannot read standard input").status(Status::BadInput)
}
