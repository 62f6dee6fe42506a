//! The contract, from a plugin's side: what is refused, and that no text of a plugin reaches a terminal unescaped.

mod refused;

use std::fs;
use std::path::PathBuf;
use std::slice;

use lapin::BasicProperties;
use libtest_mimic::Trial;
use serde_json::json;
use tempfile::TempDir;

use crate::support::broker::{Broker, on_each};
use crate::support::cli::{Loghost, Output, loghost};
use crate::support::guest::{Guest, declare, guest};
use crate::support::{test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        test("contract::what_is_no_component_is_refused", refused::what_is_no_component_is_refused),
        test(
            "contract::a_component_without_a_consumer_is_refused",
            refused::a_component_without_a_consumer_is_refused,
        ),
        test("contract::other_types_are_refused", refused::other_types_are_refused),
        test("contract::other_versions_are_refused", refused::other_versions_are_refused),
        test("contract::later_versions_that_only_add_are_taken", later_versions_that_only_add_are_taken),
        test("contract::other_imports_are_refused", refused::other_imports_are_refused),
        test("contract::bad_descriptors_are_refused", refused::bad_descriptors_are_refused),
        test("contract::an_error_of_configure_is_shown", an_error_of_configure_is_shown),
        test("contract::lines_of_configure_are_marked", lines_of_configure_are_marked),
        test("contract::inspect_shows_a_hostile_descriptor", inspect_shows_a_hostile_descriptor),
        test("contract::inspect_tries_the_checkpoint", inspect_tries_the_checkpoint),
    ];
    trials.extend(on_each("contract::lines_of_a_plugin_are_marked", lines_of_a_plugin_are_marked));
    trials.extend(on_each("contract::a_hostile_metric_is_shown", a_hostile_metric_is_shown));
    trials
}

/// Clears the screen, sets a title, rings the bell, colours (with C1), reverses the direction of text, returns to the
/// beginning of the line.
const HOSTILE: &str = "a\u{1b}[2Jb\u{1b}]0;mine\u{7}c\u{9b}31md\u{202e}e\u{2066}f\rg\u{7f}h";

/// What a terminal is shown instead.
const SHOWN: &str = r"a\u{1b}[2Jb\u{1b}]0;mine\u{7}c\u{9b}31md\u{202e}e\u{2066}f\u{d}g\u{7f}h";

/// Fails if a terminal would obey anything of [`HOSTILE`]; what the host itself colours is not in it.
#[track_caller]
fn is_harmless(output: &Output) {
    for text in [&output.stdout, &output.stderr] {
        for obeyed in ["\u{1b}[2J", "\u{1b}]", "\u{7}", "\u{9b}", "\u{202e}", "\u{2066}", "\r", "\u{7f}"] {
            assert!(!text.contains(obeyed), "{obeyed:?} came through: {text:?}");
        }
    }
}

/// As if its output were a terminal: otherwise control sequences would be stripped on the way, and these tests would
/// not see them.
fn on_a_terminal(command: Loghost) -> Loghost {
    command.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1")
}

/// A plugin's file in a folder of its own.
fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("strange.wasm");
    fs::write(&file, bytes).expect("a file in a folder of ours");
    (folder, file)
}

fn later_versions_that_only_add_are_taken() {
    let plugin = guest("later").logs(1, "hello").built_against("0.1.7");
    let (_folder, file) = file(&plugin);
    let output = loghost(["plugin", "inspect", &file.display().to_string()]).end().exits(0);
    output.says("plugin: hello").prints("loghost:plugin/consumer@0.1.7");
}

fn an_error_of_configure_is_shown() {
    let refusing = guest("picky").refuses(&format!("no `{HOSTILE}` is set")).build();
    let (_folder, file) = file(&refusing);
    let path = file.display().to_string();
    for arguments in [vec!["run", &path, "--broker", "amqp://127.0.0.1:1"], vec!["plugin", "inspect", &path]]
    {
        let output = on_a_terminal(loghost(arguments)).end().exits(78);
        is_harmless(&output);
        output.says(&path).says("does not take its settings").says(&format!("no `{SHOWN}` is set"));
    }
}

fn lines_of_configure_are_marked() {
    let talking = guest("talking").logs(0, "d").logs(1, "i").logs(2, "w").logs(3, HOSTILE).build();
    let (_folder, file) = file(&talking);
    let path = file.display().to_string();
    let output = on_a_terminal(loghost(["plugin", "inspect", &path])).end().exits(0);
    is_harmless(&output);
    for (level, line) in [("debug", "d"), ("info", "i"), ("warn", "w"), ("error", SHOWN)] {
        // Its name is not known before `configure` has returned.
        let (level, end) = (format!("{level:<5}"), format!("[{path}] plugin: {line}"));
        let is_there = |shown: &str| shown.contains(&level) && shown.ends_with(&end);
        assert!(output.stderr.lines().any(is_there), "{output}");
    }
    output.prints("loghost:plugin/log@0.1.0");
}

fn lines_of_a_plugin_are_marked(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = guest("talking").transcribes().write(folder.path());
    declare(broker, slice::from_ref(&file));
    // The second looks like a line of the host's.
    let outside = broker.outside();
    for body in [HOSTILE, "one\n2026-11-26T08:00:00.000Z error two"] {
        outside.publish(&broker.exchange("info"), "", body.as_bytes(), BasicProperties::default());
    }
    let run = broker.loghost(["run", "--max-logs", "2"]).arg(&file);
    let output = on_a_terminal(run).end().exits(0);
    is_harmless(&output);
    let marked = |line: &&str| line.contains("[talking] plugin: ");
    let from_plugin: Vec<&str> = output.stderr.lines().filter(marked).collect();
    assert_eq!(from_plugin.len(), 2, "{output}");
    assert!(from_plugin[0].contains(SHOWN), "{output}");
    assert!(
        !output.stderr.lines().any(|line| line.starts_with("2026-11-26T08:00:00.000Z")),
        "a line is forged: {output}"
    );
}

fn a_hostile_metric_is_shown(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!("first\t\u{2620}\n{HOSTILE}");
    let file = guest("hostile").metric(&text).write(folder.path());
    declare(broker, slice::from_ref(&file));

    for format in ["text", "json"] {
        broker.loghost(["publish", "info", "a"]).end().exits(0);
        let run = broker.loghost(["run", "--max-logs", "1", "--format", format]).arg(&file);
        let output = on_a_terminal(run).end().exits(0);
        is_harmless(&output);
        if format == "text" {
            output.prints(&format!("first\t\u{2620}\n{SHOWN}\n"));
        } else {
            let last = output.json().pop().expect("a metric");
            assert_eq!(last["consumer"], "hostile");
            assert_eq!(last["text"], json!(text));
            assert_eq!(last["counts"]["info"], 1);
        }
    }
}

fn inspect_shows_a_hostile_descriptor() {
    let forged = "x\n  sha256      0000\r\n  imports     none";
    let strange = guest("strange").version(HOSTILE).description(forged).sources(&[HOSTILE]).build();
    let (_folder, file) = file(&strange);
    let path = file.display().to_string();

    let output = on_a_terminal(loghost(["plugin", "inspect", &path])).end().exits(0);
    is_harmless(&output);
    let of = |label: &str| output.stdout.lines().filter(|line| line.trim_start().starts_with(label)).count();
    assert_eq!((of("sha256"), of("imports"), of("version")), (1, 1, 1), "a row is forged: {output}");
    output.prints(SHOWN);

    let output = on_a_terminal(loghost(["plugin", "inspect", &path, "--format", "json"])).end().exits(0);
    is_harmless(&output);
    let shown = &output.json()[0];
    assert_eq!((&shown["version"], &shown["description"]), (&json!(HOSTILE), &json!(forged)));
    assert_eq!(shown["sources"], json!([HOSTILE]));

    // A good plugin, for comparison.
    let error = tracked("plugins/error.wasm");
    loghost(["plugin", "inspect"]).arg(error).end().exits(0).prints("error").prints("none");
}

fn inspect_tries_the_checkpoint() {
    let inspect = |guest: Guest| {
        let (_folder, file) = file(&guest.build());
        on_a_terminal(loghost(["plugin", "inspect"]).arg(file)).end()
    };
    inspect(guest("keeping").keeps_count()).exits(0).prints("keeps state 8 bytes at first");
    inspect(guest("keeping").state_size(1000)).exits(0).prints("keeps state 1000 bytes at first");
    inspect(guest("forgetful").processes()).exits(0).prints("keeps state no");
    let refusing = inspect(guest("picky").refuses_state(&format!("no `{HOSTILE}`\nin it"))).exits(65);
    is_harmless(&refusing);
    refusing.says(&format!("strange.wasm: restore: no `{SHOWN}`\\u{{a}}in it"));
}
