//! What `loghost publish` publishes, in pieces: what there is at once, and never more than a bounded part.

use std::fmt;
use std::path::PathBuf;

use anyhow::Context;
use loghost_core::domain::scenario::Step;
use loghost_core::domain::{Log, printable};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Stdin};

use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::suggestion::open_scenario;
use crate::files::scenario_file::{self, Ending, Incomplete, Lacks, Steps};
use crate::ui::terminal;

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
pub(crate) struct Pieces {
    name: String,
    from: From,
    /// What has been read, and is still to be handed over: a log, and how many times.
    rest: Option<(Log, u64)>,
}

enum From {
    Nowhere,
    Scenario(Steps<Box<dyn scenario_file::Input>>),
    Lines {
        log: Log,
        input: BufReader<Stdin>,
        number: u64,
        /// How many lines were too long.
        skipped: u64,
        ending: Ending,
        /// What is read of the next line, whose end has not come.
        begun: Vec<u8>,
        /// The last line, which has no end.
        open: Option<String>,
    },
}

/// A log that is held back, because it may not be whole yet.
pub(crate) struct HeldBack {
    /// How many logs that are.
    pub(crate) logs: u64,
    /// Which it is, and what it waits for.
    pub(crate) text: String,
}

impl Pieces {
    /// Begins to read `input`. Nothing comes of a file that is not good to its end. Where the ending is open,
    /// a log that the input ends in is not handed over.
    pub(crate) fn of(input: Input, ending: Ending) -> Result<Self, Failure> {
        let (name, from, rest) = match input {
            Input::One(log) => ("the log".to_owned(), From::Nowhere, Some((log, 1))),
            Input::Lines(log) => {
                let input = BufReader::with_capacity(MOST_BYTES / 4, tokio::io::stdin());
                let (begun, open) = (Vec::new(), None);
                let lines = From::Lines { log, input, number: 0, skipped: 0, ending, begun, open };
                ("standard input".to_owned(), lines, None)
            }
            Input::File(path) => {
                let mut scenario = open_scenario(&path)?.ending(ending);
                scenario.check().status(Status::BadInput)?;
                let name = scenario.name().to_owned();
                (name, From::Scenario(scenario.into_steps().status(Status::BadInput)?), None)
            }
        };
        Ok(Self { name, from, rest })
    }

    /// Whether it ends by being interrupted, as what follows a file that grows does.
    pub(crate) fn is_endless(&self) -> bool {
        matches!(self.from, From::Lines { .. })
    }

    /// How many lines were left out, because they were too long.
    pub(crate) fn skipped(&self) -> u64 {
        match self.from {
            From::Lines { skipped, .. } => skipped,
            From::Nowhere | From::Scenario(_) => 0,
        }
    }

    /// The next logs; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Vec<Log>, Failure> {
        let (mut piece, mut bytes) = (Vec::new(), 0);
        while piece.len() < MOST && bytes < MOST_BYTES {
            if let Some((log, times)) = &mut self.rest {
                bytes += log.message.len();
                piece.push(log.clone());
                *times -= 1;
                self.rest.take_if(|(_, times)| *times == 0);
                continue;
            }
            match &mut self.from {
                From::Nowhere => break,
                From::Scenario(steps) => match steps.next().transpose().status(Status::BadInput)? {
                    Some(Step::Logs { log, times }) => self.rest = Some((log, times.get())),
                    Some(Step::Expect(_)) => {}
                    None => break,
                },
                From::Lines { input, .. } if !piece.is_empty() && !input.buffer().contains(&b'\n') => {
                    // What is not there yet is not waited for.
                    break;
                }
                From::Lines { log, input, number, skipped, ending, begun, open } => {
                    if open.is_some() {
                        break;
                    }
                    let Some(line) = line(input, begun).await? else { break };
                    *number += 1;
                    match line {
                        Line::Text { text, has_end: false } if *ending == Ending::Open => {
                            *open = Some(text);
                            break;
                        }
                        Line::Text { text, .. } => {
                            self.rest = Some((Log { message: text, ..log.clone() }, 1));
                        }
                        Line::TooLong(bytes) => {
                            *skipped += 1;
                            terminal::warning(&format!(
                                "line {number} of standard input has {bytes} bytes, more than {LONGEST_LINE}: \
                                 skipped"
                            ));
                        }
                    }
                }
            }
        }
        Ok(piece)
    }

    /// What was held back, when all else has been handed over, or nothing more is read.
    pub(crate) fn held_back(&self) -> Option<HeldBack> {
        let name = printable(&self.name);
        match &self.from {
            From::Nowhere => None,
            From::Lines { number, open, begun, .. } => {
                let (line, fate) = match open {
                    Some(_) => (*number, "held back until that is there"),
                    None if begun.is_empty() => return None,
                    None => (*number + 1, "it is not sent"),
                };
                Some(HeldBack { logs: 1, text: format!("line {line} of {name} has no end yet: {fate}") })
            }
            From::Scenario(steps) => {
                let Incomplete { line, logs, lacks } = steps.incomplete()?;
                let why = match lacks {
                    Lacks::LineEnd => "the text ends within a line: held back until its end is there",
                    Lacks::NextLine => {
                        "the last log is held back, as a `|` line may still be added to it: a blank line \
                         behind it ends it"
                    }
                };
                Some(HeldBack { logs, text: format!("{name}:{line}: {why}") })
            }
        }
    }

    /// Hands over what was held back, as it stands.
    pub(crate) fn hold_nothing_back(&mut self) {
        match &mut self.from {
            From::Nowhere => {}
            From::Scenario(steps) => steps.end_with_text(),
            From::Lines { log, open, .. } => {
                self.rest = open.take().map(|message| (Log { message, ..log.clone() }, 1));
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
    Text { text: String, has_end: bool },
    /// One of so many bytes, with its end, which nobody has kept.
    TooLong(u64),
}

/// The next line; none at the end of the input. What is read of it is in `begun` until it is whole, and stays there if
/// the future is dropped.
async fn line(input: &mut BufReader<Stdin>, begun: &mut Vec<u8>) -> Result<Option<Line>, Failure> {
    let room = LONGEST_LINE + 1 - begun.len() as u64;
    unreadable((&mut *input).take(room).read_until(b'\n', begun).await)?;
    let mut line = std::mem::take(begun);
    if line.is_empty() {
        return Ok(None);
    }
    let bytes = line.len() as u64;
    if bytes > LONGEST_LINE {
        let has_ended = line.ends_with(b"\n");
        drop(line);
        let rest = if has_ended { 0 } else { skip_line(input).await? };
        return Ok(Some(Line::TooLong(bytes + rest)));
    }
    let has_end = line.pop_if(|last| *last == b'\n').is_some();
    line.pop_if(|last| *last == b'\r');
    let text = String::from_utf8(line);
    let text = text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Ok(Some(Line::Text { text, has_end }))
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
