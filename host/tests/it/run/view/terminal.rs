//! The terminal before, after and without the view.

use std::os::unix::process::ExitStatusExt;

use super::{SIZE, publish, row, run};
use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Loghost, loghost};
use crate::support::guest::{Does, Then, guest};
use crate::support::{Skip, tracked};

pub(super) fn gives_the_terminal_back_however_it_ends() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let terminal = run(&broker, &["error"]).on_terminal(SIZE);
    terminal.shows("consuming from");
    terminal.signal("TERM");
    let (status, screen) = terminal.end();
    assert!(status.success() && screen.contains("ending: what is in hand"), "{status}: {screen}");

    // A plugin that does not come back holds up the first, and not the second.
    let folder = tempfile::tempdir().expect("a folder");
    let endless = guest("endless").on("poison", Then::Do(Does::Loop)).write(folder.path());
    let run = broker.loghost(["run", "--time-limit", "10m"]).arg(endless);
    let mut terminal = run.on_terminal(SIZE);
    terminal.shows(", 1 consuming");
    broker.loghost(["publish", "error", "poison"]).end().exits(0);
    terminal.shows_that("a call", |screen| screen.contains("1 in hand"));
    terminal.press("q");
    terminal.shows("what is in hand is finished within");
    terminal.press("q");
    let (status, screen) = terminal.end();
    assert_eq!(status.code(), Some(130), "{screen}");
    Ok(())
}

/// It dies by the signal all the same.
pub(super) fn gives_the_terminal_back_before_a_signal_ends_it() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    for (signal, number) in [("QUIT", 3), ("ABRT", 6), ("key", 3)] {
        // Nobody wants to look into the process afterwards.
        let mut terminal = run(&broker, &["error"]).after("ulimit -c 0").on_terminal(SIZE);
        terminal.is_taken();
        terminal.shows(", 1 consuming");
        if signal == "key" {
            terminal.press("\x1c");
        } else {
            terminal.signal(signal);
        }
        let (status, screen) = terminal.end();
        assert_eq!(status.signal(), Some(number), "{signal}: {screen}");
    }
    // Without a view there is nothing to give back.
    let terminal = run(&broker, &["error"]).arg("--plain").after("ulimit -c 0").on_terminal(SIZE);
    terminal.shows("consuming from");
    terminal.signal("QUIT");
    let (status, screen) = terminal.end();
    assert_eq!(status.signal(), Some(3), "{screen}");
    Ok(())
}

pub(super) fn is_suspended_and_comes_back() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let mut terminal = run(&broker, &["error"]).typed_at_shell("", SIZE);
    terminal.is_taken();
    terminal.shows(", 1 consuming");
    for _ in 0..2 {
        terminal.press("\x1a");
        terminal.shows("Stopped");
        terminal.is_left();
        publish(&broker, "error", 1);
        terminal.press("fg\n");
        terminal.is_taken();
        terminal.shows(", 1 consuming");
    }
    row(&terminal, "error", &["consuming", "2"]);
    terminal.press("q");
    terminal.is_left();
    terminal.shows("total     2");
    terminal.press("exit\n");
    assert!(terminal.end().0.success());
    Ok(())
}

pub(super) fn leaves_the_terminal_to_the_shell() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let mut terminal = run(&broker, &["error"]).typed_at_shell("&", SIZE);
    terminal.shows("consuming from");
    terminal.press("kill %1; wait; echo it has ended with $?\n");
    terminal.shows("it has ended with 0");
    terminal.press("exit\n");
    terminal.end();
    Ok(())
}

pub(super) fn is_plain_where_that_is_wanted() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let plain = |run: Loghost| {
        let terminal = run.on_terminal(SIZE);
        terminal.shows("consuming from");
        publish(&broker, "error", 1);
        terminal
            .shows_that("a metric", |screen| screen.contains("[error]") || screen.contains("\"consumer\""));
        terminal.signal("TERM");
        assert!(!terminal.written().contains("\x1b[?1049h"), "{terminal}");
        assert!(terminal.end().0.success());
    };
    plain(run(&broker, &["error"]).arg("--plain"));
    plain(run(&broker, &["error"]).args(["--format", "json"]));
    plain(run(&broker, &["error"]).env("TERM", "dumb"));
    Ok(())
}

pub(super) fn shows_that_it_does_not_connect() {
    let run = loghost(["run", "--retry-for", "1m", "--broker", "amqp://127.0.0.1:1"]);
    let mut terminal = run.arg(tracked("plugins/error.wasm")).on_terminal(SIZE);
    terminal.shows("consuming lost");
    terminal.shows("0 of 1 consuming");
    terminal.press("q");
    let (status, screen) = terminal.end();
    assert!(status.success() && screen.contains("trying again"), "{status}: {screen}");
}
