//! What `loghost publish` publishes, in pieces: what there is at once, and never more than a bounded part.

use std::fmt;
use std::path::PathBuf;

use anyhow::Context;
use loghost_core::domain::Log;
use loghost_core::domain::scenario::Step;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Stdin};

use super::failure::{Failure, Status, WithStatus};
use crate::adapters::scenario_file::{ScenarioFile, ScenarioFileError};

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
    },
}

impl Pieces {
    /// Begins to read `input`. Nothing comes of a file that is not good to its end.
    pub(super) fn of(input: Input) -> Result<Self, Failure> {
        Ok(match input {
            Input::One(log) => Self { name: "the log".to_owned(), from: From::One(Some(log)) },
            Input::Lines(log) => {
                let input = BufReader::with_capacity(MOST_BYTES / 4, tokio::io::stdin());
                Self { name: "standard input".to_owned(), from: From::Lines { log, input, number: 0 } }
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
            From::Lines { log, input, number } => {
                let mut piece = Vec::new();
                loop {
                    *number += 1;
                    let Some(message) = line(input, *number).await? else { break };
                    piece.push(Log { message, ..log.clone() });
                    // What is not there yet is not waited for.
                    if piece.len() == MOST || !input.buffer().contains(&b'\n') {
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

/// The next line, without its end; none at the end of the input.
async fn line(input: &mut BufReader<Stdin>, number: u64) -> Result<Option<String>, Failure> {
    let mut line = Vec::new();
    let read = input.take(LONGEST_LINE + 1).read_until(b'\n', &mut line).await;
    if read.context("cannot read standard input").status(Status::BadInput)? == 0 {
        return Ok(None);
    }
    if line.len() as u64 > LONGEST_LINE {
        let text =
            format!("line {number} of standard input has more than {LONGEST_LINE} bytes; stopped before it");
        return Err(Failure::new(Status::BadInput, text));
    }
    for end in [b'\n', b'\r'] {
        line.pop_if(|last| *last == end);
    }
    let text = String::from_utf8(line);
    Ok(Some(text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())))
}
