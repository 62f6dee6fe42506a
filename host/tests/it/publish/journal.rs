//! `loghost publish --journal`: a publisher that is killed and started again sends every log, each with one id.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::broker::{Broker, Kind, on_each};
use crate::support::cli::{Loghost, Output, Signal};
use crate::support::{Skip, modes, needing};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        needing("journal::refuses_what_is_no_journal", refuses_what_is_no_journal),
        needing("journal::refuses_or_reads_what_is_damaged", refuses_or_reads_what_is_damaged),
        needing(
            "journal::goes_on_with_what_was_begun_without_an_end",
            goes_on_with_what_was_begun_without_an_end,
        ),
        needing("journal::is_for_its_owner_alone", is_for_its_owner_alone),
    ];
    trials.extend(
        [
            on_each("journal::survives_being_killed", survives_being_killed),
            on_each("journal::goes_on_with_an_input_that_has_grown", goes_on_with_an_input_that_has_grown),
            on_each("journal::refuses_an_input_that_has_changed", refuses_an_input_that_has_changed),
            on_each("journal::has_one_user", has_one_user),
            on_each("journal::goes_on_after_an_interrupt", goes_on_after_an_interrupt),
            on_each("journal::holds_back_a_line_without_end", holds_back_a_line_without_end),
            on_each("journal::holds_back_the_last_log_of_a_scenario", holds_back_the_last_log_of_a_scenario),
            on_each("journal::notices_that_its_file_is_gone", notices_that_its_file_is_gone),
        ]
        .into_iter()
        .flatten(),
    );
    trials
}

/// Publishes with a journal, and reports as JSON.
fn publish(broker: &Broker, journal: &Path) -> Loghost {
    broker.loghost(["publish", "--format", "json", "--journal"]).arg(journal)
}

/// The same, lines of standard input.
fn publish_lines(broker: &Broker, journal: &Path, lines: &str) -> Loghost {
    publish(broker, journal).args(["--stdin", "--severity", "info", "--source", "web-1"]).stdin(lines)
}

/// How many logs were confirmed, and how many of them before.
#[track_caller]
fn counts(output: &Output) -> (u64, u64) {
    let reports = output.json();
    let total = |value: &Value| value.as_object().expect("a tally").values().filter_map(Value::as_u64).sum();
    (total(&reports[0]["confirmed"]), total(&reports[0]["already_confirmed"]))
}

/// Killed at several points of 20,000 lines.
fn survives_being_killed(broker: &Broker) {
    const LOGS: u32 = 20_000;
    let queue = format!("{}-kept", broker.prefix());
    let outside = broker.outside();
    outside.listen(&queue, &broker.exchange("info"));
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("web-1.journal");
    let lines = (1..=LOGS).map(|n| format!("{n}\n")).collect::<Vec<_>>().concat();
    for part in [1, 4000, 9000, 9500, 15_000] {
        let publish = publish_lines(broker, &journal, &lines).start();
        outside.wait_for_at_least(&queue, part);
        publish.end_by(Signal::Kill);
    }
    let output = publish_lines(broker, &journal, &lines).end().exits(0);
    let (confirmed, already) = counts(&output);
    assert_eq!(confirmed + already, u64::from(LOGS), "{output}");
    assert!(already > 0, "{output}");

    let mut arrived: BTreeMap<u32, u32> = BTreeMap::new();
    let mut producers = BTreeMap::new();
    for message in outside.take_all(&queue) {
        let id = message.properties.message_id().as_ref().expect("an id").to_string();
        let (producer, sequence) = id.rsplit_once('/').expect("a sequence");
        assert_eq!(sequence.as_bytes(), message.data, "a log has always the same id");
        *producers.entry(producer.to_owned()).or_insert(0) += 1;
        *arrived.entry(sequence.parse().expect("a number")).or_default() += 1;
    }
    assert_eq!(producers.len(), 1, "{producers:?}");
    assert!(arrived.keys().copied().eq(1..=LOGS), "{} of {LOGS} arrived", arrived.len());
    // What is sent again is what was under way, not everything.
    let again: u32 = arrived.values().map(|times| times - 1).sum();
    assert!(again < 5 * 5000, "{again} were sent again");

    let output = publish_lines(broker, &journal, &lines).end().exits(0);
    assert_eq!(counts(&output), (0, u64::from(LOGS)), "{output}");
    assert_eq!(outside.depth(&queue), Some(0));
}

fn goes_on_with_an_input_that_has_grown(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, file) = (folder.path().join("journal"), folder.path().join("input.txt"));
    let first = "info x3 @web-1: a\nerror x2 disk=sda: b\n\n";
    fs::write(&file, first).expect("a file in a folder of ours");
    let go_on = || publish(broker, &journal).arg("--file").arg(&file).end();
    assert_eq!(counts(&go_on().exits(0)), (5, 0));
    assert_eq!(counts(&go_on().exits(0)), (0, 5));

    let queue = format!("{}-kept", broker.prefix());
    broker.outside().listen(&queue, &broker.exchange("error"));
    fs::write(&file, format!("{first}error disk=sda: c\n# the end\n")).expect("a file in a folder of ours");
    assert_eq!(counts(&go_on().exits(0)), (1, 5));
    let message = broker.outside().take(&queue);
    let id = message.properties.message_id().as_ref().expect("an id").to_string();
    assert!(id.ends_with("/3"), "{id}");
    let text = broker.loghost(["publish", "--journal"]).arg(&journal).arg("--file").arg(&file).end();
    text.exits(0).prints("total 0  already confirmed 6");
}

fn refuses_an_input_that_has_changed(broker: &Broker) {
    let queue = format!("{}-kept", broker.prefix());
    broker.outside().listen(&queue, &broker.exchange("info"));
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("this.journal");
    let lines = "a\nb\nc\n".repeat(1000);
    publish_lines(broker, &journal, &lines).end().exits(0);
    assert_eq!(broker.outside().take_all(&queue).len(), 3000);
    let changed = [lines.replacen('b', "x", 1), lines[..5998].to_owned(), String::new()];
    for changed in changed {
        let output = publish_lines(broker, &journal, &changed).end().exits(65);
        assert_eq!(output.stdout, "", "{output}");
        output.says("the input has changed").says("this.journal").says("standard input");
    }
    let other_source = publish(broker, &journal).args(["--stdin", "--severity", "info"]).stdin(&*lines);
    other_source.end().exits(65).says("the input has changed");
    let one = publish(broker, &journal).args(["info", "a", "--source", "web-1"]).end();
    one.exits(65).says("it ends after 1 logs, and 3000 were begun");
    assert_eq!(broker.outside().depth(&queue), Some(0), "nothing of it was sent");
    assert_eq!(counts(&publish_lines(broker, &journal, &lines).end().exits(0)), (0, 3000));
}

fn has_one_user(broker: &Broker) {
    let queue = format!("{}-kept", broker.prefix());
    broker.outside().listen(&queue, &broker.exchange("info"));
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("this.journal");
    let mut first = publish(broker, &journal).args(["--stdin", "--severity", "info"]).start();
    first.write_line("a");
    broker.outside().take(&queue);
    let second = publish(broker, &journal).args(["info", "a"]).end().exits(65);
    second.says("this.journal").says("another process is using it");
    first.end().exits(0);
    assert_eq!(counts(&publish(broker, &journal).args(["info", "a"]).end().exits(0)), (0, 1));
}

fn refuses_what_is_no_journal() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("this.journal");
    let random: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(20_000).collect();
    for content in [&b""[..], b"not a journal", &random] {
        fs::write(&file, content).expect("a file in a folder of ours");
        let output = publish(&broker, &file).args(["info", "a"]).end().exits(65);
        output.says("this.journal").says("this is no journal").does_not_say("panicked");
        assert!(fs::read(&file).expect("it is there") == content, "it was changed");
    }
    let nowhere = folder.path().join("nowhere/this.journal");
    publish(&broker, &nowhere).args(["info", "a"]).end().exits(65).says("nowhere/this.journal");
    publish(&broker, folder.path()).args(["info", "a"]).end().exits(65).does_not_say("panicked");
    Ok(())
}

/// Damage is detected, unless the byte is unused.
fn refuses_or_reads_what_is_damaged() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, damaged) = (folder.path().join("journal"), folder.path().join("damaged"));
    let lines = "a\nb\nc\n".repeat(1000);
    publish_lines(&broker, &journal, &lines).end().exits(0);
    let good = fs::read(&journal).expect("it is there");
    let mut attempts: Vec<Vec<u8>> = Vec::new();
    for length in [1, 8, 64, 320, 4096, good.len() / 2, good.len() - 1] {
        attempts.push(good[..length].to_vec());
    }
    let positions = [0, 1, 9, 12, 40, 64, 100, 128, 192, 250, 300, 320, 330, 4096, 4100, 8192, 8200];
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    for position in
        positions.into_iter().chain(std::iter::repeat_with(|| random.usize(..good.len())).take(20))
    {
        let mut content = good.clone();
        content[position] ^= 0x40;
        attempts.push(content);
    }
    for (n, content) in attempts.into_iter().enumerate() {
        fs::write(&damaged, content).expect("a file in a folder of ours");
        let output = publish_lines(&broker, &damaged, &lines).end().does_not_say("panicked");
        if output.stdout.is_empty() {
            output.exits(65).says("damaged");
        } else {
            assert_eq!(counts(&output), (0, 3000), "attempt {n}, seed {seed}: {output}");
            output.exits(0);
        }
    }
    Ok(())
}

fn goes_on_after_an_interrupt(broker: &Broker) {
    let queue = format!("{}-kept", broker.prefix());
    broker.outside().listen(&queue, &broker.exchange("info"));
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("journal");
    let mut first = publish(broker, &journal).args(["--stdin", "--severity", "info"]).start();
    first.write_line("a");
    first.write_line("b");
    broker.outside().wait_for_depth(&queue, 2);
    assert_eq!(counts(&first.end_by(Signal::Interrupt).exits(0)), (2, 0));
    let again = publish(broker, &journal).args(["--stdin", "--severity", "info"]).stdin("a\nb\nc\n");
    assert_eq!(counts(&again.end().exits(0)), (1, 2));
}

/// How many logs were held back.
#[track_caller]
fn deferred(output: &Output) -> u64 {
    output.json()[0]["held_back"].as_u64().expect("a number")
}

/// Whoever writes the input may be in the middle of a line, of its end, or of a character.
fn holds_back_a_line_without_end(broker: &Broker) {
    let queue = format!("{}-kept", broker.prefix());
    broker.outside().listen(&queue, &broker.exchange("info"));
    let folder = tempfile::tempdir().expect("a folder");
    for (n, (cut, whole)) in
        [("12:00 disk fu", "12:00 disk full\n"), ("a\r", "a\r\n"), ("\u{20ac}", "\u{20ac}\n")]
            .iter()
            .enumerate()
    {
        let journal = folder.path().join(n.to_string());
        let publish = |text: &[u8]| {
            let publish = publish(broker, &journal).args(["--stdin", "--severity", "info"]);
            publish.stdin([b"one\n", text].concat()).end().exits(0)
        };
        // The last of these characters takes three bytes.
        let cut = if *cut == "\u{20ac}" { &cut.as_bytes()[..2] } else { cut.as_bytes() };
        let output = publish(cut).says("line 2 of standard input has no end yet");
        assert_eq!((counts(&output), deferred(&output)), ((1, 0), 1), "{output}");
        let output = publish(whole.as_bytes());
        assert_eq!((counts(&output), deferred(&output)), ((1, 1), 0), "{output}");
        let messages = broker.outside().take_all(&queue);
        let texts: Vec<&[u8]> = messages.iter().map(|message| message.data.as_slice()).collect();
        assert_eq!(texts, [b"one", whole.trim_end().as_bytes()]);
        let id = messages[1].properties.message_id().as_ref().expect("an id").to_string();
        assert!(id.ends_with("/2"), "{id}");
    }
    // Without a journal there is no next time.
    let publish = broker.loghost(["publish", "--stdin", "--severity", "info"]).stdin("x");
    publish.end().exits(0).prints("total 1");
}

fn holds_back_the_last_log_of_a_scenario(broker: &Broker) {
    let queue = format!("{}-kept", broker.prefix());
    broker.outside().listen(&queue, &broker.exchange("error"));
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, file) = (folder.path().join("journal"), folder.path().join("input.txt"));
    // What the input has grown to, what is published of it, what was before, what is held back and said.
    let steps = [
        ("error: a\nerr", (1, 0), 1, "input.txt:2: the text ends within a line"),
        ("error: a\nerror x2: disk", (0, 1), 1, "input.txt:2: the text ends within a line"),
        ("error: a\nerror x2: disk full\n", (0, 1), 2, "input.txt:2: the last log is held back"),
        ("error: a\nerror x2: disk full\n|", (0, 1), 2, "input.txt:2: the text ends within a line"),
        ("error: a\nerror x2: disk full\n| at 3\n", (0, 1), 2, "a blank line behind it ends it"),
        ("error: a\nerror x2: disk full\n| at 3\n\n", (2, 1), 0, ""),
        ("error: a\nerror x2: disk full\n| at 3\n\nerror: b\nexpect er", (1, 3), 0, ""),
        ("error: a\nerror x2: disk full\n| at 3\n\nerror: b\nexpect error\n| 4", (0, 4), 0, ""),
    ];
    for (text, numbers, unpublished, words) in steps {
        fs::write(&file, text).expect("a file in a folder of ours");
        let output = publish(broker, &journal).arg("--file").arg(&file).end().exits(0).says(words);
        assert_eq!((counts(&output), deferred(&output)), (numbers, unpublished), "{text:?}: {output}");
    }
    let messages = broker.outside().take_all(&queue);
    let texts: Vec<&[u8]> = messages.iter().map(|message| message.data.as_slice()).collect();
    assert_eq!(texts, [&b"a"[..], b"disk full\nat 3", b"disk full\nat 3", b"b"]);
    for (n, message) in messages.iter().enumerate() {
        let id = message.properties.message_id().as_ref().expect("an id").to_string();
        assert!(id.ends_with(&format!("/{}", n + 1)), "{id}");
    }
    // Without a journal a text ends where it ends.
    fs::write(&file, "error: a\nerror x2: b").expect("a file in a folder of ours");
    broker.loghost(["publish", "--file"]).arg(&file).end().exits(0).prints("total 3");
}

/// Earlier versions took what an input ended in as whole. One log from the arguments is whole, and the journal of a
/// line without an end is the same as its.
fn goes_on_with_what_was_begun_without_an_end() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("journal");
    publish(&broker, &journal).args(["info", "half a li", "--source", "web-1"]).end().exits(0);
    let output = publish_lines(&broker, &journal, "half a li").end().exits(0);
    assert_eq!((counts(&output), deferred(&output)), ((0, 1), 0), "{output}");
    let file = folder.path().join("input.txt");
    fs::write(&file, "info @web-1: half a li\n").expect("a file in a folder of ours");
    let output = publish(&broker, &journal).arg("--file").arg(&file).end().exits(0);
    assert_eq!((counts(&output), deferred(&output)), ((0, 1), 0), "{output}");
    publish_lines(&broker, &journal, "half a line\n").end().exits(65).says("the input has changed");
    Ok(())
}

/// Removed, renamed, or replaced with another one.
fn notices_that_its_file_is_gone(broker: &Broker) {
    let queue = format!("{}-kept", broker.prefix());
    broker.outside().listen(&queue, &broker.exchange("info"));
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, other) = (folder.path().join("this.journal"), folder.path().join("other"));
    let ways: [fn(&Path, &Path); 3] = [
        |journal, _| fs::remove_file(journal).expect("a file of ours"),
        |journal, other| fs::rename(journal, other).expect("a file of ours"),
        |journal, other| {
            fs::copy(journal, other).expect("a file of ours");
            fs::rename(other, journal).expect("a file of ours");
        },
    ];
    for away in ways {
        let mut running = publish(broker, &journal).args(["--stdin", "--severity", "info"]).start();
        running.write_line("a");
        broker.outside().take(&queue);
        away(&journal, &other);
        running.write_line("b");
        let output = running.end().exits(74).says("this.journal was removed, renamed or replaced");
        output.says("put it back and start again");
        assert_eq!(broker.outside().depth(&queue), Some(0), "what is not noted is not sent");
        // It need not be there.
        let _ = fs::remove_file(&journal);
        let _ = fs::remove_file(&other);
    }
}

fn is_for_its_owner_alone() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    for umask in ["000", "077", "777"] {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = folder.path().join("journal");
        let publish = || publish(&broker, &journal).args(["info", "a"]).after(&format!("umask {umask}"));
        publish().end().exits(0);
        assert_eq!(modes(folder.path()), [("journal".to_owned(), 0o600)], "umask {umask}");
        // As an earlier version made it.
        fs::set_permissions(&journal, fs::Permissions::from_mode(0o664)).expect("a file of ours");
        publish().end().exits(0);
        assert_eq!(modes(folder.path()), [("journal".to_owned(), 0o600)]);
    }
    Ok(())
}
