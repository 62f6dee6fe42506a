//! What `loghost publish` publishes, in pieces: what there is at once, and never more than a bounded part.

mod decoding;
mod line;
mod lines;
mod multiline;
mod trace;

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;

use loghost_core::domain::scenario::Step;
use loghost_core::domain::{Log, Severities, Severity};
use loghost_decode::Format;

pub(crate) use self::decoding::{LineDecoding, Undetermined};
use self::lines::Lines;
pub(crate) use self::lines::Options as LineOptions;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::plugins::suggestion::open_scenario;
use crate::files::scenario_file::{self, Incomplete, Lacks, LogEnding, StepReader};
use crate::ui::events::command::Unsent;

/// What is published.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// This log.
    One(Log),
    /// The logs of this scenario.
    File(PathBuf),
    /// The lines of standard input.
    Lines(LineOptions),
}

impl Input {
    /// The severities that its logs may have.
    pub(crate) fn severities(&self) -> Severities {
        match self {
            Self::One(log) => Severities::from_iter([log.severity]),
            Self::Lines(LineOptions { decoding, .. }) if decoding.format == Format::None => {
                Severities::from_iter([decoding.default.severity])
            }
            Self::File(_) | Self::Lines(_) => Severities::from_iter(Severity::ALL),
        }
    }
}

/// The most logs of a piece, and about the most bytes of their texts.
const MOST: usize = 1000;
const MOST_BYTES: usize = 1024 * 1024;

/// An input that is being read; good, as far as that can be known before.
pub(crate) struct Pieces {
    name: String,
    from: InputSource,
    /// What has been read, and is still to be handed over: logs, and how many times.
    rest: VecDeque<(Log, u64)>,
    /// How many logs there are, where that is known.
    total: Option<u64>,
}

enum InputSource {
    Nowhere,
    Scenario(Box<StepReader<Box<dyn scenario_file::ScenarioInput>>>),
    Lines(Box<Lines>),
}

/// A log that is held back, because it may not be whole yet.
pub(crate) struct Deferred {
    /// How many logs that are.
    pub(crate) logs: u64,
    /// Which they are, and what they wait for.
    pub(crate) unsent: Vec<Unsent>,
}

impl Pieces {
    /// Begins to read `input`. Nothing comes of a file that is not good to its end. Where the ending is open,
    /// a log that the input ends in is not handed over.
    pub(crate) fn of(input: Input, ending: LogEnding) -> Result<Self, Failure> {
        let mut total = None;
        let (name, from, rest) = match input {
            Input::One(log) => ("the log".to_owned(), InputSource::Nowhere, VecDeque::from([(log, 1)])),
            Input::Lines(options) => {
                let lines = InputSource::Lines(Box::new(Lines::new(options, ending)));
                ("standard input".to_owned(), lines, VecDeque::new())
            }
            Input::File(path) => {
                let mut scenario = open_scenario(&path)?.ending(ending);
                total = Some(scenario.check().status(Status::BadInput)?.logs.total());
                let name = scenario.name().to_owned();
                (
                    name,
                    InputSource::Scenario(Box::new(scenario.into_steps().status(Status::BadInput)?)),
                    VecDeque::new(),
                )
            }
        };
        Ok(Self { name, from, rest, total })
    }

    /// How many logs it has, where that is known: a file that is added to may have more.
    pub(crate) fn total(&self) -> Option<u64> {
        self.total
    }

    /// Whether it ends by being interrupted, as what follows a file that grows does. It does not while logs that were read
    /// are still to be handed over.
    pub(crate) fn is_endless(&self) -> bool {
        matches!(self.from, InputSource::Lines(_)) && self.rest.is_empty()
    }

    /// How many lines were left out, because they were too long.
    pub(crate) fn skipped(&self) -> u64 {
        match &self.from {
            InputSource::Lines(lines) => lines.skipped(),
            InputSource::Nowhere | InputSource::Scenario(_) => 0,
        }
    }

    /// What did not say how serious it is, if anything was asked for that.
    pub(crate) fn undetermined(&self) -> Option<Undetermined> {
        match &self.from {
            InputSource::Lines(lines) => {
                Some(lines.undetermined()).filter(|undetermined| undetermined.logs > 0)
            }
            InputSource::Nowhere | InputSource::Scenario(_) => None,
        }
    }

    /// The next logs; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Vec<Log>, Failure> {
        let (mut piece, mut bytes) = (Vec::new(), 0);
        while piece.len() < MOST && bytes < MOST_BYTES {
            if let Some((log, times)) = self.rest.front_mut() {
                bytes += log.message.len();
                *times -= 1;
                if *times > 0 {
                    piece.push(log.clone());
                } else {
                    piece.extend(self.rest.pop_front().map(|(log, _)| log));
                }
                continue;
            }
            match &mut self.from {
                InputSource::Nowhere => break,
                InputSource::Scenario(steps) => match steps.next().transpose().status(Status::BadInput)? {
                    Some(Step::Logs { log, times }) => self.rest.push_back((log, times.get())),
                    Some(Step::Expect(_)) => {}
                    None => break,
                },
                // What is not there yet is not waited for.
                InputSource::Lines(lines) if !piece.is_empty() && !lines.has_line() => break,
                InputSource::Lines(lines) => {
                    let Some(logs) = lines.next().await? else { break };
                    self.rest.extend(logs.into_iter().map(|log| (log, 1)));
                }
            }
        }
        Ok(piece)
    }

    /// What was held back, when all else has been handed over, or nothing more is read.
    pub(crate) fn deferred(&self) -> Option<Deferred> {
        match &self.from {
            InputSource::Nowhere => None,
            InputSource::Lines(lines) => {
                let rest = self.rest.iter().map(|(_, times)| times).sum();
                let read = (rest > 0).then_some((rest, Unsent::Read(rest)));
                let (logs, unsent): (Vec<u64>, Vec<Unsent>) =
                    [read, lines.deferred()].into_iter().flatten().unzip();
                (!logs.is_empty()).then(|| Deferred { logs: logs.iter().sum(), unsent })
            }
            InputSource::Scenario(steps) => {
                let Incomplete { line, logs, lacks } = steps.incomplete()?;
                let unsent = match lacks {
                    Lacks::LineEnd => Unsent::ScenarioLine(line),
                    Lacks::NextLine => Unsent::ScenarioLog(line),
                };
                Some(Deferred { logs, unsent: vec![unsent] })
            }
        }
    }

    /// Hands over what was held back, as it stands.
    pub(crate) fn hold_nothing_back(&mut self) {
        match &mut self.from {
            InputSource::Nowhere => {}
            InputSource::Scenario(steps) => steps.end_with_text(),
            InputSource::Lines(lines) => self.rest.extend(lines.take_open().into_iter().map(|log| (log, 1))),
        }
    }
}

impl fmt::Display for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use loghost_core::domain::Attributes;
    use loghost_decode::SeverityMap;

    use super::*;

    #[test]
    fn logs_that_are_not_handed_over_are_said() {
        let log = Log {
            severity: Severity::Info,
            message: "text".to_owned(),
            source: None,
            timestamp: None,
            attributes: Attributes::default(),
            hops: 0,
        };
        let decoding =
            LineDecoding { default: log.clone(), format: Format::None, severities: SeverityMap::default() };
        let input = Input::Lines(LineOptions { decoding, multiline: false });
        let mut pieces = Pieces::of(input, LogEnding::Text).expect("good input");
        assert!(pieces.is_endless() && pieces.deferred().is_none());
        pieces.rest.push_back((log, 3));
        let deferred = pieces.deferred().expect("logs that are left");
        assert_eq!((deferred.logs, deferred.unsent), (3, vec![Unsent::Read(3)]));
        assert!(!pieces.is_endless());
    }
}
