//! Scenarios in files, and in texts that come with the program.
//!
//! It reads them as a stream, says where they are wrong, and rewrites what they expect. It knows neither
//! what becomes of the logs nor which plugins there are.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process;

use loghost_core::domain::scenario::{
    Expectation, MAX_BYTES, Parser, Step, SyntaxError, SyntaxErrorKind, rewrite, steps,
};
use loghost_core::domain::{Tally, printable};

/// A scenario that can be read from its start as often as needed.
pub(crate) struct ScenarioFile {
    name: String,
    folder: PathBuf,
    input: Box<dyn Input>,
    ending: Ending,
}

/// Where a log ends that nothing follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
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

/// What a scenario is read from.
pub(crate) trait Input: BufRead + Seek + Send {}

impl<R: BufRead + Seek + Send> Input for R {}

/// What a scenario sends and expects in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// How many logs of each severity it sends.
    pub(crate) logs: Tally,
    /// What it expects, in order.
    pub(crate) expectations: Vec<Expectation>,
}

/// Whether blessing changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blessed {
    /// The file has been rewritten.
    Rewritten,
    /// The file said all that already.
    Unchanged,
}

/// Why a scenario cannot be read or rewritten.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScenarioFileError {
    /// Something in it is wrong. The error shows where, with the offending line.
    #[error("{}:{error}", printable(.name))]
    Syntax {
        /// The scenario.
        name: String,
        /// What and where.
        error: SyntaxError,
    },
    /// Already its first line is wrong, and not as if it were misspelled.
    #[error(
        "{}:{error}\nis this a scenario? Lines that are no scenario go out as they are by\n  \
         loghost publish --stdin --severity info < {}",
        printable(.name), printable(.name)
    )]
    NoScenario {
        /// The file.
        name: String,
        /// What is wrong, and where.
        error: SyntaxError,
    },
    /// It is no such file.
    #[error("{} is {is}", printable(.name))]
    NotAFile {
        /// The scenario.
        name: String,
        /// What it is instead, and what to do.
        is: &'static str,
    },
    /// It cannot be opened or read.
    #[error("cannot read the scenario {}", printable(.name))]
    Read {
        /// The scenario.
        name: String,
        /// The system's reason.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write the scenario {}", printable(.name))]
    Write {
        /// The scenario.
        name: String,
        /// The system's reason.
        source: io::Error,
    },
    /// It was changed by somebody else before it could be rewritten.
    #[error("{} has changed while it was verified: left as it is", printable(.name))]
    Changed {
        /// The scenario.
        name: String,
    },
}

impl ScenarioFile {
    /// Opens the file at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self, ScenarioFileError> {
        let name = path.display().to_string();
        let unreadable = |source| ScenarioFileError::Read { name: name.clone(), source };
        // Asked before it is opened, because opening a pipe waits until somebody writes to it.
        let kind = fs::metadata(path).map_err(unreadable)?.file_type();
        if kind.is_dir() {
            return Err(ScenarioFileError::NotAFile { name, is: "a folder: expected a scenario file" });
        }
        if !kind.is_file() {
            let is = "a pipe or a device: a scenario is read twice, to check it first, so it must be a file \
                      (for the logs of a pipe there is `loghost publish --stdin`)";
            return Err(ScenarioFileError::NotAFile { name, is });
        }
        let mut input = BufReader::new(File::open(path).map_err(unreadable)?);
        if input.fill_buf().map_err(unreadable)?.starts_with(b"\0asm") {
            let is = "WebAssembly, as plugins are: expected a scenario file, which names plugins (a plugin is run by \
                      `loghost run`, and looked at by `loghost plugin inspect`)";
            return Err(ScenarioFileError::NotAFile { name, is });
        }
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { name, folder, input: Box::new(input), ending: Ending::Text })
    }

    /// A scenario that comes with the program, shown as `name`.
    pub(crate) fn bundled(name: &str, text: &'static str) -> Self {
        let (name, input) = (name.to_owned(), Box::new(Cursor::new(text)));
        Self { name, folder: PathBuf::new(), input, ending: Ending::Text }
    }

    /// The same, as a text that ends otherwise.
    pub(crate) fn ending(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }

    /// The name to show.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where the plugin is that the scenario calls `file`.
    pub(crate) fn plugin_path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// Reads the scenario to its end, so that nothing is sent of one that turns out to be wrong later.
    pub(crate) fn check(&mut self) -> Result<Summary, ScenarioFileError> {
        self.rewind()?;
        let mut summary = Summary::default();
        for step in Steps::new(self.name.clone(), &mut self.input, self.ending) {
            let step = match step {
                Err(ScenarioFileError::Syntax { name, error }) => return Err(self.judged(name, error)),
                step => step?,
            };
            match step {
                // Does not overflow: the parser counts them all.
                Step::Logs { log, times } => summary.logs[log.severity] += times.get(),
                Step::Expect(expectation) => summary.expectations.push(expectation),
            }
        }
        Ok(summary)
    }

    /// What an error in it means: where its first line is wrong, it may be no scenario.
    fn judged(&mut self, name: String, error: SyntaxError) -> ScenarioFileError {
        let is_misspelled = match error.kind() {
            SyntaxErrorKind::UnknownSeverity { suggestion, .. } => suggestion.is_some(),
            _ => true,
        };
        let is_text = Path::new(&name).extension().is_some_and(|extension| extension == "txt");
        if (is_text && is_misspelled) || self.first_line() != Some(error.line()) {
            return ScenarioFileError::Syntax { name, error };
        }
        ScenarioFileError::NoScenario { name, error }
    }

    /// The number of the first line that says something.
    fn first_line(&mut self) -> Option<u64> {
        self.rewind().ok()?;
        let lines = self.input.by_ref().take(LIMIT).split(b'\n').map_while(Result::ok);
        let says = |line: &Vec<u8>| !line.trim_ascii().is_empty() && !line.starts_with(b"#");
        (1..).zip(lines).find(|(_, line)| says(line)).map(|(number, _)| number)
    }

    /// The steps from the start. They come from the file that was opened, and that [`Self::check`] has
    /// read, even if another one has taken its place by now.
    pub(crate) fn into_steps(mut self) -> Result<Steps<Box<dyn Input>>, ScenarioFileError> {
        self.rewind()?;
        Ok(Steps::new(self.name, self.input, self.ending))
    }

    fn rewind(&mut self) -> Result<(), ScenarioFileError> {
        self.input.rewind().map_err(|source| ScenarioFileError::Read { name: self.name.clone(), source })
    }
}

/// The steps of a scenario, read as they are asked for. Ends after the first error.
pub(crate) struct Steps<R> {
    name: String,
    input: R,
    buffer: Vec<u8>,
    parser: Option<Parser>,
    ending: Ending,
    /// What stands behind the last line end, when all else has been read.
    rest: Option<Vec<u8>>,
}

impl<R: BufRead> Steps<R> {
    /// The steps in `input`, which errors call `name`.
    pub(crate) fn new(name: String, input: R, ending: Ending) -> Self {
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
        self.ending = Ending::Text;
    }

    /// The next step; none at the end.
    fn read(&mut self, mut parser: Parser) -> Result<Option<Step>, ScenarioFileError> {
        loop {
            let read = if self.rest.is_some() { 0 } else { self.read_line()? };
            let is_line = self.buffer.last() == Some(&b'\n') || read >= LIMIT;
            if !is_line && self.ending == Ending::Open {
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
const LIMIT: u64 = MAX_BYTES as u64 + 8;

/// Whether a line that begins like this may be a log when it is whole.
fn may_become_a_log(rest: &[u8]) -> bool {
    let is_blank = rest.iter().all(u8::is_ascii_whitespace);
    !(is_blank || rest.starts_with(b"#") || rest.starts_with(b"|") || rest.starts_with(b"expect"))
}

impl<R: BufRead> Iterator for Steps<R> {
    type Item = Result<Step, ScenarioFileError>;

    fn next(&mut self) -> Option<Self::Item> {
        let parser = self.parser.take()?;
        self.read(parser).transpose()
    }
}

/// Writes a text in the place of each that was expected in the file at `path`; the expectations are those
/// that were read from it. The new file takes the old one's place at once, or not at all.
pub(crate) fn bless(path: &Path, texts: &[(Expectation, String)]) -> Result<Blessed, ScenarioFileError> {
    let name = path.display().to_string();
    let unwritable = |source| ScenarioFileError::Write { name: name.clone(), source };
    // Of a link, the file that it points to is replaced.
    let target = fs::canonicalize(path).map_err(unwritable)?;
    // Opened for writing too: a file that must not be written is not replaced either.
    let mut file = OpenOptions::new().read(true).write(true).open(&target).map_err(unwritable)?;
    let mut old = String::new();
    file.read_to_string(&mut old).map_err(unwritable)?;

    let mut expected = texts.iter().map(|(expectation, _)| expectation);
    for step in steps(&old) {
        let step = step.map_err(|error| ScenarioFileError::Syntax { name: name.clone(), error })?;
        if let Step::Expect(expectation) = step
            && expected.next() != Some(&expectation)
        {
            return Err(ScenarioFileError::Changed { name });
        }
    }
    if expected.next().is_some() {
        return Err(ScenarioFileError::Changed { name });
    }

    let texts: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
    let new =
        rewrite(&old, &texts).map_err(|error| ScenarioFileError::Syntax { name: name.clone(), error })?;
    if new == old {
        return Ok(Blessed::Unchanged);
    }
    let permissions = file.metadata().map_err(unwritable)?.permissions();
    replace(&target, &new, permissions).map_err(unwritable)?;
    Ok(Blessed::Rewritten)
}

/// Puts a file with `text` in the place of `target`.
fn replace(target: &Path, text: &str, permissions: fs::Permissions) -> io::Result<()> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    // Beside it, because only within one file system a rename replaces a file at once.
    let temporary = target.with_file_name(format!(".{name}.{}.tmp", process::id()));
    let mut file = File::create_new(&temporary)?;
    let written = file
        .set_permissions(permissions)
        .and_then(|()| file.write_all(text.as_bytes()))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, target));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCENARIO: &str = "info x3: a\n\n# why\nexpect all\n| old\nexpect ./mine.wasm k=v\n";

    fn file(text: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[track_caller]
    fn check_error(text: impl AsRef<[u8]>, expected: &str) {
        let (_folder, path) = file(text);
        let error = ScenarioFile::open(&path).unwrap().check().unwrap_err().to_string();
        let shown = error.strip_prefix(&*path.to_string_lossy()).unwrap();
        assert_eq!(shown.lines().next().unwrap(), expected);
    }

    #[test]
    fn a_file_is_summed_up_and_then_read_again() {
        let (folder, path) = file(SCENARIO);
        let mut scenario = ScenarioFile::open(&path).unwrap();
        let summary = scenario.check().unwrap();
        assert_eq!(summary.logs.total(), 3);
        assert_eq!(summary.expectations.len(), 2);
        assert_eq!(scenario.plugin_path("./mine.wasm"), folder.path().join("mine.wasm"));
        // Another file in its place is not the one that was checked.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "wrong").unwrap();
        assert_eq!(scenario.into_steps().unwrap().map(Result::unwrap).count(), 3);
    }

    #[test]
    fn a_bundled_text_is_read_like_a_file() {
        let mut scenario = ScenarioFile::bundled("scenarios/1.txt", "info: a\neror: b");
        assert_eq!(scenario.name(), "scenarios/1.txt");
        let error = scenario.check().unwrap_err().to_string();
        assert!(error.starts_with("scenarios/1.txt:2:1: `eror` is no severity"), "{error}");
        assert!(error.ends_with("\n  2 | eror: b\n    | ^^^^"), "{error}");
    }

    #[test]
    fn wrong_files_are_pointed_at() {
        check_error(
            "info: a\r\n\r\n| b\r\n",
            ":3:1: this continues nothing: a `|` line is directly below a log or an `expect`",
        );
        check_error(b"info: a\ninfo: \xff\n", ":2:7: this is not UTF-8: a scenario is text in UTF-8");
        check_error(vec![b'x'; MAX_BYTES + 1], ":1:1: the line has more than 16 MiB");
        check_error(
            [&b"info:\n"[..], &vec![0xff; MAX_BYTES + 99]].concat(),
            ":2:1: the line has more than 16 MiB",
        );
    }

    #[test]
    fn the_longest_line_is_read() {
        let (_folder, path) = file(format!("\u{feff}info:{}\r\ninfo: a", "x".repeat(MAX_BYTES - 5)));
        assert_eq!(ScenarioFile::open(&path).unwrap().check().unwrap().logs.total(), 2);
    }

    #[test]
    fn an_endless_line_is_not_held() {
        let mut steps = Steps::new("endless".to_owned(), BufReader::new(io::repeat(b'x')), Ending::Open);
        assert!(matches!(steps.next(), Some(Err(ScenarioFileError::Syntax { .. }))));
        assert!(steps.next().is_none());
    }

    #[test]
    fn what_may_still_grow_is_left() {
        #[track_caller]
        fn check(text: &str, whole: u64, left: Option<(u64, u64, Lacks)>, in_all: u64) {
            let (_folder, path) = file(text);
            let mut steps = ScenarioFile::open(&path).unwrap().ending(Ending::Open).into_steps().unwrap();
            let count = |steps: &mut Steps<Box<dyn Input>>| -> u64 {
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
            let mut scenario = ScenarioFile::open(&path).unwrap().ending(Ending::Open);
            assert_eq!(scenario.check().unwrap().logs.total(), 1);
            assert!(ScenarioFile::open(&path).unwrap().check().is_err());
        }
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path| ScenarioFile::open(path).map(|_| ()).unwrap_err().to_string();
        assert!(error(folder.path()).ends_with(" is a folder: expected a scenario file"));
        let missing = folder.path().join("\u{1b}[2J");
        assert_eq!(
            error(&missing),
            format!("cannot read the scenario {}/\\u{{1b}}[2J", folder.path().display())
        );
        #[cfg(unix)]
        assert!(error(Path::new("/dev/null")).contains("`loghost publish --stdin`"));
    }

    #[test]
    fn blessing_replaces_texts_and_nothing_else() {
        let (folder, path) = file(SCENARIO);
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
        let permissions = fs::metadata(&path).unwrap().permissions();
        let expectations = || ScenarioFile::open(&path).unwrap().check().unwrap().expectations;
        let texts = |all: &str, mine: &str| -> Vec<_> {
            expectations().into_iter().zip([all.to_owned(), mine.to_owned()]).collect()
        };

        let blessing = texts("new", "a\nb");
        assert_eq!(bless(&path, &blessing).unwrap(), Blessed::Rewritten);
        let expected = "info x3: a\n\n# why\nexpect all\n| new\nexpect ./mine.wasm k=v\n| a\n| b\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(fs::metadata(&path).unwrap().permissions(), permissions);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no other file is left");

        assert_eq!(bless(&path, &texts("new", "a\nb")).unwrap(), Blessed::Unchanged);
        // What was read before the first blessing is not what is there now.
        assert!(matches!(bless(&path, &blessing), Err(ScenarioFileError::Changed { .. })));
        assert!(matches!(bless(&path, &[]), Err(ScenarioFileError::Changed { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }

    #[cfg(unix)]
    #[test]
    fn blessing_a_link_replaces_what_it_points_to() {
        let (folder, path) = file("expect all\n");
        let link = folder.path().join("link.txt");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let expectations = ScenarioFile::open(&link).unwrap().check().unwrap().expectations;
        let texts: Vec<_> =
            expectations.into_iter().map(|expectation| (expectation, "a".to_owned())).collect();
        assert_eq!(bless(&link, &texts).unwrap(), Blessed::Rewritten);
        assert_eq!(fs::read_to_string(&path).unwrap(), "expect all\n| a\n");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
