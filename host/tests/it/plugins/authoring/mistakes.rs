//! What goes wrong when a plugin is made or built: each message says what to do.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{build, new, outside};
use crate::support::Skip;
use crate::support::cli::loghost;

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

pub(super) fn what_does_not_compile_is_said() -> Result<(), Skip> {
    let folder = outside();
    write_crate(&folder, "broken", CDYLIB, "fn broken() -> u32 { \"text\" }");
    let built = build(&folder, &["broken"])?.exits(65).says("mismatched types");
    built.says("package `broken` does not compile");
    assert!(!folder.path().join("broken/broken.wasm").exists());
    Ok(())
}

pub(super) fn a_component_without_a_consumer_is_said() -> Result<(), Skip> {
    let folder = outside();
    write_crate(&folder, "idle", CDYLIB, "");
    let built = build(&folder, &["idle"])?.exits(65);
    built.says("package `idle` is no plugin").says("exports no consumer").says("loghost_plugin::export!");
    assert!(!folder.path().join("idle/idle.wasm").exists());
    Ok(())
}

pub(super) fn folders_without_a_plugin_are_refused() {
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

pub(super) fn what_is_not_installed_is_named() {
    let folder = outside();
    new(&folder, &["hello"]).exits(0);
    let build = |name: &str, value: &Path| {
        loghost(["plugin", "build", "hello"]).folder(folder.path()).env(name, value).end()
    };
    let nowhere = folder.path().join("no-such-cargo");
    let words = format!("cannot start `{}`", nowhere.display());
    build("CARGO", &nowhere).exits(65).says(&words).says("https://rustup.rs");

    // A compiler without the Wasm target.
    let bare = folder.path().join("rustc");
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in *target-libdir*) echo '{}' ;; *) exec rustc \"$@\" ;; esac\n",
        folder.path().join("no-such-target").display()
    );
    // Written by another process: a child that is being started could have inherited this one's handle, and an open
    // file cannot be executed.
    let mut write = Command::new("sh");
    write.args(["-c", "printf %s \"$1\" > \"$0\" && chmod 755 \"$0\""]).arg(&bare).arg(text);
    let written = write.status();
    assert!(written.is_ok_and(|status| status.success()), "a script of ours");
    let output = build("RUSTC", &bare).exits(65);
    output.says("wasm32-unknown-unknown is not installed").says("`rustup target add wasm32-unknown-unknown`");
}

pub(super) fn names_are_checked() {
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

pub(super) fn nothing_is_overwritten() {
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
