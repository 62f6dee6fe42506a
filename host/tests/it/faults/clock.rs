//! The system's clock jumps, and no origin expires because of it.

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Loghost, Running, Signal};
use crate::support::metrics::{last_of_text, total};
use crate::support::publish::publish_numbers;
use crate::support::{Need, Skip, needing, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        needing("clock::leaps_and_nothing_is_forgotten", leaps_and_nothing_is_forgotten),
        needing("clock::leaps_under_a_publisher", leaps_under_a_publisher),
    ]
}

/// A clock for one process: the system's, with an offset.
struct Clock {
    library: PathBuf,
    folder: tempfile::TempDir,
}

impl Clock {
    fn new() -> Result<Self, Skip> {
        let libraries = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
        let mut libraries = libraries.map(|entry| entry.path().join("faketime/libfaketime.so.1"));
        let missing = || Skip::new(Need::Faketime, "libfaketime is not installed: apt-get install faketime");
        let library = libraries.find(|path| path.exists()).ok_or_else(missing)?;
        let clock = Self { library, folder: tempfile::tempdir().expect("a folder") };
        clock.set("+0");
        Ok(clock)
    }

    fn offset(&self) -> PathBuf {
        self.folder.path().join("offset")
    }

    fn set(&self, offset: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, offset).expect("a file in a folder of ours");
        fs::rename(&new, self.offset()).expect("a folder of ours");
    }

    /// A process that has this clock; durations are measured with another one.
    fn of(&self, loghost: Loghost) -> Loghost {
        let loghost = loghost.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", self.offset());
        let loghost = loghost.env("FAKETIME_NO_CACHE", "1").env("NO_FAKE_STAT", "1");
        loghost.env("DONT_FAKE_MONOTONIC", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }
}

/// Longer than it takes until a leap is said, and less than all of them take.
const FORGET_AFTER: &str = "20s";

fn run(broker: &Broker, state: &Path) -> Loghost {
    let run =
        broker.loghost(["run", "--every", "20ms", "--forget-after", FORGET_AFTER, "--state"]).arg(state);
    run.arg(tracked("plugins/error.wasm"))
}

#[track_caller]
fn counts(run: &Running, n: u64) {
    run.has_printed(|so_far| total(&last_of_text(so_far), "error") == Some(n));
}

const NUMBERS: [u64; 4] = [1, 2, 3, 4];

/// Sends the same logs again, and another one, which is counted with them or after them.
#[track_caller]
fn send_again(broker: &Broker, run: &Running, other: u64, n: u64) {
    publish_numbers(broker, "error", "db", &[other]);
    counts(run, n);
    publish_numbers(broker, "error", "web", &NUMBERS);
    publish_numbers(broker, "error", "db", &[other + 1]);
    counts(run, n + 1);
}

fn leaps_and_nothing_is_forgotten() -> Result<(), Skip> {
    let (broker, clock) = (Broker::new(Kind::Embedded)?, Clock::new()?);
    let folder = tempfile::tempdir().expect("a folder");
    let run = clock.of(run(&broker, folder.path())).start();
    run.says("consuming");
    publish_numbers(&broker, "error", "web", &NUMBERS);
    counts(&run, 4);
    let mut all = 4;
    for (offset, words) in [
        ("+1d", "leapt forward by 1day"),
        ("-3d", "leapt back by 4days"),
        ("+30d", "leapt forward by 1month"),
        ("+1d", "leapt back by 29days"),
        ("+400d", "leapt forward by 1year"),
        ("+500d", "leapt forward by 3months"),
    ] {
        clock.set(offset);
        run.says(words);
        send_again(&broker, &run, all, all + 1);
        all += 2;
    }
    run.end_by(Signal::Terminate).exits(0);
    Ok(())
}

fn leaps_under_a_publisher() -> Result<(), Skip> {
    let (broker, clock) = (Broker::new(Kind::Embedded)?, Clock::new()?);
    let queue = format!("{}-kept", broker.prefix());
    broker.outside().listen(&queue, &broker.exchange("error"));
    let publish = broker.loghost(["publish", "--stdin", "--severity", "error"]);
    let mut publish = clock.of(publish).start();
    publish.write_line("a");
    broker.outside().take(&queue);
    clock.set("+2h");
    publish.says("leapt forward by 2h");
    publish.write_line("b");
    publish.end().exits(0).prints("total 2");
    Ok(())
}
