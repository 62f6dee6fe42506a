//! Scenarios in files, and in texts that come with the program.
//!
//! It reads them as a stream, says where they are wrong, and rewrites what they expect. It knows neither
//! what becomes of the logs nor which plugins there are.

mod bless;
mod steps;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use loghost_core::domain::scenario::{Expectation, Step, SyntaxError, SyntaxErrorKind};
use loghost_core::domain::{Tally, printable};

pub(crate) use self::bless::{Blessed, bless};
use self::steps::LIMIT;
pub(crate) use self::steps::{Incomplete, Lacks, LogEnding, StepReader};

/// A scenario that can be read from its start as often as needed.
pub(crate) struct ScenarioFile {
    name: String,
    folder: PathBuf,
    input: Box<dyn ScenarioInput>,
    ending: LogEnding,
}

/// What a scenario is read from.
pub(crate) trait ScenarioInput: BufRead + Seek + Send {}

impl<R: BufRead + Seek + Send> ScenarioInput for R {}

/// What a scenario sends and expects in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// How many logs of each severity it sends.
    pub(crate) logs: Tally,
    /// What it expects, in order.
    pub(crate) expectations: Vec<Expectation>,
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
        Ok(Self { name, folder, input: Box::new(input), ending: LogEnding::Text })
    }

    /// A scenario that comes with the program, shown as `name`.
    pub(crate) fn bundled(name: &str, text: &'static str) -> Self {
        let (name, input) = (name.to_owned(), Box::new(Cursor::new(text)));
        Self { name, folder: PathBuf::new(), input, ending: LogEnding::Text }
    }

    /// The same, as a text that ends otherwise.
    pub(crate) fn ending(self, ending: LogEnding) -> Self {
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
        for step in StepReader::new(self.name.clone(), &mut self.input, self.ending) {
            let step = match step {
                Err(ScenarioFileError::Syntax { name, error }) => return Err(self.wrong(name, error)),
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
    fn wrong(&mut self, name: String, error: SyntaxError) -> ScenarioFileError {
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
    pub(crate) fn into_steps(mut self) -> Result<StepReader<Box<dyn ScenarioInput>>, ScenarioFileError> {
        self.rewind()?;
        Ok(StepReader::new(self.name, self.input, self.ending))
    }

    fn rewind(&mut self) -> Result<(), ScenarioFileError> {
        self.input.rewind().map_err(|source| ScenarioFileError::Read { name: self.name.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use loghost_core::domain::scenario::MAX_BYTES;

    use super::*;

    pub(super) const SCENARIO: &str = "info x3: a\n\n# why\nexpect all\n| old\nexpect ./mine.wasm k=v\n";

    pub(super) fn file(text: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
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
}
