//! What `inspect` shows of a plugin, and what the bundled plugins promise.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{build, outside};
use crate::support::cli::{Output, loghost};
use crate::support::guest::{Then, guest};
use crate::support::metrics::CONSUMERS;
use crate::support::{Need, Skip, sha256, tracked};

/// What `inspect` writes of a component as JSON.
#[track_caller]
pub(super) fn inspected(file: &Path) -> Value {
    let output = loghost(["plugin", "inspect", "--format", "json"]).arg(file).end().exits(0);
    output.json().pop().expect("an object")
}

pub(super) fn bundled_plugins_are_reproducible() -> Result<(), Skip> {
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

pub(super) fn bundled_plugins_are_small() {
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

pub(super) fn inspect_shows_what_a_plugin_is() {
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

    // A plugin with all features.
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

fn text(path: PathBuf) -> String {
    path.into_os_string().into_string().expect("a path in UTF-8")
}
