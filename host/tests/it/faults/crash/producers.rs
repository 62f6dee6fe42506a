//! Producers that publish part by part, so that it is known at any time what they have sent.

use std::collections::BTreeMap;
use std::fs;
use std::iter;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use serde_json::Value;

use super::TIMEOUT;
use super::anonymous::Anonymous;
use crate::support::broker::Broker;
use crate::support::cli::{Output, Running};

/// A number for each severity.
pub(super) type Tally = BTreeMap<String, u64>;

#[track_caller]
pub(super) fn tally(json: &Value) -> Tally {
    let object = json.as_object().expect("a tally");
    object.iter().map(|(severity, n)| (severity.clone(), n.as_u64().expect("a number"))).collect()
}

/// Whether logs have ids.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ids {
    Given,
    Absent,
}

/// Whoever publishes.
pub(super) enum Producers<'a> {
    /// `loghost publish`.
    WithJournals(WithJournals<'a>),
    /// Another client, which gives no ids.
    Anonymous(Anonymous<'a>),
}

/// A part that is being published.
pub(super) enum Publishing {
    Processes([Running; 2]),
    Thread(JoinHandle<()>),
}

impl<'a> Producers<'a> {
    /// Producers whose files are in `folder`, of at least as many logs as this, in so many parts.
    pub(super) fn new((broker, ids): (&'a Broker, Ids), folder: &Path, parts: usize, logs: usize) -> Self {
        let blocks = logs.div_ceil(parts * 20);
        match ids {
            Ids::Given => Self::WithJournals(WithJournals::new(broker, folder, parts, blocks)),
            Ids::Absent => Self::Anonymous(Anonymous::new(broker, parts, blocks)),
        }
    }

    /// How many logs they have sent when they have sent this many parts, or a few more.
    pub(super) fn sent(&self, parts: usize) -> u64 {
        match self {
            Self::WithJournals(producers) => producers.sent(parts),
            Self::Anonymous(producer) => producer.sent(parts),
        }
    }

    /// The counts of all logs.
    pub(super) fn expected(&self) -> Tally {
        match self {
            Self::WithJournals(producers) => producers.expected(),
            Self::Anonymous(producer) => producer.in_the_streams(),
        }
    }

    /// Starts to publish this part; those before it were published.
    pub(super) fn start(&self, part: usize) -> Publishing {
        match self {
            Self::WithJournals(producers) => Publishing::Processes(producers.start(part)),
            Self::Anonymous(producer) => Publishing::Thread(producer.start()),
        }
    }

    /// Publishes the last part.
    #[track_caller]
    pub(super) fn complete(&self) {
        match self {
            Self::WithJournals(producers) => producers.complete(),
            Self::Anonymous(producer) => producer.complete(),
        }
    }
}

impl Publishing {
    /// Waits until all of it is confirmed.
    #[track_caller]
    pub(super) fn end(self) {
        match self {
            Self::Processes(processes) => processes.into_iter().for_each(|process| {
                process.end_within(TIMEOUT).exits(0);
            }),
            Self::Thread(thread) => thread.join().expect("the broker takes them"),
        }
    }
}

/// Two producers with journals: one has scenarios with every severity and several sources, the other lines. The
/// input of both grows part by part.
pub(super) struct WithJournals<'a> {
    broker: &'a Broker,
    file: PathBuf,
    pub(super) file_journal: PathBuf,
    pub(super) lines_journal: PathBuf,
    parts: usize,
    /// How many blocks of logs a part has.
    blocks: usize,
}

/// Ten logs; the blank line ends the last one, which would be held back.
const BLOCK: &str = "debug x4 @cache-1: hit\n\
    info x3 @web-1 method=GET status=200: GET /products\n\
    error x2 @db-1 disk=sda: disk full: no space left on device\n\
    critical: the database is down\n\n";
/// How many logs both have in a block.
pub(super) const IN_BLOCK: [(&str, u64); 4] =
    [("debug", 4), ("info", 3), ("error", 2 + LINES), ("critical", 1)];
const LINES: u64 = 10;

impl<'a> WithJournals<'a> {
    fn new(broker: &'a Broker, folder: &Path, parts: usize, blocks: usize) -> Self {
        Self {
            broker,
            file: folder.join("logs.txt"),
            file_journal: folder.join("file.journal"),
            lines_journal: folder.join("lines.journal"),
            parts,
            blocks,
        }
    }

    /// How many logs both have sent when they have sent this many parts: each one half.
    fn sent(&self, parts: usize) -> u64 {
        (self.blocks * parts) as u64 * 2 * LINES
    }

    /// The counts of all logs.
    pub(super) fn expected(&self) -> Tally {
        let times = (self.blocks * self.parts) as u64;
        IN_BLOCK.iter().map(|(severity, n)| ((*severity).to_owned(), n * times)).collect()
    }

    /// Starts both, with this many parts of their input.
    fn start(&self, parts: usize) -> [Running; 2] {
        fs::write(&self.file, BLOCK.repeat(self.blocks * parts)).expect("a file in a folder of ours");
        let publish = |journal: &Path| {
            // The broker may be killed before the producer has begun.
            let publish =
                ["publish", "--require-route", "--retry-for", "5m", "--format", "json", "--journal"];
            self.broker.loghost(publish).arg(journal)
        };
        let file = publish(&self.file_journal).arg("--file").arg(&self.file);
        let lines = publish(&self.lines_journal).args(["--stdin", "--severity", "error", "--source", "db-2"]);
        let text: String = iter::repeat_n("disk full\n", self.blocks * parts * 10).collect();
        [file.start(), lines.stdin(text).start()]
    }

    #[track_caller]
    fn complete(&self) {
        for producer in self.start(self.parts) {
            let output = producer.end_within(TIMEOUT).exits(0);
            assert_eq!(confirmed(&output), self.sent(self.parts) / 2, "{output}");
        }
    }
}

/// How many logs the broker has confirmed to a producer, in all its runs.
#[track_caller]
fn confirmed(output: &Output) -> u64 {
    let report = &output.json()[0];
    ["confirmed", "already_confirmed"].iter().flat_map(|what| tally(&report[what]).into_values()).sum()
}
