//! How far commands are, on a terminal.

use std::fs;

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Loghost, loghost};
use crate::support::dead_letters::dead_letters;
use crate::support::guest::{Then, guest};
use crate::support::terminal::Terminal;
use crate::support::{Skip, needing, test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        needing("progress::of_publishing_a_file", of_publishing_a_file),
        test("progress::of_several_scenarios", of_several_scenarios),
        test("progress::of_a_bench", of_a_bench),
        needing("progress::of_replaying_dead_letters", of_replaying_dead_letters),
        test("progress::is_nothing_where_there_is_no_terminal", is_nothing_where_there_is_no_terminal),
    ]
}

/// Runs it to its end on a terminal: what was shown meanwhile, in which nothing is left of how far it is.
#[track_caller]
fn shown(command: Loghost, doing: &str) -> String {
    let terminal = command.on_terminal((100, 40));
    terminal.has_written(&format!("{doing} ["));
    ends(terminal, doing)
}

/// The same of what takes a while, during which it was said how fast it is and how much time is left.
#[track_caller]
fn shown_with_rate(command: Loghost, doing: &str, total: &str) -> String {
    let terminal = command.on_terminal((100, 40));
    let what = format!("{doing} [=> ] N of {total}, N/s, N left");
    terminal.has_written_that(&what, |written| {
        written.split(['\r', '\n', '\x1b']).any(|line| tells_rate(line, doing, total))
    });
    ends(terminal, doing)
}

/// Whether a line says how much of the `total` is done, how much in a second, and how much time is left.
fn tells_rate(line: &str, doing: &str, total: &str) -> bool {
    let Some((_, line)) = line.split_once(&format!("{doing} [")) else { return false };
    let Some((_, figures)) = line.split_once("] ") else { return false };
    let is_number = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    let [done, rate, left] = figures.trim_end().splitn(3, ", ").collect::<Vec<_>>()[..] else { return false };
    done.split_once(" of ").is_some_and(|(done, of)| is_number(done) && of == total)
        && rate.strip_suffix("/s").is_some_and(is_number)
        && left.strip_suffix(" left").is_some_and(is_number)
}

#[track_caller]
fn ends(terminal: Terminal, doing: &str) -> String {
    let (status, screen) = terminal.end();
    assert!(status.success() && !screen.contains(&format!("{doing} [")), "{status}: {screen}");
    screen
}

fn of_publishing_a_file() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("many.txt");
    fs::write(&file, "info x20000: hello\n").expect("a file in a folder of ours");
    let publish = broker.loghost(["publish", "--file"]).arg(file);
    let screen = shown_with_rate(publish, "publishing", "20,000 logs");
    assert!(screen.contains("total 20000"), "{screen}");
    Ok(())
}

fn of_several_scenarios() {
    let scenarios = [1, 2, 3].map(|n| tracked(&format!("scenarios/{n}.txt")));
    let screen = shown(loghost(["verify"]).args(scenarios), "verifying");
    assert!(screen.contains("12"), "{screen}");
}

fn of_a_bench() {
    let bench = ["bench", "publish", "--runs", "2", "--logs", "40", "--sizes", "10B"];
    let screen = shown(loghost(bench), "measuring");
    assert!(screen.contains("publish  10 B"), "{screen}");
}

fn of_replaying_dead_letters() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("strict").on("no", Then::Reject("no".to_owned())).write(folder.path());
    let run = || broker.loghost(["run", "--until-idle", "200ms"]).arg(&plugin).end().exits(0);
    run();
    broker.loghost(["publish", "--stdin", "--severity", "error"]).stdin("no\n".repeat(2000)).end().exits(0);
    run();
    let replay = dead_letters(&broker, "replay", ["strict", "--all"]);
    let screen = shown_with_rate(replay, "replayed", "2,000 dead letters");
    assert!(screen.contains("replayed 2000  left 0"), "{screen}");
    Ok(())
}

fn is_nothing_where_there_is_no_terminal() {
    let scenarios = [1, 3].map(|n| tracked(&format!("scenarios/{n}.txt")));
    loghost(["verify"]).args(&scenarios).end().exits(0).does_not_say("verifying");
    let terminal = loghost(["verify"]).args(&scenarios).env("TERM", "dumb").on_terminal((100, 40));
    let (status, screen) = terminal.end();
    assert!(status.success() && !screen.contains("verifying"), "{status}: {screen}");
}
