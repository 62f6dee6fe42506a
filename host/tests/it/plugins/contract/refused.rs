//! Components that do not fit the contract: each is refused, and the message says why.

use super::file;
use crate::support::cli::loghost;
use crate::support::guest::{Guest, component, contract, guest};

/// Fails unless the file is refused, by every command that loads it, with its path and all of `words`.
#[track_caller]
fn is_refused(bytes: &[u8], words: &[&str]) {
    let (_folder, file) = file(bytes);
    let path = file.display().to_string();
    // There is no broker, and none is needed.
    let run = loghost(["run", &path, "--broker", "amqp://127.0.0.1:1"]);
    for command in [run, loghost(["plugin", "inspect", &path])] {
        let mut output = command.end().exits(65).says(&path);
        for word in words {
            output = output.says(word);
        }
        assert_eq!(output.stdout, "");
    }
}

/// A core module that exports these functions and imports those; none of them does anything.
fn module(exports: &[(&str, &str)], imports: &[(&str, &str, &str)]) -> String {
    let imports: Vec<String> = imports
        .iter()
        .map(|(module, name, signature)| format!("(import \"{module}\" \"{name}\" (func {signature}))"))
        .collect();
    let exports: Vec<String> = exports
        .iter()
        .map(|(name, signature)| format!("(func (export \"{name}\") {signature} (unreachable))"))
        .collect();
    let realloc = "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (unreachable))";
    format!("(module {} (memory (export \"memory\") 1) {realloc} {})", imports.join("\n"), exports.join("\n"))
}

const CONFIGURE: (&str, &str) = ("loghost:plugin/consumer@0.1.0#configure", "(param i32 i32) (result i32)");
const FORMAT: (&str, &str) = ("loghost:plugin/consumer@0.1.0#format-metric", "(param i32) (result i32)");
const PROCESS: (&str, &str) = ("loghost:plugin/processor@0.1.0#process", "(param i64 i32 i32) (result i32)");
const SAVE: (&str, &str) = ("loghost:plugin/checkpoint@0.1.0#save", "(result i32)");
const RESTORE: (&str, &str) = ("loghost:plugin/checkpoint@0.1.0#restore", "(param i32 i32) (result i32)");

/// The contract, with one change.
#[track_caller]
fn otherwise(from: &str, to: &str) -> String {
    let contract = contract();
    assert!(contract.contains(from), "the contract has no `{from}`");
    contract.replace(from, to)
}

pub(super) fn what_is_no_component_is_refused() {
    is_refused(b"", &["is no WebAssembly", "loghost plugin build"]);
    is_refused(b"#!/bin/sh\n", &["is no WebAssembly", "loghost plugin build"]);
    is_refused(
        &wat::parse_str("(module)").expect("a module"),
        &["core WebAssembly module", "loghost plugin build"],
    );
    let whole = guest("whole").build();
    is_refused(&whole[..whole.len() / 2], &["no valid component", "build it again"]);
    is_refused(b"\0asm\x63\0\x01\0", &["no valid component", "build it again"]);
    let nowhere = loghost(["run", "no-such-file.wasm"]).end().exits(65);
    nowhere.says("cannot read the plugin no-such-file.wasm");
}

pub(super) fn a_component_without_a_consumer_is_refused() {
    let advice = "loghost plugin new";
    let empty = wat::parse_str("(component)").expect("a component");
    is_refused(&empty, &["does not export `loghost:plugin/consumer@0.1.0`", advice]);

    let world = "world idle { export types; }";
    let idle = component(&format!("{}\n{world}", contract()), "idle", &module(&[], &[]));
    is_refused(&idle, &["does not export `loghost:plugin/consumer@0.1.0`", advice]);

    let lacking = otherwise("format-metric: func", "format-metrics: func");
    let other = ("loghost:plugin/consumer@0.1.0#format-metrics", FORMAT.1);
    let lacking = component(&lacking, "counting", &module(&[CONFIGURE, other], &[]));
    is_refused(&lacking, &["lacks `format-metric` in `loghost:plugin/consumer@0.1.0`", advice]);

    let lacking = otherwise("process: func", "process-all: func");
    let other = ("loghost:plugin/processor@0.1.0#process-all", PROCESS.1);
    let lacking = component(&lacking, "processing", &module(&[CONFIGURE, FORMAT, other], &[]));
    is_refused(&lacking, &["lacks `process` in `loghost:plugin/processor@0.1.0`", advice]);

    let lacking = otherwise("restore: func", "load: func");
    let other = ("loghost:plugin/checkpoint@0.1.0#load", RESTORE.1);
    let exports = [CONFIGURE, FORMAT, PROCESS, SAVE, other];
    let lacking = component(&lacking, "stateful", &module(&exports, &[]));
    is_refused(&lacking, &["lacks `restore` in `loghost:plugin/checkpoint@0.1.0`", advice]);

    let lacking = otherwise("save: func", "store: func");
    let other = ("loghost:plugin/checkpoint@0.1.0#store", SAVE.1);
    let exports = [CONFIGURE, FORMAT, PROCESS, other, RESTORE];
    let lacking = component(&lacking, "stateful", &module(&exports, &[]));
    is_refused(&lacking, &["lacks `save` in `loghost:plugin/checkpoint@0.1.0`", advice]);
}

pub(super) fn other_types_are_refused() {
    let check = |wit: &str, world: &str, exports: &[(&str, &str)], words: &[&str]| {
        let words = [words, &["with other types than version 0.1.0", "loghost plugin new"]].concat();
        is_refused(&component(wit, world, &module(exports, &[])), &words);
    };
    let consumer = "`loghost:plugin/consumer@0.1.0";
    let no_argument = otherwise("format-metric: func(metric: metric)", "format-metric: func()");
    check(&no_argument, "counting", &[CONFIGURE, (FORMAT.0, "(result i32)")], &[consumer, "format-metric"]);
    let other_record = otherwise("        tick: option<u32>,\n", "");
    check(&other_record, "counting", &[CONFIGURE, FORMAT], &[consumer, "configure"]);
    let other_name = otherwise("        without-id: u64,\n", "        without-ids: u64,\n");
    check(&other_name, "counting", &[CONFIGURE, FORMAT], &[consumer, "format-metric"]);
    let other_severities = otherwise(
        "        critical,\n    }\n\n    /// A set",
        "        critical, fatal,\n    }\n\n    /// A set",
    );
    let all = [CONFIGURE, FORMAT, PROCESS];
    check(&other_severities, "processing", &all, &["`loghost:plugin/processor@0.1.0", "process"]);
    let one_by_one = otherwise("batch: list<log-record>", "log: log-record");
    let flat = "(param i64 i32 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)";
    check(
        &one_by_one,
        "processing",
        &[CONFIGURE, FORMAT, (PROCESS.0, flat)],
        &["`loghost:plugin/processor@0.1.0", "process"],
    );

    let all = [CONFIGURE, FORMAT, PROCESS, SAVE, RESTORE];
    let other_state = otherwise("save: func() -> list<u8>", "save: func() -> string");
    check(&other_state, "stateful", &all, &["`loghost:plugin/checkpoint@0.1.0#save`"]);
    let other_error = otherwise(
        "restore: func(state: list<u8>) -> result<_, string>",
        "restore: func(state: list<u8>) -> result<_, u32>",
    );
    check(&other_error, "stateful", &all, &["`loghost:plugin/checkpoint@0.1.0#restore`"]);

    let log = otherwise("write: func(level: level, message: string)", "write: func(message: string)");
    let import = [("loghost:plugin/log@0.1.0", "write", "(param i32 i32)")];
    let words =
        ["`loghost:plugin/log@0.1.0", "write", "with other types than version 0.1.0", "loghost plugin new"];
    is_refused(&component(&log, "counting", &module(&[CONFIGURE, FORMAT], &import)), &words);
    let log = otherwise("write: func(level: level", "print: func(level: level");
    let import = [("loghost:plugin/log@0.1.0", "print", "(param i32 i32 i32)")];
    let words = ["`loghost:plugin/log@0.1.0", "print", "loghost plugin new"];
    is_refused(&component(&log, "counting", &module(&[CONFIGURE, FORMAT], &import)), &words);
}

pub(super) fn other_versions_are_refused() {
    let speaks = "speaks version 0.1.0";
    let later = otherwise("plugin@0.1.0", "plugin@0.2.0");
    let exports = [CONFIGURE, FORMAT].map(|(name, signature)| (name.replace("0.1.0", "0.2.0"), signature));
    let exports = exports.each_ref().map(|(name, signature)| (name.as_str(), *signature));
    is_refused(
        &component(&later, "counting", &module(&exports, &[])),
        &["`loghost:plugin/consumer@0.2.0`", speaks, "loghost plugin new"],
    );

    // This version's consumer, beside a later processor or checkpoint, or with a later log.
    let both = "package loghost:plugin@0.2.0 {
        interface processor { process: func(now: u64); }
        interface checkpoint { save: func() -> u64; }
        interface log { write: func(message: string); }
    }
    world two { export types; export consumer; export loghost:plugin/processor@0.2.0; }
    world three { export types; export consumer; export loghost:plugin/checkpoint@0.2.0; }
    world old { import loghost:plugin/log@0.2.0; export types; export consumer; }";
    let wit = format!("{}\n{both}", contract());
    let process = ("loghost:plugin/processor@0.2.0#process", "(param i64)");
    let two = component(&wit, "two", &module(&[CONFIGURE, FORMAT, process], &[]));
    is_refused(&two, &["`loghost:plugin/processor@0.2.0`", speaks]);
    let save = ("loghost:plugin/checkpoint@0.2.0#save", "(result i64)");
    let three = component(&wit, "three", &module(&[CONFIGURE, FORMAT, save], &[]));
    is_refused(&three, &["`loghost:plugin/checkpoint@0.2.0`", speaks]);
    let write = ("loghost:plugin/log@0.2.0", "write", "(param i32 i32)");
    let old = component(&wit, "old", &module(&[CONFIGURE, FORMAT], &[write]));
    is_refused(&old, &["`loghost:plugin/log@0.2.0`", speaks]);
}

pub(super) fn other_imports_are_refused() {
    let advice =
        ["a plugin may import `loghost:plugin/log@0.1.0` and nothing else", "wasm32-unknown-unknown"];
    let check = |wit: &str, import: (&str, &str, &str), named: &str| {
        let wit = format!("{}\n{wit}", contract());
        let strange = component(&wit, "strange", &module(&[CONFIGURE, FORMAT], &[import]));
        is_refused(&strange, &[&[named][..], &advice[..]].concat());
    };
    let wasi = "package wasi:cli@0.2.0 {
        interface environment { get-arguments: func() -> list<string>; }
    }
    world strange { import wasi:cli/environment@0.2.0; export types; export consumer; }";
    let arguments = ("wasi:cli/environment@0.2.0", "get-arguments", "(param i32)");
    check(wasi, arguments, "imports `wasi:cli/environment@0.2.0`");
    let function = "world strange { import now: func() -> u64; export types; export consumer; }";
    check(function, ("$root", "now", "(result i64)"), "imports `now`");
    let other = "interface clock { now: func() -> u64; }
    world strange { import clock; export types; export consumer; }";
    check(
        other,
        ("loghost:plugin/clock@0.1.0", "now", "(result i64)"),
        "imports `loghost:plugin/clock@0.1.0`",
    );
}

pub(super) fn bad_descriptors_are_refused() {
    let check = |guest: Guest, words: &[&str]| {
        is_refused(&guest.build(), &[&["declares what the contract does not allow"], words].concat());
    };
    for name in ["", "Bad", "bad_name", "b d", "\u{e9}", "dead", "a.b", &"a".repeat(65)] {
        check(guest(name), &["`name`", "1 to 64 characters of a-z, 0-9 and `-`, other than `dead`"]);
    }
    check(guest("none").severities(&[]), &["`severities` is empty"]);
    check(guest("tick").tick(0), &["`tick` is 0"]);
    check(guest("long").sources(&[&"a".repeat(256)]), &["`sources`", "at most 255 bytes, this one has 256"]);
    check(guest("empty").sources(&["a.*", ""]), &["`sources`", "must not be empty"]);

    // The longest values that are allowed.
    let name = "a".repeat(64);
    let longest = guest(&name).severities(&["critical"]).tick(1).sources(&[&"a".repeat(255)]);
    let (_folder, file) = file(&longest.build());
    loghost(["plugin", "inspect", &file.display().to_string()]).end().exits(0).prints(&name);
}
