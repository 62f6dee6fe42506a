//! Writing a plugin: from `plugin new` to a component that counts.

mod bundled;
mod mistakes;
mod pages;

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::json;
use tempfile::TempDir;

use self::bundled::inspected;
use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Output, loghost};
use crate::support::guest::declare;
use crate::support::{Need, Skip, needing, repository, test};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        needing("authoring::a_new_plugin_counts_logs_inside_a_clone", || {
            let folder = inside();
            a_new_plugin_counts_logs(&folder, "hello-inside")?;
            test_natively(&folder.path().join("hello-inside"));
            Ok(())
        }),
        needing("authoring::a_new_plugin_counts_logs_anywhere", || {
            a_new_plugin_counts_logs(&outside(), "hello-outside")
        }),
        needing("authoring::a_new_processor_gives_verdicts", || a_new_processor_gives_verdicts(&inside())),
        needing("authoring::a_new_stateful_plugin_keeps_counts", || {
            a_new_stateful_plugin_keeps_counts(&inside())
        }),
        test("authoring::pages_of_the_readme_are_right", pages::of_the_readme_are_right),
        needing("authoring::pages_of_writing_plugins_are_right", pages::of_writing_plugins_are_right),
        needing("authoring::what_does_not_compile_is_said", mistakes::what_does_not_compile_is_said),
        needing(
            "authoring::a_component_without_a_consumer_is_said",
            mistakes::a_component_without_a_consumer_is_said,
        ),
        needing("authoring::bundled_plugins_are_reproducible", bundled::bundled_plugins_are_reproducible),
        test("authoring::bundled_plugins_are_small", bundled::bundled_plugins_are_small),
        test("authoring::names_are_checked", mistakes::names_are_checked),
        test("authoring::nothing_is_overwritten", mistakes::nothing_is_overwritten),
        test(
            "authoring::folders_without_a_plugin_are_refused",
            mistakes::folders_without_a_plugin_are_refused,
        ),
        test("authoring::what_is_not_installed_is_named", mistakes::what_is_not_installed_is_named),
        test("authoring::inspect_shows_what_a_plugin_is", bundled::inspect_shows_what_a_plugin_is),
    ]
}

/// The target folder of cargo: inside the clone, and ignored by git.
fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in the target folder")
}

fn inside() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

fn outside() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(!folder.path().starts_with(repository()), "{} is inside", folder.path().display());
    folder
}

/// `loghost plugin build` with these arguments. All builds share a folder, so that what the SDK needs is
/// compiled once.
#[track_caller]
fn build(folder: &TempDir, arguments: &[&str]) -> Result<Output, Skip> {
    let command = loghost(["plugin", "build"]).args(arguments).folder(folder.path());
    // The first one compiles the generator of the bindings.
    let built = command.env("CARGO_TARGET_DIR", target()).start().end_within(Duration::from_mins(10));
    let missing = |line: &&str| line.contains("rustup target add") || line.contains("rustup.rs");
    match built.stderr.lines().find(missing) {
        Some(line) => {
            Err(Skip::new(Need::Wasm, line.split_once(" error ").map_or(line, |(_, reason)| reason)))
        }
        None => Ok(built),
    }
}

/// `loghost plugin new` with these arguments.
#[track_caller]
fn new(folder: &TempDir, arguments: &[&str]) -> Output {
    loghost(["plugin", "new"]).args(arguments).folder(folder.path()).end()
}

/// Publishes a log; `source` may be empty.
#[track_caller]
fn publish(broker: &Broker, severity: &str, message: &str, source: &str) {
    let publish = broker.loghost(["publish", severity, message]);
    if source.is_empty() { publish } else { publish.args(["--source", source]) }.end().exits(0);
}

/// The text of the last metric.
#[track_caller]
fn last_text(output: &Output) -> String {
    let metric = output.json().pop().unwrap_or_else(|| panic!("no metric: {output}"));
    metric["text"].as_str().unwrap_or_else(|| panic!("no text: {output}")).to_owned()
}

fn a_new_plugin_counts_logs(folder: &TempDir, name: &str) -> Result<(), Skip> {
    let component = format!("{name}/{name}.wasm");
    new(folder, &[name]).exits(0).prints(&format!("loghost plugin build {name}")).prints(&component);
    build(folder, &[name])?.exits(0).prints(&component);

    let broker = Broker::new(Kind::Embedded)?;
    declare(&broker, &[folder.path().join(&component)]);
    for severity in ["error", "info", "critical", "error", "debug"] {
        // The filter of the template does not want two of them.
        publish(&broker, severity, "disk full", "db-1");
    }
    let run = broker.loghost(["run", "--format", "json", "--max-logs", "3"]).arg(&component);
    let output = run.folder(folder.path()).end().exits(0);
    assert_eq!(last_text(&output), "error     2\ncritical  1\ntotal     3", "{output}");

    let scenario = format!("{name}/scenario.txt");
    loghost(["verify", &scenario]).folder(folder.path()).end().exits(0);
    let text = fs::read_to_string(folder.path().join(&scenario)).expect("its scenario");
    let wrong = text.replace("| error     2", "| error     3");
    assert_ne!(text, wrong, "the scenario is another one now");
    fs::write(folder.path().join(&scenario), wrong).expect("a file of ours");
    loghost(["verify", &scenario]).folder(folder.path()).end().exits(1);
    Ok(())
}

fn a_new_processor_gives_verdicts(folder: &TempDir) -> Result<(), Skip> {
    let name = "hello-processor";
    let component = format!("{name}/{name}.wasm");
    new(folder, &[name, "--processor"]).exits(0);
    build(folder, &[name])?.exits(0);
    loghost(["verify", &format!("{name}/scenario.txt")]).folder(folder.path()).end().exits(0);

    let broker = Broker::new(Kind::Embedded)?;
    declare(&broker, &[folder.path().join(&component)]);
    for (message, source) in [("disk full", "db-1"), ("test", "db-1"), ("", "db-1"), ("disk full", "")] {
        publish(&broker, "error", message, source);
    }
    let run = broker.loghost(["run", "--format", "json", "--max-logs", "4"]);
    let output = run.arg(&component).folder(folder.path()).end().exits(0);
    assert_eq!(last_text(&output), "error     2\ntotal     2\nskipped   1", "{output}");
    assert_eq!(broker.outside().depth(&format!("{}.dead", broker.queue(name))), Some(1));
    test_natively(&folder.path().join(name));
    Ok(())
}

fn a_new_stateful_plugin_keeps_counts(folder: &TempDir) -> Result<(), Skip> {
    let name = "hello-stateful";
    let component = format!("{name}/{name}.wasm");
    new(folder, &[name, "--stateful"]).exits(0);
    build(folder, &[name])?.exits(0);
    loghost(["verify", &format!("{name}/scenario.txt")]).folder(folder.path()).end().exits(0);
    let shown = inspected(&folder.path().join(&component));
    assert_eq!((&shown["processes"], &shown["keeps_state"]), (&json!(true), &json!(true)), "{shown}");

    let broker = Broker::new(Kind::Embedded)?;
    declare(&broker, &[folder.path().join(&component)]);
    for source in ["web", "db-1", "db-2", "db-1", ""] {
        publish(&broker, "error", "disk full", source);
    }
    let run = broker.loghost(["run", "--format", "json", "--max-logs", "5", "--set", "sources=2"]);
    let output = run.arg(&component).folder(folder.path()).end().exits(0);
    assert_eq!(last_text(&output), "db-1      2\nothers    2\nweb       1\ntotal     5", "{output}");
    test_natively(&folder.path().join(name));
    Ok(())
}

/// Runs the tests of a new crate, with the profile that has just been built with: what it depends on is
/// compiled already.
#[track_caller]
fn test_natively(folder: &Path) {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["test", "--profile", "plugin"]).current_dir(folder).env("CARGO_TARGET_DIR", target());
    let output = command.output().expect("there is a cargo, for it has just built something");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}\n{stderr}");
}
