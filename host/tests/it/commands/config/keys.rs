//! Each option has a key in what `config init` writes, and a variable.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;

use super::{Shown, config, configured, option, shown};
use crate::support::cli::loghost;

/// What `config init` has written is accepted, each of its keys is known, and each key that is known is in it.
pub(super) fn init_has_every_key() {
    let folder = tempfile::tempdir().expect("a folder");
    config(folder.path(), ["init"]).end().exits(0).says("loghost.toml has every key");
    config(folder.path(), ["check"]).end().exits(0).prints("loghost.toml is good");
    // All of it is commented out.
    loghost(["run"]).folder(folder.path()).end().exits(2).says("consumers in loghost.toml, which has none");
    config(folder.path(), ["init"]).end().exits(2).says("loghost.toml is there already");
    let text = fs::read_to_string(folder.path().join("loghost.toml")).expect("what was written");
    assert_eq!(config(folder.path(), ["init", "-"]).end().exits(0).stdout, text);

    let key = |line: &str| {
        let key = line.strip_prefix("# ")?.split_once(" = ")?.0;
        key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-').then(|| key.to_owned())
    };
    let (all, of_one) = text.split_once("# [consumers.error]").expect("a consumer");
    let written: BTreeSet<String> = all.lines().filter_map(key).collect();
    let help = loghost(["run", "--help"]).end().exits(0).stdout;
    let long = |line: &str| {
        let rest = line.trim_start().strip_prefix("--").or_else(|| Some(line.split_once(", --")?.1))?;
        Some(rest.split([' ', '=', '[']).next()?.to_owned())
    };
    let options = help.lines().filter(|line| line.starts_with("      --") || line.starts_with("  -"));
    let mut known: BTreeSet<String> = options.filter_map(long).collect();
    for option in ["help", "version", "config", "no-config"] {
        known.remove(option);
    }
    assert_eq!(written, known);

    // Uncommented, each is accepted but for its value, which may be a placeholder.
    let uncomment = |text: &str| -> String {
        let lines: Vec<&str> =
            text.lines().filter(|line| key(line).is_some()).map(|line| &line[2..]).collect();
        lines.join("\n")
    };
    let text = format!("{}\n[consumers.error]\n{}\n", uncomment(all), uncomment(of_one));
    let folder = configured(&text);
    config(folder.path(), ["check"]).end().exits(78).says("loghost.toml:").does_not_say("unknown key");
}

/// The variable that the help of --config promises for each.
pub(super) fn each_key_is_a_variable() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = config(folder.path(), ["init", "-"]).end().exits(0).stdout;
    let (all, _) = text.split_once("# [consumers.error]").expect("a consumer");
    let keys = all.lines().filter_map(|line| line.strip_prefix("# ")?.split_once(" = "));
    let keys: Vec<_> = keys.filter(|(key, _)| !key.contains(' ')).collect();
    assert!(keys.len() > 40, "{keys:?}");
    for (key, value) in keys {
        let value = value.trim_matches(['[', ']', '"']);
        let given = match value.trim_matches(['<', '>']) {
            "false" => "true",
            "[NAME.]KEY=VALUE" => "a=b",
            "TIME" => "90s",
            "FOLDER" | "FILE" => "counts",
            "RULE" => "shop",
            "text" if key == "format" => "json",
            "FORMAT" => "auto",
            "LEVEL=SEVERITY" => "9=error",
            "SEVERITY" => "error",
            "SIZE" => "64MiB",
            "WHERE" => "first",
            "HOST:PORT" | "ADDRESS" => "127.0.0.1:9090",
            "URL" if key == "broker" => "amqp://h",
            "URL" => "http://h:15672",
            "N" => "7",
            "RIGHT" => "publish",
            default => default,
        };
        let variable = format!("LOGHOST_{}", key.to_uppercase().replace('-', "_"));
        let show = config(folder.path(), ["show"]).env("LOGHOST_FORMAT", "json").env(&variable, given);
        // What it cannot be without.
        let show = match key {
            "discard-state" => show.args(["--state", "counts"]),
            "restart" => show.args(["--from", "first"]),
            "decode" | "severity-map" | "default-severity" => show.args(["--bind", "shop"]),
            _ => show,
        };
        let (shown, from) = option(&Shown(show.end().exits(0).json().remove(0)), key);
        assert_eq!(from, variable, "{key}: {shown}");
    }
    // Before the others of the broker.
    let show =
        config(folder.path(), ["show"]).env("LOGHOST_BROKER", "amqp://a").env("LOGHOST_AMQP_URL", "amqp://b");
    assert_eq!(option(&shown(show), "broker").1, "LOGHOST_BROKER");
    // What nobody has given has its default.
    let options = shown(config(folder.path(), ["show"]));
    assert_eq!(option(&options, "log-format"), (json!("text"), "default".to_owned()));
}
