//! Writing a plugin: from nothing to a component that counts, what goes wrong on the way, and what the bundled
//! plugins promise.

mod pages;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Output, loghost};
use crate::support::guest::{Then, declare, guest};
use crate::support::metrics::CONSUMERS;
use crate::support::{Need, Skip, needing, repository, sha256, test, tracked};

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
        needing("authoring::a_new_processor_judges_logs", || a_new_processor_judges_logs(&inside())),
        needing("authoring::a_new_stateful_plugin_keeps_counts", || {
            a_new_stateful_plugin_keeps_counts(&inside())
        }),
        test("authoring::pages_of_the_readme_are_right", pages::of_the_readme_are_right),
        needing("authoring::pages_of_writing_plugins_are_right", pages::of_writing_plugins_are_right),
        needing("authoring::what_does_not_compile_is_said", what_does_not_compile_is_said),
        needing("authoring::a_component_without_a_consumer_is_said", a_component_without_a_consumer_is_said),
        needing("authoring::bundled_plugins_are_reproducible", bundled_plugins_are_reproducible),
        test("authoring::bundled_plugins_are_small", bundled_plugins_are_small),
        test("authoring::names_are_checked", names_are_checked),
        test("authoring::nothing_is_overwritten", nothing_is_overwritten),
        test("authoring::folders_without_a_plugin_are_refused", folders_without_a_plugin_are_refused),
        test("authoring::what_is_not_installed_is_named", what_is_not_installed_is_named),
        test("authoring::inspect_shows_what_a_plugin_is", inspect_shows_what_a_plugin_is),
    ]
}

/// Where cargo's own results are: inside the clone, and ignored by git.
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

/// The words of the last metric.
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
        // The filter of the template lets two of them by.
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

fn a_new_processor_judges_logs(folder: &TempDir) -> Result<(), Skip> {
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

/// A crate of its own in `folder`: a manifest and a library.
fn write_crate(folder: &TempDir, name: &str, library: &str, source: &str) {
    let path = folder.path().join(name);
    fs::create_dir_all(path.join("src")).expect("a folder of ours");
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\n{library}\n\n[workspace]\n"
    );
    fs::write(path.join("Cargo.toml"), manifest).expect("a file of ours");
    fs::write(path.join("src/lib.rs"), source).expect("a file of ours");
}

const CDYLIB: &str = "crate-type = [\"cdylib\"]";

fn what_does_not_compile_is_said() -> Result<(), Skip> {
    let folder = outside();
    write_crate(&folder, "broken", CDYLIB, "fn broken() -> u32 { \"text\" }");
    let built = build(&folder, &["broken"])?.exits(65).says("mismatched types");
    built.says("package `broken` does not compile");
    assert!(!folder.path().join("broken/broken.wasm").exists());
    Ok(())
}

fn a_component_without_a_consumer_is_said() -> Result<(), Skip> {
    let folder = outside();
    write_crate(&folder, "idle", CDYLIB, "");
    let built = build(&folder, &["idle"])?.exits(65);
    built.says("package `idle` is no plugin").says("exports no consumer").says("loghost_plugin::export!");
    assert!(!folder.path().join("idle/idle.wasm").exists());
    Ok(())
}

fn folders_without_a_plugin_are_refused() {
    let folder = outside();
    let build = |crate_folder: &str| loghost(["plugin", "build", crate_folder]).folder(folder.path()).end();
    let advice = "make one with `loghost plugin new`";
    build("nowhere").exits(65).says("no Cargo.toml in `nowhere`").says(advice);
    build(".").exits(65).says("no Cargo.toml in `.`").says(advice);

    fs::write(folder.path().join("Cargo.toml"), "[workspace]\n").expect("a file of ours");
    build(".").exits(65).says("`.` is a workspace without a package of its own");
    write_crate(&folder, "plain", "path = \"src/lib.rs\"", "");
    build("plain").exits(65).says("package `plain` is no plugin").says("crate-type = [\"cdylib\"]");
    fs::write(folder.path().join("plain/Cargo.toml"), "[package\n").expect("a file of ours");
    build("plain").exits(65).says("cargo");
}

fn what_is_not_installed_is_named() {
    let folder = outside();
    new(&folder, &["hello"]).exits(0);
    let build = |name: &str, value: &Path| {
        loghost(["plugin", "build", "hello"]).folder(folder.path()).env(name, value).end()
    };
    let nowhere = folder.path().join("no-such-cargo");
    let words = format!("cannot start `{}`", nowhere.display());
    build("CARGO", &nowhere).exits(65).says(&words).says("https://rustup.rs");

    // A compiler as it is where the target has not been added.
    let bare = folder.path().join("rustc");
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in *target-libdir*) echo '{}' ;; *) exec rustc \"$@\" ;; esac\n",
        folder.path().join("no-such-target").display()
    );
    // A file that this process had written could be open in another one that it is just starting.
    let mut write = Command::new("sh");
    write.args(["-c", "printf %s \"$1\" > \"$0\" && chmod 755 \"$0\""]).arg(&bare).arg(text);
    let written = write.status();
    assert!(written.is_ok_and(|status| status.success()), "a script of ours");
    let output = build("RUSTC", &bare).exits(65);
    output.says("wasm32-unknown-unknown is not installed").says("`rustup target add wasm32-unknown-unknown`");
}

fn names_are_checked() {
    let folder = outside();
    for name in ["Bad_Name", "1x", "a.b", "-", "\u{e9}", "a b", &"a".repeat(65), "some/Where"] {
        new(&folder, &["--", name]).exits(2).says("1 to 64 characters of `a-z`, `0-9` and `-`");
    }
    for name in ["dead", "fn", "loghost-plugin"] {
        new(&folder, &[name]).exits(2).says(&format!("`{name}`")).says("choose another");
    }
    let made = fs::read_dir(folder.path()).expect("the folder").count();
    assert_eq!(made, 0, "something was made");

    // A path: its last part is the name.
    new(&folder, &["some/where/hello/"]).exits(0).prints("some/where/hello");
    assert!(folder.path().join("some/where/hello/src/lib.rs").exists());
}

fn nothing_is_overwritten() {
    let folder = outside();
    let taken = folder.path().join("taken");
    fs::create_dir(&taken).expect("a folder of ours");
    new(&folder, &["taken"]).exits(0);
    let manifest = fs::read_to_string(taken.join("Cargo.toml")).expect("an empty folder is no obstacle");
    fs::write(taken.join("Cargo.toml"), format!("{manifest}# mine\n")).expect("a file of ours");
    new(&folder, &["taken", "--processor"]).exits(65).says("`taken` is there already");
    let now = fs::read_to_string(taken.join("Cargo.toml")).expect("it is still there");
    assert!(now.ends_with("# mine\n"), "{now}");
    fs::write(folder.path().join("file"), "mine").expect("a file of ours");
    new(&folder, &["file"]).exits(65).says("`file` is there already");
}

/// What `inspect` writes of a component as JSON.
#[track_caller]
fn inspected(file: &Path) -> Value {
    let output = loghost(["plugin", "inspect", "--format", "json"]).arg(file).end().exits(0);
    output.json().pop().expect("an object")
}

fn bundled_plugins_are_reproducible() -> Result<(), Skip> {
    let folder = outside();
    let bundled = CONSUMERS.map(|name| (format!("plugins/{name}"), format!("plugins/{name}.wasm")));
    let of_bench = ["counting", "reading"].map(|name| {
        (format!("host/benches/plugins/{name}"), format!("host/benches/plugins/bench-{name}.wasm"))
    });
    for (source, component) in bundled.into_iter().chain(of_bench) {
        let (there, again) = (tracked(&component), folder.path().join("again.wasm"));
        let [from, out] = [tracked(&source), again.clone()].map(text);
        build(&folder, &[&from, "--out", &out])?.exits(0);
        let (compiler, here) = (compiler(&there), compiler(&again));
        if compiler != here {
            let reason = format!("{component} was made by rustc {compiler}, and this is {here}");
            return Err(Skip::new(Need::Wasm, reason));
        }
        let same = fs::read(&there).expect("a tracked file") == fs::read(&again).expect("the new one");
        assert!(same, "{component} is not what `loghost plugin build {source}` makes");
    }
    Ok(())
}

fn compiler(file: &Path) -> String {
    inspected(file)["compiler"].as_str().expect("every plugin that is built here names it").to_owned()
}

fn text(path: PathBuf) -> String {
    path.into_os_string().into_string().expect("a path in UTF-8")
}

fn bundled_plugins_are_small() {
    for name in CONSUMERS {
        let shown = inspected(&tracked(&format!("plugins/{name}.wasm")));
        assert_eq!((&shown["name"], &shown["imports"]), (&json!(name), &json!([])));
        assert!(shown["size"].as_u64().is_some_and(|size| size <= 32 * 1024), "{shown}");
        let files = fs::read_dir(tracked(&format!("plugins/{name}/src"))).expect("a folder").count();
        let source = fs::read_to_string(tracked(&format!("plugins/{name}/src/lib.rs"))).expect("its source");
        assert_eq!(files, 1, "{name} has more than one file");
        assert!(source.lines().count() <= 30, "{name} has {} lines", source.lines().count());
        for noise in ["unsafe", "#[allow", "#[expect", "wit_bindgen"] {
            assert!(!source.contains(noise), "{name} has `{noise}`");
        }
    }
}

fn inspect_shows_what_a_plugin_is() {
    let error = tracked("plugins/error.wasm");
    let bytes = fs::read(&error).expect("a tracked file");
    let sha256 = sha256(&bytes);
    let shown = inspected(&error);
    for (key, value) in [
        ("file", json!(text(error.clone()))),
        ("name", json!("error")),
        ("severities", json!(["error"])),
        ("sources", json!(["#"])),
        ("processes", json!(false)),
        ("keeps_state", json!(false)),
        ("fields", json!([])),
        ("tick_ms", json!(null)),
        ("imports", json!([])),
        ("size", json!(bytes.len())),
        ("sha256", json!(sha256)),
    ] {
        assert_eq!(shown[key], value, "{key}");
    }
    let output = loghost(["plugin", "inspect"]).arg(&error).end().exits(0);
    let rows = rows(&output);
    assert_eq!(rows[0], ["error"]);
    for row in [
        ["severities", "error"],
        ["sources", "#"],
        ["fields", "none"],
        ["imports", "none"],
        ["size", &format!("{} bytes", bytes.len())],
        ["sha256", &sha256],
    ] {
        assert!(rows.contains(&row.to_vec()), "no {row:?}: {output}");
    }

    // One that asks for more.
    let folder = outside();
    let busy = guest("busy")
        .version("1.2.3")
        .description("does much")
        .severities(&["info", "critical"])
        .sources(&["web.*", "#.db"])
        .fields(&["id", "attributes"])
        .tick(1500)
        .logs(0, "hello")
        .on("skip", Then::Skip)
        .keeps_count()
        .write(folder.path());
    let shown = inspected(&busy);
    for (key, value) in [
        ("version", json!("1.2.3")),
        ("description", json!("does much")),
        ("severities", json!(["info", "critical"])),
        ("sources", json!(["web.*", "#.db"])),
        ("processes", json!(true)),
        ("keeps_state", json!(true)),
        ("fields", json!(["id", "attributes"])),
        ("tick_ms", json!(1500)),
        ("imports", json!(["loghost:plugin/log@0.1.0"])),
        ("compiler", json!(null)),
    ] {
        assert_eq!(shown[key], value, "{key}");
    }
    let output =
        loghost(["plugin", "inspect"]).arg(&busy).end().exits(0).prints("keeps state 8 bytes at first");
    let rows = self::rows(&output);
    for row in [
        ["version", "1.2.3"],
        ["description", "does much"],
        ["severities", "info, critical"],
        ["sources", "web.*, #.db"],
        ["fields", "id, attributes"],
        ["tick", "1s 500ms"],
        ["imports", "loghost:plugin/log@0.1.0"],
    ] {
        assert!(rows.contains(&row.to_vec()), "no {row:?}: {output}");
    }
}

/// The lines of standard output: a label, and what it is.
fn rows(output: &Output) -> Vec<Vec<&str>> {
    output.stdout.lines().map(|line| line.trim().splitn(2, ' ').map(str::trim).collect()).collect()
}
