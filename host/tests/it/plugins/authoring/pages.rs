//! The examples on the pages for plugin authors: their code compiles, and their scenarios pass.

use std::fs;

use serde_json::json;

use super::{build, inside, inspected, new};
use crate::support::cli::loghost;
use crate::support::{Skip, repository};

/// The fenced blocks of a page: the language, and the lines.
fn blocks(page: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(repository().join(page)).expect("a page");
    let parts: Vec<&str> = text.split("\n```").collect();
    // Every second part is between two fences.
    let block =
        |part: &&str| part.split_once('\n').map(|(kind, lines)| (kind.to_owned(), format!("{lines}\n")));
    parts.iter().skip(1).step_by(2).filter_map(block).collect()
}

/// The blocks of Rust of a page, which has so many.
#[track_caller]
fn code<const N: usize>(page: &str) -> [String; N] {
    let rust: Vec<String> =
        blocks(page).into_iter().filter(|(kind, _)| kind == "rust").map(|(_, code)| code).collect();
    rust.try_into().unwrap_or_else(|rust: Vec<_>| panic!("{page} has {} blocks of Rust", rust.len()))
}

/// The scenario whose first log is this one.
#[track_caller]
fn scenario(page: &str, log: &str) -> String {
    let found = blocks(page).into_iter().find(|(_, lines)| lines.lines().any(|line| line == log));
    found.unwrap_or_else(|| panic!("no scenario with `{log}` in {page}")).1
}

/// They are what `loghost plugin new` writes; another test checks that this builds and passes.
pub(super) fn of_the_readme_are_right() {
    let folder = inside();
    new(&folder, &["gate", "--processor"]).exits(0);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("a file of the new crate");
    let (written, [shown]) = (read("gate/src/lib.rs"), code("README.md"));
    assert!(written.contains(&shown), "README.md shows\n{shown}\nbut `plugin new` writes\n{written}");
    assert_eq!(read("gate/scenario.txt"), scenario("README.md", "error x2 @db-1: disk full"));
}

pub(super) fn of_writing_plugins_are_right() -> Result<(), Skip> {
    const PAGE: &str = "host/doc/writing-plugins.md";
    let folder = inside();
    new(&folder, &["alert"]).exits(0);
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file of ours");
    let [consumer, measures] = code(PAGE);
    write("alert/src/lib.rs", &consumer);
    write("shown.txt", &scenario(PAGE, "debug: cache warmed"));
    write(
        "alerts.txt",
        "error: a\nexpect ./alert/alert.wasm\n| all is well\nexpect ./alert/alert.wasm limit=0\n| ALERT: 1 failures\n",
    );
    build(&folder, &["alert"])?.exits(0);
    loghost(["verify", "shown.txt", "alerts.txt"]).folder(folder.path()).end().exits(0);

    let manifest = fs::read_to_string(folder.path().join("alert/Cargo.toml")).expect("its manifest");
    let with_feature = manifest.replace("\"vendor/sdk\"", "\"vendor/sdk\", features = [\"measures\"]");
    assert_ne!(manifest, with_feature);
    write("alert/Cargo.toml", &with_feature);
    write("alert/src/lib.rs", &format!("{consumer}\n{measures}"));
    build(&folder, &["alert"])?.exits(0);
    let shown = inspected(&folder.path().join("alert/alert.wasm"));
    let limit = json!({ "name": "limit", "labels": { "unit": "logs" }, "kind": "counter", "value": 10.0 });
    assert_eq!(shown["measures"], json!({ "values": [limit], "dropped": {}, "error": null }));
    assert_eq!(shown["imports"], json!([]));
    Ok(())
}
