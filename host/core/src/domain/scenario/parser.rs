//! Reads a scenario line by line, in memory that does not grow with the number of logs.
//!
//! It knows the grammar, and neither where lines come from nor which plugins there are.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU64;

use super::error::{SyntaxError, SyntaxErrorKind as Kind};
use super::excerpt::shown;
use super::head::{Colon, Fault, Head, Span, Word, is_blank};
use super::step::{ConsumerRef, Expectation, Step};
use super::suggest::suggest;
use crate::domain::{Attributes, Log, Severity, Source};

/// The most bytes that a line, a message and an expected text may have: 16 MiB. Brokers take about as
/// much in one message by default.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Reads a scenario. After an error it is of no further use.
#[derive(Debug, Default)]
pub struct Parser {
    line: u64,
    logs: u64,
    open: Open,
    /// The line of each expectation, by consumer and sorted settings.
    expected: HashMap<(ConsumerRef, Vec<(String, String)>), u64>,
}

/// What a `|` line would continue.
#[derive(Debug, Default)]
enum Open {
    #[default]
    Nothing,
    Log {
        log: Log,
        times: NonZeroU64,
        line: u64,
    },
    Expect {
        expectation: Expectation,
        lines: u64,
    },
}

impl Parser {
    /// A parser at the start of a scenario.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next line, which comes without its `\n`. Gives the step that it ends: a log is known to
    /// be whole when something else follows it.
    pub fn line(&mut self, line: &str) -> Result<Option<Step>, SyntaxError> {
        self.line += 1;
        let line = if self.line == 1 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
        let line = line.strip_suffix('\r').unwrap_or(line);
        self.read(line).map_err(|Fault { kind, span }| SyntaxError::new(kind, self.line, line, span))
    }

    /// Reads the next line as [`Self::line`] does, from bytes that may not be UTF-8.
    pub fn bytes(&mut self, line: &[u8]) -> Result<Option<Step>, SyntaxError> {
        match str::from_utf8(line) {
            Ok(line) => self.line(line),
            // Also a long line that is cut within a character is above all too long.
            Err(_) if line.len() > MAX_BYTES => self.line(&String::from_utf8_lossy(line)),
            Err(error) => {
                self.line += 1;
                let lossy = String::from_utf8_lossy(line);
                let span = Span { at: error.valid_up_to(), length: char::REPLACEMENT_CHARACTER.len_utf8() };
                Err(SyntaxError::new(Kind::NotUtf8, self.line, &lossy, span))
            }
        }
    }

    /// How many lines were read.
    pub fn lines(&self) -> u64 {
        self.line
    }

    /// The log that a `|` line would still be added to: its line, and how many times it is sent.
    pub fn open_log(&self) -> Option<(u64, NonZeroU64)> {
        match &self.open {
            Open::Log { times, line, .. } => Some((*line, *times)),
            Open::Nothing | Open::Expect { .. } => None,
        }
    }

    /// Ends what a `|` line would be added to: none comes, whatever else does.
    pub fn end_open(&mut self) -> Option<Step> {
        self.close()
    }

    /// The last step, when there are no more lines.
    pub fn finish(mut self) -> Option<Step> {
        self.close()
    }

    fn read(&mut self, line: &str) -> Result<Option<Step>, Fault> {
        if line.len() > MAX_BYTES {
            return Err(Span { at: 0, length: 0 }.fault(Kind::LongLine));
        }
        if let Some(text) = line.strip_prefix('|') {
            let text = text.strip_prefix(' ').unwrap_or(text);
            return self.continue_with(text).map(|()| None);
        }
        // Whatever else the line is, it ends what was open.
        let done = self.close();
        if line.starts_with('#') || line.chars().all(is_blank) {
            return Ok(done);
        }
        let mut head = Head::new(line, Colon::EndsHead);
        if line.starts_with(is_blank) {
            return Err(FIRST.fault(Kind::Indented));
        }
        let word = head.keyword();
        self.open = if word == "expect" {
            head.set_colon(Colon::IsText);
            self.expect(head)?
        } else {
            let severity = severity(word).map_err(|kind| head.since(0).fault(kind))?;
            if !self.expected.is_empty() {
                return Err(head.since(0).fault(Kind::LogAfterExpect));
            }
            self.log(severity, head)?
        };
        Ok(done)
    }

    fn close(&mut self) -> Option<Step> {
        match std::mem::take(&mut self.open) {
            Open::Nothing => None,
            Open::Log { log, times, .. } => Some(Step::Logs { log, times }),
            Open::Expect { expectation, .. } => Some(Step::Expect(expectation)),
        }
    }

    fn continue_with(&mut self, text: &str) -> Result<(), Fault> {
        let so_far = match &mut self.open {
            Open::Nothing => return Err(FIRST.fault(Kind::NothingToContinue)),
            Open::Log { log, .. } => &mut log.message,
            Open::Expect { expectation, lines } => {
                *lines += 1;
                if *lines == 1 {
                    text.clone_into(&mut expectation.text);
                    return Ok(());
                }
                &mut expectation.text
            }
        };
        if so_far.len() + 1 + text.len() > MAX_BYTES {
            return Err(FIRST.fault(Kind::LongText));
        }
        so_far.push('\n');
        so_far.push_str(text);
        Ok(())
    }

    fn log(&mut self, severity: Severity, mut head: Head<'_>) -> Result<Open, Fault> {
        let (mut times, mut source, mut attributes) = (None, None, Attributes::default());
        while let Some((span, word)) = head.word()? {
            match word {
                Word::Source(name) => {
                    let name = Source::new(name).map_err(|error| span.fault(error))?;
                    if source.replace(name).is_some() {
                        return Err(span.fault(Kind::SourceTwice));
                    }
                }
                Word::Pair(key, value) => {
                    attributes.push(key, value).map_err(|error| span.fault(error))?;
                }
                Word::Other(word) => {
                    let number = number_of_times(word).map_err(|kind| span.fault(kind))?;
                    if times.replace(number).is_some() {
                        return Err(span.fault(Kind::TimesTwice));
                    }
                }
            }
        }
        let message = head.message()?.to_owned();
        let times = times.unwrap_or(NonZeroU64::MIN);
        self.logs =
            self.logs.checked_add(times.get()).ok_or_else(|| head.since(0).fault(Kind::TooManyLogs))?;
        let log = Log { severity, message, source, timestamp: None, attributes, hops: 0 };
        Ok(Open::Log { log, times, line: self.line })
    }

    fn expect(&mut self, mut head: Head<'_>) -> Result<Open, Fault> {
        let (span, name) = head.text()?.ok_or_else(|| head.here().fault(Kind::NoConsumer))?;
        let consumer = ConsumerRef::new(name.clone())
            .ok_or_else(|| span.fault(Kind::UnknownConsumer { word: shown(&name) }))?;
        let settings = settings(head)?;
        let mut sorted = settings.clone();
        sorted.sort();
        if let Some(first) = self.expected.insert((consumer.clone(), sorted), self.line) {
            return Err(span.fault(Kind::ExpectedTwice { consumer: shown(&name), first }));
        }
        let expectation = Expectation { consumer, settings, text: String::new(), line: self.line };
        Ok(Open::Expect { expectation, lines: 0 })
    }
}

/// The first character of a line that begins with an ASCII character.
const FIRST: Span = Span { at: 0, length: 1 };

fn severity(word: &str) -> Result<Severity, Kind> {
    const WORDS: [&str; 5] = [
        Severity::Debug.as_str(),
        Severity::Info.as_str(),
        Severity::Error.as_str(),
        Severity::Critical.as_str(),
        "expect",
    ];
    word.parse().map_err(|_| {
        let suggestion = suggest(word, &WORDS).or_else(|| Severity::nearest(word).map(Severity::as_str));
        Kind::UnknownSeverity { word: shown(word), suggestion }
    })
}

fn number_of_times(word: &str) -> Result<NonZeroU64, Kind> {
    let digits = word.strip_prefix('x').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let digits = digits.ok_or_else(|| Kind::StrayWord { word: shown(word) })?;
    digits.parse().map_err(|_| Kind::NoTimes { word: shown(word) })
}

fn settings(mut head: Head<'_>) -> Result<Vec<(String, String)>, Fault> {
    let (mut settings, mut keys) = (Vec::new(), HashSet::new());
    while let Some((span, word)) = head.word()? {
        let Word::Pair(key, value) = word else {
            return Err(span.fault(Kind::NoSetting { word: shown(head.text_of(span)) }));
        };
        if !keys.insert(key) {
            return Err(span.fault(Kind::SettingTwice { key: shown(key) }));
        }
        settings.push((key.to_owned(), value));
    }
    Ok(settings)
}
