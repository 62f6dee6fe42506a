//! `loghost run --state`: what survives a restart, and what is refused.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::SystemTime;

use lapin::{BasicProperties, ExchangeKind};
use libtest_mimic::Trial;
use redb::TableDefinition;
use serde_json::Value;

use crate::support::broker::{Broker, Kind, on, on_all, on_each};
use crate::support::cli::{Loghost, Running, Signal, loghost};
use crate::support::guest::guest;
use crate::support::metrics::{last_of_text, total};
use crate::support::publish::publish_numbers;
use crate::support::{Skip, modes, needing, test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        test("state::refuses_what_is_no_state", refuses_what_is_no_state),
        needing("state::has_one_host", has_one_host),
        needing("state::is_made_where_there_is_none", is_made_where_there_is_none),
        needing("state::is_for_its_owner_alone", is_for_its_owner_alone),
        needing(
            "state::is_all_that_is_shown_when_the_disk_is_full",
            is_all_that_is_shown_when_the_disk_is_full,
        ),
    ];
    trials.extend(on_all("state::keeps_counts_when_killed", keeps_counts_when_killed));
    trials.extend(on_all("state::counts_a_log_once", counts_a_log_once));
    trials.extend(on(Kind::QUEUES, "state::that_is_gone_ends_the_host", that_is_gone_ends_the_host));
    trials.extend(on_each("state::of_the_first_format_is_taken_up", of_the_first_format_is_taken_up));
    trials.extend(on(Kind::QUEUES, "state::is_not_missed_without_a_word", is_not_missed_without_a_word));
    trials
}

/// `loghost run plugins/error.wasm` with this state.
fn run(broker: &Broker, state: &Path) -> Loghost {
    broker.loghost(["run", "--every", "20ms", "--state"]).arg(state).arg(tracked("plugins/error.wasm"))
}

/// The same, when it consumes.
#[track_caller]
fn running(broker: &Broker, state: &Path) -> Running {
    let run = run(broker, state).start();
    run.says("consuming from");
    run
}

/// Waits until its metric tells of `n` logs.
#[track_caller]
fn counts(run: &Running, n: u64) {
    run.has_printed(|so_far| total(&last_of_text(so_far), "error") == Some(n));
}

fn keeps_counts_when_killed(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut all = 0;
    for part in [300, 1, 700] {
        let run = running(broker, folder.path());
        let publish = broker.loghost(["publish", "--stdin", "--severity", "error", "--require-route"]);
        publish.stdin("disk full\n".repeat(part)).end().exits(0);
        all += part as u64;
        counts(&run, all);
        run.end_by(Signal::Kill);
    }
    // What was acknowledged is there, what was not is recognised.
    let rest = run(broker, folder.path()).args(["--until-idle", "1s"]).end().exits(0);
    assert_eq!(total(&last_of_text(&rest.stdout), "error"), Some(all), "{rest}");
    assert_eq!(broker.outside().depth(&broker.queue("error")), Some(0));
}

/// A log that comes again, also to another host, is counted once; one without an id each time.
fn counts_a_log_once(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    for (numbers, sum) in [([1, 2, 2, 3], 4), ([3, 1, 4, 4], 6), ([4, 3, 2, 1], 7)] {
        let run = running(broker, folder.path());
        publish_numbers(broker, "error", "web", &numbers);
        broker.outside().publish(&broker.exchange("error"), "web", b"no id", BasicProperties::default());
        counts(&run, sum);
        run.end_by(Signal::Terminate).exits(0);
    }
    let output =
        run(broker, folder.path()).args(["--until-idle", "500ms", "--format", "json"]).end().exits(0);
    let metric = output.json().pop().expect("a metric");
    assert_eq!(metric["counts"]["error"], 7, "{output}");
    assert_eq!(metric["without_id"], 3, "{output}");
    assert_eq!(metric["counted_by_offset"], broker.is_stream(), "{output}");
}

fn has_one_host() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let first = running(&broker, folder.path());
    run(&broker, folder.path()).end().exits(65).says("in use").says(&folder.path().display().to_string());
    first.end_by(Signal::Terminate).exits(0);
    running(&broker, folder.path()).end_by(Signal::Terminate).exits(0);
    Ok(())
}

fn is_made_where_there_is_none() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("a/new/one");
    let new = format!("a new state begins in {}", state.display());
    running(&broker, &state).end_by(Signal::Terminate).exits(0).says(&new);
    assert!(state.join("loghost.redb").exists());
    running(&broker, &state).end_by(Signal::Terminate).exits(0).does_not_say("a new state");
    Ok(())
}

/// A state as it was written before there were unwanted logs, in which `error` has counted 1 and 2 of `web`, and
/// 4 is dead.
#[track_caller]
fn write_first_format(folder: &Path, queue: &str) {
    type Rows = TableDefinition<'static, &'static str, &'static [u8]>;
    type Intervals = TableDefinition<'static, (&'static str, &'static str, u64), u64>;
    let counts = r#"{"consumer":"error","accepted":{"debug":0,"info":0,"error":2,"critical":0},
        "rejected":{"debug":0,"info":0,"error":1,"critical":0},
        "skipped":{"debug":0,"info":0,"error":0,"critical":0},"repeated":3,"without_id":0,"first":1,"last":2,
        "folded":{"origins":0,"missing":0,"horizon":0}}"#;
    let write = || -> Result<(), redb::Error> {
        let database = redb::Database::create(folder.join("loghost.redb"))?;
        let mut transaction = database.begin_write()?;
        transaction.set_two_phase_commit(true);
        transaction.open_table(TableDefinition::<&str, u32>::new("meta"))?.insert("format", 1)?;
        transaction.open_table(Rows::new("consumers"))?.insert(queue, counts.as_bytes())?;
        let filter = r##"{"severities":["error"],"sources":["#"]}"##;
        transaction.open_table(Rows::new("filters"))?.insert(queue, filter.as_bytes())?;
        transaction.open_table(Rows::new("checkpoints"))?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later");
        let now = u64::try_from(now.as_millis()).expect("it is not that late");
        let origins = TableDefinition::<(&str, &str), u64>::new("origins");
        transaction.open_table(origins)?.insert((queue, "p/error/web"), now)?;
        let mut finished = transaction.open_table(Intervals::new("finished"))?;
        finished.insert((queue, "p/error/web", 1), 2)?;
        finished.insert((queue, "p/error/web", 4), 4)?;
        drop(finished);
        transaction.open_table(Intervals::new("dead"))?.insert((queue, "p/error/web", 4), 4)?;
        transaction.commit()?;
        Ok(())
    };
    write().expect("a database in a folder of ours");
}

fn of_the_first_format_is_taken_up(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    write_first_format(folder.path(), &broker.queue("error"));
    let reported = || loghost(["report", "--format", "json", "--state"]).arg(folder.path()).end().exits(1);
    let before = reported();
    let [consumer] = before.json().try_into().expect("one consumer");
    assert_eq!((&consumer["counts"]["error"], &consumer["rejected"]["error"]), (&2.into(), &1.into()));
    assert_eq!((&consumer["unwanted"]["error"], &consumer["foreign"]), (&0.into(), &0.into()), "{before}");
    assert_eq!(reported().stdout, before.stdout, "to look at it changes nothing");

    let run = running(broker, folder.path());
    publish_numbers(broker, "error", "web", &[1, 2, 3, 5]);
    counts(&run, 4);
    let outside = broker.outside();
    outside.declare_exchange(&broker.exchange("info"), ExchangeKind::Topic);
    outside.bind_with(&broker.queue("error"), &broker.exchange("info"), "old.*");
    publish_numbers(broker, "info", "old.1", &[1, 2]);
    outside.wait_for_depth(&format!("{}.dead", broker.queue("error")), 2);
    run.end_by(Signal::Kill);

    let json = run_again(broker, folder.path());
    assert_eq!((&json["counts"]["error"], &json["unwanted"]["info"]), (&4.into(), &2.into()), "{json}");
    assert_eq!(json["rejected"]["error"], 1, "{json}");
    let report = loghost(["report", "--state"]).arg(folder.path()).end().exits(0);
    report.prints("2 are not counted, because its filter does not want them");
}

/// The last metric of a run that takes what is left.
#[track_caller]
fn run_again(broker: &Broker, state: &Path) -> Value {
    let output = run(broker, state).args(["--until-idle", "500ms", "--format", "json"]).end().exits(0);
    output.json().pop().expect("a metric")
}

/// At the start it is said which counts are not stored, and which are.
fn is_not_missed_without_a_word(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let plugins = folder.path().join("plugins");
    fs::create_dir(&plugins).expect("a folder of ours");
    guest("plain").write(&plugins);
    guest("keeping").keeps_count().write(&plugins);
    let run = |arguments: &[&str]| {
        let run = broker.loghost(["run", "--until-idle", "100ms"]).args(arguments).arg(&plugins);
        run.end().exits(0)
    };
    let said = run(&[]).says(
        "without --state, counts, and what consumers keep of their own (keeping), last as long as this run",
    );
    said.says("--state DIR").says("--ephemeral");
    run(&["--ephemeral"]).does_not_say("without --state");
    let state = folder.path().join("state");
    let state = state.to_str().expect("a name of ours");
    run(&["--state", state]).does_not_say("without --state");
    let declare = broker.loghost(["run", "--declare-only"]).arg(&plugins).end().exits(0);
    declare.does_not_say("without --state");
}

/// Before the broker is contacted, and without changing the files.
fn refuses_what_is_no_state() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("loghost.redb");
    let notes = folder.path().join("notes.txt");
    let refused = |text: &str| {
        let run = loghost(["run", "--state"]).arg(folder.path()).arg(tracked("plugins/error.wasm"));
        run.end().exits(65).says(text).says(&folder.path().display().to_string()).does_not_say("panicked");
        let report = loghost(["report", "--state"]).arg(folder.path());
        report.end().exits(65).says(&folder.path().display().to_string()).does_not_say("panicked");
    };

    fs::write(&notes, "mine").expect("a file in a folder of ours");
    refused("holds other files");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder of ours").count(), 1);

    for bytes in [&b""[..], b"not a database", b"redb\x1a\x0a\xa9\x0d\x0a", &vec![0xff; 100_000]] {
        fs::write(&file, bytes).expect("a file in a folder of ours");
        refused("loghost.redb");
        assert_eq!(fs::read(&file).expect("it is there"), bytes, "it was changed");
    }
}

/// Removed, renamed, replaced with another folder, or without its lock: logs that come then stay in the queue.
fn that_is_gone_ends_the_host(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let (state, aside) = (folder.path().join("state"), folder.path().join("aside"));
    let ways: [fn(&Path, &Path); 4] = [
        |state, aside| fs::rename(state, aside).expect("a folder of ours"),
        |state, aside| {
            fs::rename(state, aside).expect("a folder of ours");
            fs::create_dir(state).expect("a folder of ours");
            for name in ["loghost.redb", "loghost.lock"] {
                fs::copy(aside.join(name), state.join(name)).expect("a file of ours");
            }
        },
        |state, _| fs::remove_file(state.join("loghost.lock")).expect("a file of ours"),
        |state, _| fs::remove_dir_all(state).expect("a folder of ours"),
    ];
    let mut n = 0;
    for (way, away) in ways.into_iter().enumerate() {
        let run = running(broker, &state);
        publish_numbers(broker, "error", "web", &[n + 1, n + 2]);
        counts(&run, n + 2);
        broker.outside().wait_for_depth(&broker.queue("error"), 0);
        away(&state, &aside);
        publish_numbers(broker, "error", "web", &[n + 3, n + 4]);
        let output = run.end().exits(74).says("was removed, renamed or replaced").says("put the folder back");
        assert_eq!(total(&last_of_text(&output.stdout), "error"), Some(n + 2), "way {way}: {output}");
        broker.outside().wait_for_depth(&broker.queue("error"), 2);
        if aside.exists() {
            // It is put back.
            let _ = fs::remove_dir_all(&state);
            fs::rename(&aside, &state).expect("a folder of ours");
        }
        if state.exists() {
            n += 4;
            let rest = self::run(broker, &state).args(["--until-idle", "1s"]).end().exits(0);
            assert_eq!(total(&last_of_text(&rest.stdout), "error"), Some(n), "way {way}: {rest}");
        }
    }
}

fn is_for_its_owner_alone() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    for umask in ["000", "077", "777"] {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("new/state");
        let run = || {
            let run = run(&broker, &state).args(["--until-idle", "100ms"]).after(&format!("umask {umask}"));
            run.end().exits(0);
        };
        let files = ["loghost.lock", "loghost.redb"].map(|name| (name.to_owned(), 0o600));
        run();
        assert_eq!(modes(&state), files, "umask {umask}");
        assert_eq!(modes(folder.path()), [("new".to_owned(), 0o700)], "umask {umask}");
        assert_eq!(modes(&folder.path().join("new")), [("state".to_owned(), 0o700)], "umask {umask}");
        // As an earlier version made them.
        for (name, _) in &files {
            fs::set_permissions(state.join(name), Permissions::from_mode(0o664)).expect("a file of ours");
        }
        run();
        assert_eq!(modes(&state), files, "umask {umask}");
    }
    Ok(())
}

/// What a metric has shown is there after a restart.
fn is_all_that_is_shown_when_the_disk_is_full() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    running(&broker, folder.path()).end_by(Signal::Terminate).exits(0);
    let length = fs::metadata(folder.path().join("loghost.redb")).expect("it is there").len();
    // No file may become longer than so many times what this one is now: in units of 512 bytes.
    let full = format!("ulimit -f {}; trap '' XFSZ", length * 8 / 512);
    let run = run(&broker, folder.path()).after(&full).start();
    run.says("consuming from");
    // Each source has rows of its own.
    let mut ended = false;
    for n in 0..200 {
        let scenario = folder.path().with_extension("txt");
        let logs = (0..100).fold(String::new(), |logs, m| format!("{logs}error @{:0>200}: a\n", n * 100 + m));
        fs::write(&scenario, logs).expect("a file beside a folder of ours");
        broker.loghost(["publish", "--file"]).arg(&scenario).end().exits(0);
        ended = run.stderr_so_far().contains("cannot keep the state");
        if ended {
            break;
        }
    }
    assert!(ended, "it was not full: {run}");
    let output = run.end().exits(74);
    let shown = total(&last_of_text(&output.stdout), "error").expect("a metric");
    let report = loghost(["report", "--format", "json", "--state"]).arg(folder.path()).end();
    let committed = report.json()[0]["counts"]["error"].as_u64().expect("a number");
    assert!(shown > 0 && shown <= committed, "{shown} of {committed}: {output}");
    assert!(output.stderr.contains(&format!("(logs counted: {shown})")), "{output}");
    // All the others are in the queue.
    let rest = self::run(&broker, folder.path()).args(["--until-idle", "1s"]).end().exits(0);
    let all = total(&last_of_text(&rest.stdout), "error").expect("a metric");
    assert!(all > committed && all.is_multiple_of(100), "{all}: {rest}");
    Ok(())
}
