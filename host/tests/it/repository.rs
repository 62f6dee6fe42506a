//! Checks of the repository itself: which crates and layers may use which, names, that pages name what exists, and formatting.

mod names;
mod pages;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;

use crate::support::{Need, Skip, needing, repository, test};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        test("house::core_knows_no_technology", core_knows_no_technology),
        test("house::the_broker_knows_no_logs", the_broker_knows_no_logs),
        test("house::no_layer_knows_those_above", no_layer_knows_those_above),
        test("house::crates_know_only_those_beneath", crates_know_only_those_beneath),
        test("house::names_are_terms_of_the_field", names::are_terms_of_the_field),
        test("house::names_name_one_type_of_a_crate", names::name_one_type_of_a_crate),
        test("house::names_of_the_command_are_its_own", names::of_the_command_are_its_own),
        test("house::nothing_is_left_unfinished", nothing_is_left_unfinished),
        test("house::every_module_says_what_it_does", every_module_says_what_it_does),
        test("house::delivery_names_tests_that_exist", pages::delivery_names_tests_that_exist),
        test("house::architecture_names_what_exists", pages::architecture_names_what_exists),
        test("house::pages_link_what_exists", pages::link_what_exists),
        needing("house::all_is_formatted", all_is_formatted),
    ]
}

/// A source file: its path from the top of the repository, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The numbered lines that are not comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(n, line)| (n + 1, line.trim()));
        lines.filter(|(_, line)| !line.starts_with("//"))
    }
}

/// The Rust files of a folder and its subfolders.
#[track_caller]
fn sources(folder: &str) -> Vec<Source> {
    let mut files = Vec::new();
    collect(&repository().join(folder), &mut files);
    assert!(!files.is_empty(), "no source in {folder}");
    let read = |path: PathBuf| Source {
        text: fs::read_to_string(&path).expect("a readable file"),
        path: path.strip_prefix(repository()).expect("a file of ours").display().to_string(),
    };
    files.into_iter().map(read).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            // Build results, and templates of crates for others.
            if !path.ends_with("target") && !path.ends_with("template") {
                collect(&path, files);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Fails with every line of code in these files that has one of these words.
#[track_caller]
fn has_none(sources: &[Source], words: &[&str]) {
    let mut found = Vec::new();
    for source in sources {
        for (n, line) in source.code() {
            if words.iter().any(|word| has_word(line, word)) {
                found.push(format!("{}:{n}: {line}", source.path));
            }
        }
    }
    assert!(found.is_empty(), "{words:?} must not be here:\n{}", found.join("\n"));
}

/// Whether `word` is in `line`, not as a part of another word.
fn has_word(line: &str, word: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        let goes_on = part(word.chars().next_back()) && part(after.chars().next());
        !goes_on && !part(before.chars().next_back())
    })
}

fn core_knows_no_technology() {
    has_none(
        &sources("host/core/src"),
        &[
            "lapin",
            "wasmtime",
            "clap",
            "anyhow",
            "loghost_broker",
            "amq_protocol",
            "hyper",
            "prometheus",
            "redb",
            "rustls",
            "ureq",
            "loghost_rabbitmq",
            "loghost_wasm",
            "loghost_store",
        ],
    );
}

fn the_broker_knows_no_logs() {
    has_none(
        &sources("host/broker/src"),
        &["loghost_core", "loghost", "wasmtime", "clap", "anyhow", "severity"],
    );
}

fn no_layer_knows_those_above() {
    let layers: [(&str, &[&str]); 6] = [
        ("commands", &["crate::cli", "clap"]),
        ("compose", &["crate::cli", "crate::commands", "clap"]),
        ("ui", &["crate::cli", "crate::commands", "crate::compose", "crate::toolchain", "clap"]),
        ("files", &["crate::cli", "crate::commands", "crate::compose", "crate::ui", "crate::toolchain"]),
        ("toolchain", &["crate::cli", "crate::commands", "crate::compose", "crate::ui", "crate::files"]),
        (
            "platform",
            &[
                "crate::cli",
                "crate::commands",
                "crate::compose",
                "crate::ui",
                "crate::files",
                "crate::toolchain",
            ],
        ),
    ];
    for (folder, above) in layers {
        has_none(&sources(&format!("host/src/{folder}")), above);
    }
}

/// A crate can use only what its manifest names.
fn crates_know_only_those_beneath() {
    let beneath: [(&str, &[&str]); 13] = [
        ("core", &[]),
        ("broker", &[]),
        ("stream", &[]),
        ("system", &[]),
        ("board", &["loghost-core"]),
        ("http", &["loghost-board", "loghost-core"]),
        ("otlp", &["loghost-board", "loghost-core"]),
        ("testing/rabbitmq-node", &[]),
        ("decode", &["loghost-core"]),
        ("rabbitmq", &["loghost-core", "loghost-decode", "loghost-stream", "loghost-system"]),
        ("store", &["loghost-core", "loghost-system"]),
        ("tracing", &["loghost-core", "loghost-rabbitmq"]),
        ("wasm", &["loghost-core", "loghost-system"]),
    ];
    for (name, expected) in beneath {
        let manifest = repository().join(format!("host/{name}/Cargo.toml"));
        let text = fs::read_to_string(manifest).expect("a readable file");
        // Tests may use more.
        let (text, _) = text.split_once("[dev-dependencies]").unwrap_or((&text, ""));
        let known: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("loghost"))
            .filter_map(|line| line.split('.').next())
            .collect();
        assert_eq!(known, expected, "host/{name}/Cargo.toml");
    }
}

fn nothing_is_left_unfinished() {
    for folder in [
        "host/src",
        "host/core",
        "host/decode",
        "host/board",
        "host/broker",
        "host/http",
        "host/otlp",
        "host/rabbitmq",
        "host/store",
        "host/stream",
        "host/system",
        "host/tracing",
        "host/testing",
        "host/wasm",
        "plugins",
    ] {
        has_none(&sources(folder), &["todo!", "dbg!", "unimplemented!", "FIXME", "XXX"]);
    }
}

fn every_module_says_what_it_does() {
    let silent: Vec<String> = ["host", "plugins"]
        .iter()
        .flat_map(|folder| sources(folder))
        .filter(|source| !source.text.starts_with("//!"))
        .map(|source| source.path)
        .collect();
    assert!(silent.is_empty(), "without `//!` at the top:\n{}", silent.join("\n"));
}

fn all_is_formatted() -> Result<(), Skip> {
    let cargo = env!("CARGO");
    let installed = Command::new(cargo).args(["fmt", "--version"]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        return Err(Skip::new(Need::Toolchain, "rustfmt is not installed: rustup component add rustfmt"));
    }
    let check = Command::new(cargo).args(["fmt", "--all", "--check"]).current_dir(repository()).output();
    let check = check.expect("cargo starts");
    let differences = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.success(), "run `cargo fmt --all`:\n{differences}");
    Ok(())
}
