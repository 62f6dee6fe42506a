//! The view of a run follows its configuration, and its consumers as they change.

use super::super::configured::Configuration;
use super::{SIZE, publish, row};
use crate::support::Skip;
use crate::support::broker::{Broker, Kind};
use crate::support::guest::guest;

pub(super) fn follows_the_configuration() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let configuration = Configuration::new(&broker);
    for name in ["comes", "goes", "stays"] {
        guest(name).takes(&["word"]).write(configuration.path());
    }
    let stays = |word: &str| {
        format!("[consumers.stays]\nplugin = \"stays.wasm\"\nsettings = {{ word = \"{word}\" }}\n")
    };
    let other = |name: &str| format!("[consumers.{name}]\nplugin = \"{name}.wasm\"\n");
    configuration.write(&format!("{}{}", stays("old"), other("goes")));
    let mut terminal = configuration.run().on_terminal(SIZE);
    terminal.shows(", 2 consuming");
    terminal.press("jp");
    row(&terminal, "stays", &["paused"]);
    terminal.shows("word = old");
    configuration.write(&format!("{}{}", stays("new"), other("comes")));
    // As at SIGHUP.
    terminal.press("R");
    row(&terminal, "comes", &["consuming"]);
    terminal.shows_that("that one is gone", |screen| !screen.lines().any(|line| line.starts_with("goes ")));
    terminal.shows("word = new");
    // Those that have come are controlled like the others.
    row(&terminal, "stays", &["paused"]);
    terminal.press("p");
    terminal.shows(", 2 consuming");
    terminal.press("kp");
    row(&terminal, "comes", &["paused"]);
    terminal.press("r");
    terminal.shows("[comes] reloaded: version");
    terminal.press("q");
    assert!(terminal.end().0.success());
    Ok(())
}

/// Which counts from zero again.
pub(super) fn takes_a_consumer_that_comes_back() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let configuration = Configuration::new(&broker);
    let consumer = |name: &str| {
        guest(name).severities(&["error"]).write(configuration.path());
        format!("[consumers.{name}]\nplugin = \"{name}.wasm\"\n")
    };
    let (stays, goes) = (consumer("stays"), consumer("goes"));
    configuration.write(&format!("{stays}{goes}"));
    let mut terminal = configuration.run().on_terminal(SIZE);
    terminal.shows(", 2 consuming");
    publish(&broker, "error", 7);
    row(&terminal, "goes", &["consuming", "7"]);
    configuration.write(&stays);
    terminal.signal("HUP");
    terminal.shows(" logs/s, 1 consuming");
    configuration.write(&format!("{stays}{goes}"));
    terminal.signal("HUP");
    terminal.shows(", 2 consuming");
    publish(&broker, "error", 3);
    row(&terminal, "stays", &["consuming", "10"]);
    row(&terminal, "goes", &["consuming", "3"]);
    terminal.press("q");
    assert!(terminal.end().0.success());
    Ok(())
}

/// Of a version that does not take up the state of the old one, also its settings are not in force, and it is tried again.
pub(super) fn shows_what_goes_on_after_a_refusal() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let configuration = Configuration::new(&broker);
    let keeps = guest("keeps").takes(&["word"]).keeps_count();
    let configure = |word: &str| {
        let settings = format!("settings = {{ word = \"{word}\" }}");
        configuration.write(&format!("[consumers.keeps]\nplugin = \"keeps.wasm\"\n{settings}\n"));
    };
    keeps.write(configuration.path());
    configure("old");
    let mut terminal = configuration.run().on_terminal(SIZE);
    row(&terminal, "keeps", &["consuming"]);
    publish(&broker, "error", 1);
    row(&terminal, "keeps", &["consuming", "1"]);
    terminal.shows("word = old");
    keeps.clone().version("2").refuses_state("it is of another").write(configuration.path());
    configure("new");
    for times in 1..=2 {
        terminal.press("R");
        terminal.shows_that(&format!("{times} refusals"), |screen| {
            screen.matches("[keeps] not reloaded").count() == times
        });
        terminal.shows("word = old");
    }
    keeps.version("3").write(configuration.path());
    terminal.press("R");
    terminal.shows("[keeps] reloaded: version 3");
    terminal.shows("word = new");
    terminal.press("q");
    assert!(terminal.end().0.success());
    Ok(())
}
