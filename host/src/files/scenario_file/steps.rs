//! The steps of a scenario, which is read as a stream, and may still grow.

use std::io::{BufRead, Read};

use loghost_core::domain::scenario::{MAX_BYTES, Parser, Step};

use super::ScenarioFileError;

/// Where a log ends that nothing follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogEnding {
    /// With the text.
    Text,
    /// Nowhere as yet: the text may still grow, by the end of a line, or by a `|` line.
    Open,
}

/// A log that may not be whole yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Incomplete {
    /// The line that it begins in.
    pub(crate) line: u64,
    /// How many times it would be sent, as far as that is known.
    pub(crate) logs: u64,
    /// What it lacks.
    pub(crate) lacks: Lacks,
}

/// What would end a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lacks {
    /// The end of its line.
    LineEnd,
    /// A line that is no `|` line.
    NextLine,
}

/// The steps of a scenario, read as they are asked for. Ends after the first error.
pub(crate) struct StepReader<R> {
    name: String,
    input: R,
    buffer: Vec<u8>,
    parser: Option<Parser>,
    ending: LogEnding,
    /// What stands behind the last line end, when all else has been read.
    rest: Option<Vec<u8>>,
}

impl<R: BufRead> StepReader<R> {
    /// The steps in `input`, which errors call `name`.
    pub(crate) fn new(name: String, input: R, ending: LogEnding) -> Self {
        Self { name, input, buffer: Vec::new(), parser: Some(Parser::new()), ending, rest: None }
    }

    /// The log that is left at the end, because it may not be whole.
    pub(crate) fn incomplete(&self) -> Option<Incomplete> {
        let (rest, parser) = (self.rest.as_ref()?, self.parser.as_ref()?);
        let open = parser.open_log().map(|(line, times)| (line, times.get()));
        let (line, logs) = open.or_else(|| may_become_a_log(rest).then_some((parser.lines() + 1, 1)))?;
        let lacks = if rest.is_empty() { Lacks::NextLine } else { Lacks::LineEnd };
        Some(Incomplete { line, logs, lacks })
    }

    /// Takes what is left as it stands.
    pub(crate) fn end_with_text(&mut self) {
        self.ending = LogEnding::Text;
    }

    /// The next step; none at the end.
    fn read(&mut self, mut parser: Parser) -> Result<Option<Step>, ScenarioFileError> {
        loop {
            let read = if self.rest.is_some() { 0 } else { self.read_line()? };
            let is_line = self.buffer.last() == Some(&b'\n') || read >= LIMIT;
            if !is_line && self.ending == LogEnding::Open {
                let ends_log = self.buffer.first().is_some_and(|first| *first != b'|');
                self.rest.get_or_insert_with(|| std::mem::take(&mut self.buffer));
                let step = if ends_log { parser.end_open() } else { None };
                self.parser = Some(parser);
                return Ok(step);
            }
            if let Some(rest) = &mut self.rest {
                self.buffer = std::mem::take(rest);
            }
            if self.buffer.is_empty() {
                return Ok(parser.finish());
            }
            let line = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
            let step = parser
                .bytes(line)
                .map_err(|error| ScenarioFileError::Syntax { name: self.name.clone(), error })?;
            if step.is_some() {
                self.parser = Some(parser);
                return Ok(step);
            }
        }
    }

    /// Reads up to the next line end, or the end; gives how many bytes that are.
    fn read_line(&mut self) -> Result<u64, ScenarioFileError> {
        self.buffer.clear();
        let read = self.input.by_ref().take(LIMIT).read_until(b'\n', &mut self.buffer);
        let read = read.map_err(|source| ScenarioFileError::Read { name: self.name.clone(), source })?;
        Ok(read as u64)
    }
}

/// Enough to see that a line is too long, whether or not a mark or a line end is dropped from it.
pub(super) const LIMIT: u64 = MAX_BYTES as u64 + 8;

/// Whether a line that begins like this may be a log when it is whole.
fn may_become_a_log(rest: &[u8]) -> bool {
    let is_blank = rest.iter().all(u8::is_ascii_whitespace);
    !(is_blank || rest.starts_with(b"#") || rest.starts_with(b"|") || rest.starts_with(b"expect"))
}

impl<R: BufRead> Iterator for StepReader<R> {
    type Item = Result<Step, ScenarioFileError>;

    fn next(&mut self) -> Option<Self::Item> {
        let parser = self.parser.take()?;
        self.read(parser).transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{self, BufReader};

    use super::super::tests::file;
    use super::super::{ScenarioFile, ScenarioInput};
    use super::*;

    #[test]
    fn an_endless_line_is_not_held() {
        let mut steps =
            StepReader::new("endless".to_owned(), BufReader::new(io::repeat(b'x')), LogEnding::Open);
        assert!(matches!(steps.next(), Some(Err(ScenarioFileError::Syntax { .. }))));
        assert!(steps.next().is_none());
    }

    #[test]
    fn what_may_still_grow_is_left() {
        #[track_caller]
        fn check(text: &str, whole: u64, left: Option<(u64, u64, Lacks)>, in_all: u64) {
            let (_folder, path) = file(text);
            let mut steps = ScenarioFile::open(&path).unwrap().ending(LogEnding::Open).into_steps().unwrap();
            let count = |steps: &mut StepReader<Box<dyn ScenarioInput>>| -> u64 {
                let times = |step| match step {
                    Step::Logs { times, .. } => times.get(),
                    Step::Expect(_) => 0,
                };
                steps.map(|step| times(step.unwrap())).sum()
            };
            assert_eq!(count(&mut steps), whole, "{text:?}");
            let left = left.map(|(line, logs, lacks)| Incomplete { line, logs, lacks });
            assert_eq!(steps.incomplete(), left, "{text:?}");
            // What is added now is read next time.
            fs::write(&path, format!("{text}\ninfo: more\n")).unwrap();
            assert_eq!(count(&mut steps), 0, "{text:?}");
            steps.end_with_text();
            assert_eq!(whole + count(&mut steps), in_all, "{text:?}");
        }
        check("info: a\ninfo x3: b\n", 1, Some((2, 3, Lacks::NextLine)), 4);
        check("info: a\ninfo x3: b\n| c\n", 1, Some((2, 3, Lacks::NextLine)), 4);
        for end in ["\n", "\r\n", "# a\n", "#", "\r", "expect all", "expect all\n| a\n| b", "\nexpect all\n"]
        {
            check(&format!("info x3: b\n{end}"), 3, None, 3);
        }
        check("info: a\ninfo x3: b", 1, Some((2, 1, Lacks::LineEnd)), 4);
        check("info: a\n| b", 0, Some((1, 1, Lacks::LineEnd)), 1);
        check("info: a\r\n\r\ninfo: b\r", 1, Some((3, 1, Lacks::LineEnd)), 2);
        check("", 0, None, 0);
    }

    #[test]
    fn half_a_line_is_not_read() {
        for text in [&b"info: a\ninf"[..], b"info: a\ninfo: \xe2\x82", b"info: a\ninfo k=\"v"] {
            let (_folder, path) = file(text);
            let mut scenario = ScenarioFile::open(&path).unwrap().ending(LogEnding::Open);
            assert_eq!(scenario.check().unwrap().logs.total(), 1);
            assert!(ScenarioFile::open(&path).unwrap().check().is_err());
        }
    }
}
