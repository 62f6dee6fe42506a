//! Standard input as logs: its lines are read as they come, joined if that is wanted, and decoded.

use std::collections::VecDeque;
use std::time::Duration;

use loghost_core::application::Clock;
use loghost_core::domain::Log;
use tokio::io::{BufReader, Stdin};
use tokio::time::{Instant, timeout_at};

use super::decoding::{Decoding, LineDecoder, Undetermined};
use super::line::{self, LONGEST_LINE, Line};
use super::multiline::Joiner;
use crate::compose::failure::Failure;
use crate::files::scenario_file::Ending;
use crate::platform::clock::SystemClock;
use crate::ui::terminal;

/// How long it is waited for another line of a log that may go on.
const PATIENCE: Duration = Duration::from_millis(250);

/// How much is read at once.
const BUFFER: usize = 256 * 1024;

/// How lines are read.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) decoding: Decoding,
    /// Whether lines of one log are joined.
    pub(crate) multiline: bool,
}

/// Standard input, while it is read.
pub(super) struct Lines {
    input: BufReader<Stdin>,
    decoder: LineDecoder,
    /// The log whose lines are read, if lines are joined.
    joiner: Option<Joiner>,
    /// When the last line of it came.
    since: Instant,
    number: u64,
    /// How many lines were too long.
    skipped: u64,
    ending: Ending,
    /// What is read of the next line, whose end has not come.
    begun: Vec<u8>,
    /// What the input ends in, and may go on: the last line, which has no end, or the log of the last lines.
    open: Option<String>,
    has_ended: bool,
}

impl Lines {
    pub(super) fn new(options: Options, ending: Ending) -> Self {
        Self {
            input: BufReader::with_capacity(BUFFER, tokio::io::stdin()),
            decoder: LineDecoder::new(options.decoding),
            joiner: options.multiline.then(Joiner::default),
            since: Instant::now(),
            number: 0,
            skipped: 0,
            ending,
            begun: Vec::new(),
            open: None,
            has_ended: false,
        }
    }

    /// Whether the next line is there without waiting.
    pub(super) fn has_line(&self) -> bool {
        self.input.buffer().contains(&b'\n')
    }

    /// The logs of the next line, which may be none, as it may go on with the log before it. Nothing at the end. Nothing is
    /// lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Result<Option<VecDeque<Log>>, Failure> {
        if self.has_ended {
            return Ok(None);
        }
        let line = line::next(&mut self.input, &mut self.begun);
        let line = match &mut self.joiner {
            // With a journal the same input must become the same logs again, however fast it comes.
            Some(joiner) if joiner.has_begun() && self.ending == Ending::Text => {
                match timeout_at(self.since + PATIENCE, line).await {
                    Ok(line) => line?,
                    Err(_) => return Ok(Some(self.flush())),
                }
            }
            _ => line.await?,
        };
        let Some(line) = line else {
            self.has_ended = true;
            if self.ending == Ending::Open {
                self.open = self.joiner.as_mut().and_then(Joiner::take);
                return Ok(None);
            }
            return Ok(Some(self.flush()));
        };
        self.number += 1;
        match line {
            Line::Text { text, has_end: false } if self.ending == Ending::Open => {
                self.has_ended = true;
                let before = self.joiner.as_mut().and_then(|joiner| joiner.push(&text));
                let joined = self.joiner.as_mut().and_then(Joiner::take);
                self.open = Some(joined.unwrap_or(text));
                Ok(before.map(|before| self.decode(before)))
            }
            Line::Text { text, .. } => {
                let Some(joiner) = &mut self.joiner else { return Ok(Some(self.decode(text))) };
                self.since = Instant::now();
                let before = joiner.push(&text);
                Ok(Some(before.map(|before| self.decode(before)).unwrap_or_default()))
            }
            Line::TooLong(bytes) => {
                self.skipped += 1;
                terminal::warning(&format!(
                    "line {} of standard input has {bytes} bytes, more than {LONGEST_LINE}: skipped",
                    self.number
                ));
                Ok(Some(self.flush()))
            }
        }
    }

    fn flush(&mut self) -> VecDeque<Log> {
        let text = self.joiner.as_mut().and_then(Joiner::take);
        text.map(|text| self.decode(text)).unwrap_or_default()
    }

    fn decode(&mut self, text: String) -> VecDeque<Log> {
        self.decoder.logs(text, SystemClock.now()).into()
    }

    /// How many lines were left out, because they were too long.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// What was published with a severity that it did not say.
    pub(super) fn undetermined(&self) -> Undetermined {
        self.decoder.undetermined()
    }

    /// What is held back, of an input of this name: how many logs, and why.
    pub(super) fn held_back(&self, name: &str) -> Option<(u64, String)> {
        let begun = u64::from(!self.begun.is_empty());
        let joined = self.joiner.as_ref().map_or(0, Joiner::lines);
        let number = self.number;
        let text = match &self.open {
            Some(_) if self.joiner.is_some() => {
                format!("the last log of {name} is held back, as a line may still be added to it")
            }
            Some(_) => format!("line {number} of {name} has no end yet: held back until that is there"),
            None if joined > 0 => {
                let first = number + 1 - (joined as u64).min(number);
                format!("the log that begins in line {first} of {name} may go on: it is not sent")
            }
            None if begun > 0 => format!("line {} of {name} has no end yet: it is not sent", number + 1),
            None => return None,
        };
        Some((1, text))
    }

    /// The logs of what is held back, as it stands.
    pub(super) fn take_open(&mut self) -> VecDeque<Log> {
        let open = self.open.take();
        open.map(|text| self.decode(text)).unwrap_or_default()
    }
}
