//! The view of a run that takes logs as fast as they come.

use std::time::Instant;

use super::{SIZE, run};
use crate::support::broker::{Broker, Kind};
use crate::support::{Skip, TIMEOUT, sized};

/// The least time between two drawings, but for those that a key causes.
const DRAWINGS_A_SECOND: usize = 2;

/// More than a cell of the screen takes, with its colour.
const BYTES_A_CELL: usize = 32;

/// It is drawn as often as without any, keys are taken, and in the end all logs are there.
pub(super) fn stays_calm_at_full_speed() -> Result<(), Skip> {
    let logs = sized(300_000, 3_000_000);
    let broker = Broker::new(Kind::Embedded)?;
    let mut terminal = run(&broker, &["all", "error"]).env_remove("NO_COLOR").on_terminal(SIZE);
    terminal.shows(", 2 consuming");
    let (begin, drawn, written) = (Instant::now(), terminal.drawings(), terminal.written().len());
    let publish = || {
        let publish = broker.loghost(["publish", "--stdin", "--severity", "error"]);
        publish.stdin("no space left on device\n".repeat(logs / 2)).start()
    };
    let publishing = [publish(), publish()];
    terminal.shows_that("logs that come", |screen| {
        let total = screen.lines().find_map(|line| line.trim().strip_prefix("total "));
        total.is_some_and(|total| total.trim() != "0")
    });
    let keys = [
        ("?", "load its plugin again"),
        ("?", "── "),
        ("l", "consuming from"),
        ("l", "── "),
        ("j", "── error "),
    ];
    for (key, answer) in keys {
        terminal.press(key);
        terminal.shows(answer);
    }
    for publish in publishing {
        publish.end_within(TIMEOUT * 5).exits(0);
    }
    let all = logs.to_string();
    broker.outside().wait_for_depth(&broker.queue("error"), 0);
    broker.outside().wait_for_depth(&broker.queue("all"), 0);
    terminal.shows(&format!("total     {all}"));
    let seconds = usize::try_from(begin.elapsed().as_secs()).expect("a test is shorter") + 1;
    let (drawn, written) = (terminal.drawings() - drawn, terminal.written().len() - written);
    // At the beginning and at the end of the time as well.
    let most = DRAWINGS_A_SECOND * seconds + keys.len() + 2;
    assert!(drawn <= most, "drawn {drawn} times in {seconds} s: {terminal}");
    let cells = usize::from(SIZE.0) * usize::from(SIZE.1);
    assert!(written <= drawn * cells * BYTES_A_CELL, "{written} bytes in {drawn} drawings: {terminal}");
    terminal.press("q");
    let (status, screen) = terminal.end();
    assert!(status.success() && screen.contains(&format!("total     {all}")), "{status}: {screen}");
    Ok(())
}
