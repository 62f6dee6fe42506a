//! Output to a terminal: no control sequences from others' texts, and colours only where they are wanted.

use std::collections::BTreeSet;
use std::fs;

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Output, loghost};
use crate::support::guest::{Does, Then, declare, guest};
use crate::support::{test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        test("hygiene::names_of_files_are_shown_as_text", names_of_files_are_shown_as_text),
        test("hygiene::a_differing_metric_is_shown_as_text", a_differing_metric_is_shown_as_text),
        test("hygiene::each_line_begins_with_time_and_level", each_line_begins_with_time_and_level),
        test("hygiene::colours_are_there_where_they_are_wanted", colours_are_there_where_they_are_wanted),
    ]
}

/// Clears the screen, with 7-bit and 8-bit control sequences, and reverses the direction of what follows.
const HOSTILE: &str = "a\u{1b}[2Jb\u{9b}2Jc\u{202e}d";

/// Fails if anything of [`HOSTILE`] came through.
#[track_caller]
fn is_clean(output: &Output) {
    for text in [&output.stdout, &output.stderr] {
        let raw = text.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}');
        assert!(!raw, "{text:?} of {output:?}", output = output.to_string());
    }
}

fn names_of_files_are_shown_as_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join(HOSTILE);
    let bad = folder.path().join(format!("{HOSTILE}.txt"));
    fs::write(&bad, format!("error: a\nerror {HOSTILE}: b\n")).expect("a file in a folder of ours");
    let plugin = folder.path().join(format!("{HOSTILE}.wasm"));
    fs::write(&plugin, "no component").expect("a file in a folder of ours");
    let commands: [&[&str]; 5] =
        [&["run"], &["verify"], &["demo"], &["publish", "--file"], &["plugin", "inspect"]];
    for command in commands {
        for path in [&missing, &bad, &plugin] {
            let output = loghost(command).arg(path).end().exits(65);
            is_clean(&output);
        }
    }
    let wrong_key = loghost(["run", "--set", &format!("{HOSTILE}=1")]).arg(tracked("plugins/error.wasm"));
    is_clean(&wrong_key.end().exits(78));
    let wrong_url = loghost(["publish", "error", "a"]).env("AMQP_URL", HOSTILE).end().exits(78);
    is_clean(&wrong_url);
}

fn a_differing_metric_is_shown_as_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hostile.txt");
    fs::write(&file, format!("error: {HOSTILE}\nexpect error\n| {HOSTILE}\n")).expect("a file of ours");
    for format in ["text", "json"] {
        let output = loghost(["verify", "--format", format]).arg(&file).end().exits(1);
        is_clean(&output);
        output.prints("error     1");
    }
}

/// Of the host, of a consumer, of the plugin itself, and of the end.
fn each_line_begins_with_time_and_level() {
    let broker = Broker::new(Kind::Embedded).expect("it is built in");
    let folder = tempfile::tempdir().expect("a folder");
    let frail = guest("frail").transcribes().on("poison", Then::Do(Does::Recurse)).write(folder.path());
    declare(&broker, std::slice::from_ref(&frail));
    for text in ["good", "poison"] {
        broker.loghost(["publish", "error", text]).end().exits(0);
    }
    let run = broker.loghost(["run", "--max-logs", "2"]).arg(&frail).end().exits(0);
    let unwanted = broker.loghost(["publish", "debug", "a"]).end().exits(0);
    let refused = loghost(["publish", "error", "a", "--broker", "amqp://127.0.0.1:1/"]).end().exits(69);
    let mut levels = BTreeSet::new();
    let lines = [&run, &unwanted, &refused].into_iter().flat_map(|output| output.stderr.lines());
    // A line of advice belongs to the one before.
    for line in lines.filter(|line| !line.starts_with(' ')) {
        let mut words = line.split_whitespace();
        let time = words.next().expect("a word");
        assert!(humantime::parse_rfc3339(time).is_ok(), "{line}");
        levels.insert(words.next().expect("a level"));
    }
    assert_eq!(Vec::from_iter(levels), ["error", "info", "warn"]);
    assert!(
        !run.stderr.lines().any(|line| line.contains("frail")
            && !line.contains("[frail] ")
            && !line.contains("consuming from")),
        "{run}"
    );
}

fn colours_are_there_where_they_are_wanted() {
    let publish = || loghost(["publish", "error", "a", "--broker", "amqp://127.0.0.1:1/"]);
    let piped = publish().env_remove("NO_COLOR").end().exits(69);
    assert!(!piped.stderr.contains('\u{1b}'), "colours in a pipe: {piped}");
    let forced = publish().env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1").end().exits(69);
    assert!(forced.stderr.contains("\u{1b}[31merror"), "no colours: {:?}", forced.stderr);
}
