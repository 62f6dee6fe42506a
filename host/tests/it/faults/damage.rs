//! One bit of a journal or a state is flipped: the file is refused, or the bit was unused. Nothing else is ever read
//! than was committed, even after the host was killed.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use libtest_mimic::Trial;
use redb::{ReadableDatabase, ReadableTable};

use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Loghost, Signal, loghost};
use crate::support::publish::publish_numbers;
use crate::support::{self, Skip, TIMEOUT, needing, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![needing("damage::is_seen_by_publish", is_seen_by_publish)];
    for (name, write, file) in [
        (
            "journal_of_a_killed_publisher",
            killed_journal as fn(&Files),
            Files::journal as fn(&Files) -> PathBuf,
        ),
        ("journal_of_one_that_ended", ended_journal, Files::journal),
        ("state_of_a_killed_host", killed_state, Files::database),
        ("state_of_one_that_ended", ended_state, Files::database),
    ] {
        trials.push(needing(format!("damage::{name}"), move || is_seen(write, file, some)));
        if name.starts_with("journal") {
            trials.push(support::long(&format!("damage::{name}"), move || {
                is_seen(write, file, every_sixteenth)
            }));
        }
    }
    trials
}

/// A state and a journal, in a folder that goes with them.
struct Files {
    broker: Broker,
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Result<Self, Skip> {
        Ok(Self { broker: Broker::new(Kind::Embedded)?, folder: tempfile::tempdir().expect("a folder") })
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn database(&self) -> PathBuf {
        self.state().join("loghost.redb")
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    fn run(&self) -> Loghost {
        let run = self.broker.loghost(["run", "--every", "20ms", "--state"]).arg(self.state());
        run.arg(tracked("plugins/error.wasm"))
    }

    fn publish(&self) -> Loghost {
        let publish = self.broker.loghost(["publish", "--format", "json", "--stdin", "--severity", "error"]);
        publish.arg("--journal").arg(self.journal())
    }

    fn report(&self) -> Loghost {
        let report = loghost(["report", "--format", "json", "--state"]).arg(self.state());
        report.arg("--journal").arg(self.journal())
    }
}

/// How many logs a publisher sends.
const LOGS: u32 = 50;

fn lines() -> String {
    (1..=LOGS).fold(String::new(), |lines, n| format!("{lines}{n}\n"))
}

/// A publisher that is killed, and a host that came too late for what it sent: a report says what was confirmed.
fn killed_journal(files: &Files) {
    let queue = format!("{}-kept", files.broker.prefix());
    let outside = files.broker.outside();
    outside.listen(&queue, &files.broker.exchange("error"));
    let mut publish = files.publish().start();
    for n in 1..=LOGS {
        publish.write_line(&n.to_string());
        outside.wait_for_depth(&queue, n);
    }
    // The queue has a log before the journal knows that it is confirmed.
    let deadline = Instant::now() + TIMEOUT;
    while last_confirmed(files) != Some(LOGS.into()) {
        assert!(Instant::now() < deadline, "it is never committed");
    }
    publish.end_by(Signal::Kill);
    files.run().args(["--until-idle", "100ms"]).end().exits(0);
}

/// The last log whose confirmation is committed, for good: before the second phase of a commit, redb reads the one
/// before.
fn last_confirmed(files: &Files) -> Option<u64> {
    let copy = files.folder.path().join("copy");
    fs::copy(files.journal(), &copy).expect("a file of ours");
    // What was copied while it was written may be no database.
    let mut builder = redb::Builder::new();
    let database = builder.set_check_integrity_on_open(true).create(copy).ok()?;
    let table = database.begin_read().ok()?.open_table(CONFIRMED).ok()?;
    Some(table.last().ok()??.1.value())
}

/// The intervals of confirmed logs in a journal.
const CONFIRMED: redb::TableDefinition<'_, (&str, u64), u64> = redb::TableDefinition::new("confirmed");

fn ended_journal(files: &Files) {
    killed_journal(files);
    files.publish().stdin(lines()).end().exits(0);
}

/// A host that is killed, and a publisher that has ended.
fn killed_state(files: &Files) {
    let run = files.run().start();
    run.says("consuming");
    publish_numbers(&files.broker, "error", "web", &[1, 2, 3, 5, 9]);
    files.publish().stdin("a\nb\nc\n").end().exits(0);
    run.has_printed(|so_far| so_far.contains("total     8"));
    run.end_by(Signal::Kill);
}

fn ended_state(files: &Files) {
    killed_state(files);
    files.run().args(["--until-idle", "100ms"]).end().exits(0);
}

/// Bits of a file: the offset of a byte, and a bit of it.
type Damaged = Vec<(usize, u8)>;

/// Every sixteenth byte of the header, all flags, and some others.
fn some(bytes: &[u8]) -> Damaged {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let used: Vec<usize> = (320..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    let header = (0..320).step_by(16).map(|at| at + random.usize(..16)).collect::<Vec<_>>();
    let others = (0..30).map(|_| used[random.usize(..used.len())]).collect::<Vec<_>>();
    let damaged = header.into_iter().chain(others).map(|at| (at, random.u8(..8))).collect::<Vec<_>>();
    (0..8).map(|bit| (9, bit)).chain(damaged).collect()
}

fn every_sixteenth(bytes: &[u8]) -> Damaged {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let damaged = (0..bytes.len()).step_by(16).map(|at| (at + random.usize(..16), random.u8(..8)));
    (0..8)
        .map(|bit| (9, bit))
        .chain(damaged.filter(|(at, _)| *at < bytes.len()).collect::<Vec<_>>())
        .collect()
}

/// Flips one bit after the other in one of the files that `write` leaves.
fn is_seen(
    write: fn(&Files),
    file: fn(&Files) -> PathBuf,
    damaged: fn(&[u8]) -> Damaged,
) -> Result<(), Skip> {
    let files = Files::new()?;
    write(&files);
    // Opening the file of a killed process repairs it.
    let before: Vec<(PathBuf, Vec<u8>)> = [files.journal(), files.database()]
        .map(|path| (path.clone(), fs::read(path).expect("it was written")))
        .into();
    let report = |damage: Option<(usize, u8)>| {
        for (path, bytes) in &before {
            let mut bytes = bytes.clone();
            if let Some((at, bit)) = damage.filter(|_| *path == file(&files)) {
                bytes[at] ^= 1 << bit;
            }
            fs::write(path, bytes).expect("a file of ours");
        }
        files.report().end().does_not_say("panicked")
    };
    let as_written = report(None);
    assert!(matches!(as_written.code(), Some(0 | 1)), "{as_written}");
    let (mut refused, mut wrong) = (0, Vec::new());
    // Always from the file as it was written: opening it may make it longer.
    let of_it = before.iter().filter(|(path, _)| *path == file(&files));
    for damage in of_it.flat_map(|(_, bytes)| damaged(bytes)) {
        let output = report(Some(damage));
        match output.code() {
            Some(65) => refused += 1,
            code if code == as_written.code() && output.stdout == as_written.stdout => {}
            _ => wrong.push(damage),
        }
    }
    assert_eq!(wrong, [], "something else was read where these bits were others");
    assert!(refused > 5, "{refused} were refused");
    Ok(())
}

/// Confirmed logs are not sent again, and the journal is not begun again.
fn is_seen_by_publish() -> Result<(), Skip> {
    let files = Files::new()?;
    killed_journal(&files);
    let whole = fs::read(files.journal()).expect("it was written");
    let publish = |bytes: &[u8]| {
        fs::write(files.journal(), bytes).expect("a file of ours");
        files.publish().stdin(lines()).end().does_not_say("panicked")
    };
    let as_written = publish(&whole).exits(0);
    for (at, bit) in some(&whole) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << bit;
        let output = publish(&bytes);
        if output.code() != Some(65) {
            assert_eq!(output.stdout, as_written.stdout, "bit {bit} of byte {at}: {output}");
        }
    }
    Ok(())
}
