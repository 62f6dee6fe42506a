//! `loghost config check`: each mistake with its location, plugins and files as a run would read them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{config, configured};
use crate::support::cli::loghost;
use crate::support::tracked;

pub(super) fn names_each_location() {
    let folder = configured(
        "prefech = 3\nqueue-type = \"clasic\"\nevery = 5\n\n[streams]\nfrom = \"first\"\n[consumers.error]\n  \
         plugin = \"error.wasm\"\n  time-limt = \"2s\"\n  max-memory = \"1\"\n  settings = { a = [1] }\n  \
         queue-type = \"quorum\"\n[consumers.all]\nplugn = \"x\"\n[consumers.\"No Name\"]\nplugin = \"x\"\n",
    );
    let output = config(folder.path(), ["check"]).end().exits(78);
    let expected = [
        "loghost.toml:1:1: unknown key `prefech` (is `prefetch` meant?)",
        "loghost.toml:2:14: queue-type: expected classic, quorum, stream (is `classic` meant?)",
        "loghost.toml:3:9: every: expected a time with its unit, such as 2s or 500ms",
        "loghost.toml:5:2: `streams` is a table: those of this file are [consumers.NAME]",
        "loghost.toml:9:3: unknown key `time-limt` (is `time-limit` meant?)",
        "loghost.toml:10:16: max-memory: a plugin has at least 64.0 KiB; expected a size such as 64MiB",
        "loghost.toml:11:20: a setting is a text, a number, true or false, or { file = \"PATH\" }",
        "loghost.toml:12:3: unknown key `queue-type`",
        "loghost.toml:13:12: this consumer has no `plugin` (is `plugn` meant?): give the path of its component",
        "loghost.toml:15:12: ",
    ];
    let mut said = output.stderr.lines();
    for text in expected {
        assert!(said.any(|line| line.contains(text)), "`{text}` is not said, in this order: {output}");
    }
    for (text, expected) in [
        ("a = \n", "loghost.toml:1:"),
        ("watch = 1\n", "loghost.toml:1:9: watch: expected true or false"),
        ("prefetch = [1, 2]\n", "loghost.toml:1:12: prefetch: expected one value"),
        ("prefetch = 1\nprefetch = 2\n", "loghost.toml:2:1: duplicate key"),
        ("state = 2026-11-25\n", "loghost.toml:1:9: expected a text, in quotes"),
        ("broker = \"http://h\"\n", "loghost.toml:1:10: broker: "),
        ("restart = true\nqueue-type = \"stream\"\n", "--from"),
        ("listen = \"0.0.0.0:1\"\n", "loghost.toml:1:10: listen 0.0.0.0:1: others than this machine"),
    ] {
        let folder = configured(text);
        config(folder.path(), ["check"]).end().exits(78).says(expected);
    }
    let folder = tempfile::tempdir().expect("a folder");
    config(folder.path(), ["check"])
        .end()
        .exits(78)
        .says("there is no loghost.toml in the working directory");
}

pub(super) fn loads_each_plugin() {
    let error = tracked("plugins/error.wasm");
    let consumer =
        |name: &str, rest: &str| format!("[consumers.{name}]\nplugin = {:?}\n{rest}\n", error.display());
    let folder = configured(&consumer("error", ""));
    config(folder.path(), ["check"]).end().exits(0).prints("loghost.toml is good: error");
    let folder = configured(&consumer("other", ""));
    let refused = config(folder.path(), ["check"]).end().exits(78);
    refused.says("loghost.toml:2:10: ").says("calls itself `error`, and not `other`");
    let folder = configured(&consumer("error", "settings = { limit = 3 }"));
    let refused = config(folder.path(), ["check"]).end().exits(78);
    refused.says("loghost.toml:2:10: ").says("unknown setting `limit`; this consumer takes none");
    let folder = configured("[consumers.error]\nplugin = \"eror.wasm\"\n");
    fs::copy(&error, folder.path().join("error.wasm")).expect("a file in a folder of ours");
    let refused = config(folder.path(), ["check"]).end().exits(65);
    refused.says("loghost.toml:2:10: ").says("error.wasm meant?)");
    // From another folder, the plugin is beside the file all the same.
    let file = folder.path().join("loghost.toml");
    fs::write(&file, "[consumers.error]\nplugin = \"error.wasm\"\n").expect("a file of ours");
    loghost(["config", "check", "--config"]).arg(&file).end().exits(0).prints("is good: error");
}

/// Those that are read at the start of a run, or at each connection.
pub(super) fn reads_each_file() {
    let pem = |name: &str| format!("amqps://u:s3cret@h/?{name}");
    for (text, expected) in [
        (
            pem("cacertfile=/nowhere.pem"),
            "loghost.toml:1:10: broker amqps://u@h:5671/%2f: cacertfile /nowhere.pem: ",
        ),
        (pem("certfile=/nowhere.pem&keyfile=/nowhere.key"), "certfile /nowhere.pem: "),
        (format!("amqp://h,{}", pem("cacertfile=/dev/null")), "cacertfile /dev/null: no certificates in PEM"),
    ] {
        let folder = configured(&format!("broker = \"{text}\"\n"));
        let refused = config(folder.path(), ["check"]).end().exits(78).says(expected);
        assert!(!refused.to_string().contains("s3cret"), "{refused}");
    }
    let folder = configured("listen = \"127.0.0.1:0\"\nlisten-token-file = \"token\"\n");
    let check = || config(folder.path(), ["check"]).end();
    check().exits(78).says("loghost.toml:2:21: listen-token-file ");
    let token = folder.path().join("token");
    fs::write(&token, "short").expect("a file in a folder of ours");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).expect("for its owner alone");
    check().exits(78).says("loghost.toml:2:21: listen-token-file ").says("16");
    fs::write(&token, "of-at-least-16-characters").expect("a file of ours");
    check().exits(0).prints("loghost.toml is good");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).expect("it is ours");
    check().exits(78).says("loghost.toml:2:21: listen-token-file ");
}
