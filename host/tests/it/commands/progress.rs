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
        needing("progress::of_a_replay", of_a_replay),
        test("progress::is_nothing_on_a_dumb_terminal", is_nothing_on_a_dumb_terminal),
    ]
}

/// Runs it to its end, on a terminal and in a pipe: what a terminal has at the end, in which nothing is left of how far it was.
/// Meanwhile it was said how much of the total is done, how fast it goes, and how much time is left; in a pipe, nothing is.
#[track_caller]
fn shown(command: impl Fn() -> Loghost, doing: &str, total: &str) -> String {
    let terminal = command().on_terminal((100, 40));
    let what = format!("{doing} [=> ] N of {total}, N/s, N left");
    terminal.has_written_that(&what, |written| {
        written.split(['\r', '\n', '\x1b']).any(|line| tells_rate(line, doing, total))
    });
    let screen = ends(terminal, doing);
    let piped = command().end().exits(0).does_not_say(&format!("{doing} [")).does_not_say(" left");
    assert!(!piped.stderr.contains(['\r', '\x1b']), "{piped}");
    screen
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
    let publish = || broker.loghost(["publish", "--file"]).arg(&file);
    let screen = shown(publish, "publishing", "20,000 logs");
    assert!(screen.contains("total 20000"), "{screen}");
    Ok(())
}

fn of_several_scenarios() {
    let scenarios = [1, 2, 3].map(|n| tracked(&format!("scenarios/{n}.txt")));
    let screen = shown(|| loghost(["verify"]).args(&scenarios), "verifying", "3 scenarios");
    assert!(screen.contains("12"), "{screen}");
}

fn of_a_bench() {
    // A sample of each run, and one before.
    let bench = ["bench", "publish", "--runs", "5", "--logs", "20000", "--sizes", "10B"];
    let screen = shown(|| loghost(bench), "measuring", "6 samples");
    assert!(screen.contains("publish  10 B"), "{screen}");
}

fn of_replaying_dead_letters() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("strict").on("no", Then::Reject("no".to_owned())).write(folder.path());
    let run = || broker.loghost(["run", "--until-idle", "200ms"]).arg(&plugin).end().exits(0);
    run();
    broker.loghost(["publish", "--stdin", "--severity", "error"]).stdin("no\n".repeat(2000)).end().exits(0);
    // What is sent back is rejected again.
    let replay = || {
        run();
        dead_letters(&broker, "replay", ["strict", "--all"])
    };
    let screen = shown(replay, "replayed", "2,000 dead letters");
    assert!(screen.contains("replayed 2000  left 0"), "{screen}");
    Ok(())
}

/// Of the past of a stream.
fn of_a_replay() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Stream)?;
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("looks").severities(&["error"]).processes().write(folder.path());
    broker.loghost(["run", "--declare-only"]).arg(&plugin).end().exits(0);
    broker.loghost(["publish", "--stdin", "--severity", "error"]).stdin("x\n".repeat(5000)).end().exits(0);
    let replay = || broker.loghost(["replay", "--from", "first", "--max-batch", "1"]).arg(&plugin);
    let screen = shown(replay, "replaying", "5,000 logs");
    assert!(screen.contains("the metric of looks"), "{screen}");
    Ok(())
}

fn is_nothing_on_a_dumb_terminal() {
    let scenarios = [1, 3].map(|n| tracked(&format!("scenarios/{n}.txt")));
    let terminal = loghost(["verify"]).args(&scenarios).env("TERM", "dumb").on_terminal((100, 40));
    let (status, screen) = terminal.end();
    assert!(status.success() && !screen.contains("verifying"), "{status}: {screen}");
}
