//! Options from a file and from the environment, and `loghost config`, which shows, checks and begins such a file.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use libtest_mimic::Trial;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::cli::{Loghost, loghost};
use crate::support::{test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        test("config::a_flag_goes_before_a_variable_before_the_file", precedence),
        test("config::what_excludes_what_is_above_is_left_out", exclusion),
        test("config::shows_no_secret", shows_no_secret),
        test("config::shows_the_variables_of_opentelemetry", shows_variables),
        test("config::check_names_each_place", check_names_each_place),
        test("config::check_loads_each_plugin", check_loads_each_plugin),
        test("config::check_reads_each_file", check_reads_each_file),
        test("config::init_has_every_key", init_has_every_key),
        test("config::each_key_is_a_variable", each_key_is_a_variable),
        test("config::a_flag_is_taken_back", a_flag_is_taken_back),
        test("config::the_file_is_found_named_or_ignored", found_named_or_ignored),
        test("config::its_place_is_in_what_is_said_later", place_is_in_what_is_said_later),
    ]
}

/// A folder with this configuration.
fn configured(text: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("loghost.toml"), text).expect("a file in a folder of ours");
    folder
}

fn config<const N: usize>(folder: &Path, arguments: [&str; N]) -> Loghost {
    loghost(["config"]).args(arguments).folder(folder)
}

/// What `config show --format json` has printed.
struct Shown(Value);

/// What it says of an option: its value, and where that comes from.
#[track_caller]
fn option(shown: &Shown, key: &str) -> (Value, String) {
    let option = &shown.0["options"][key];
    (option["value"].clone(), option["from"].as_str().unwrap_or_default().to_owned())
}

#[track_caller]
fn shown(command: Loghost) -> Shown {
    let output = command.args(["--format", "json"]).end().exits(0);
    Shown(output.json().remove(0))
}

fn precedence() {
    let folder = configured(
        "max-retries = 1\nmax-batch = 2\nprefetch = 3\nbroker = [\"amqp://f@h\", \"amqp://g@h\"]\nwatch = true\n",
    );
    let show = |arguments: &[&str]| {
        let command = config(folder.path(), ["show"]).args(arguments);
        shown(
            command
                .env("LOGHOST_MAX_RETRIES", "10")
                .env("LOGHOST_MAX_BATCH", "20")
                .env("LOGHOST_WATCH", "false"),
        )
    };
    let is = |value: Value, from: &str| (value, from.to_owned());
    let options = show(&["--max-retries", "100"]);
    assert_eq!(option(&options, "max-retries"), is(json!(100), "argument"));
    assert_eq!(option(&options, "max-batch"), is(json!(20), "LOGHOST_MAX_BATCH"));
    assert_eq!(option(&options, "prefetch"), is(json!(3), "loghost.toml:3:12"));
    assert_eq!(option(&options, "watch"), is(json!(false), "LOGHOST_WATCH"));
    assert_eq!(option(&options, "grace"), is(json!("10s"), "default"));
    // An empty variable is none, and a list is not added to another.
    let command =
        config(folder.path(), ["show"]).env("LOGHOST_MAX_BATCH", "").env("AMQP_URL", "amqp://v:p@h");
    let options = shown(command);
    assert_eq!(option(&options, "max-batch").1, "loghost.toml:2:13");
    assert_eq!(option(&options, "broker"), is(json!(["amqp://v@h:5672/%2f"]), "AMQP_URL"));
    // As text, it is such a file.
    let text = config(folder.path(), ["show"]).end().exits(0).stdout;
    assert!(
        text.lines().any(|line| line.starts_with("prefetch = 3 ") && line.ends_with(" # loghost.toml:3:12"))
    );
    let again = configured(&text);
    assert_eq!(option(&shown(config(again.path(), ["show"])), "prefetch").0, json!(3));
}

/// A file cannot have them: as text they are comments.
fn shows_variables() {
    let folder = configured("prefetch = 3\n");
    let command = |arguments: [&str; 1]| {
        let command = config(folder.path(), arguments);
        command
            .env("OTEL_SERVICE_NAME", "shop")
            .env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", "https://bob:secret@host:4318/otlp?key=secret")
            .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://host/v1/traces?key=secret")
    };
    let Shown(json) = shown(command(["show"]));
    let variables = json!({
        "OTEL_SERVICE_NAME": { "value": "shop", "from": "environment" },
        "OTEL_EXPORTER_OTLP_HEADERS": { "value": "***", "from": "environment" },
        "OTEL_EXPORTER_OTLP_ENDPOINT": { "value": "https://host:4318/otlp", "from": "environment" },
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": { "value": "https://host/v1/traces", "from": "environment" },
    });
    assert_eq!(json["variables"], variables);
    let text = command(["show"]).end().exits(0).stdout;
    assert!(text.lines().any(|line| line.starts_with("# OTEL_SERVICE_NAME = \"shop\" ")), "{text}");
    assert!(!text.contains("secret"), "{text}");
    let again = configured(&text);
    assert_eq!(option(&shown(config(again.path(), ["show"])), "prefetch").0, json!(3));
}

/// What the file says that cannot be together with an argument, or with a variable.
fn exclusion() {
    let folder = configured("queue-type = \"quorum\"\nstate = \"counts\"\nfrom = \"first\"\n");
    let options = shown(config(folder.path(), ["show", "--ephemeral"]));
    assert_eq!(option(&options, "ephemeral").1, "argument");
    assert_eq!(option(&options, "state").0, Value::Null);
    assert_eq!(option(&options, "queue-type").1, "default");
    let options = shown(config(folder.path(), ["show"]).env("LOGHOST_EPHEMERAL", "true"));
    assert_eq!(
        (option(&options, "ephemeral").1.as_str(), option(&options, "state").0),
        ("LOGHOST_EPHEMERAL", Value::Null)
    );
    // Within the file, it is a mistake.
    let folder = configured("ephemeral = true\nstate = \"counts\"\n");
    let refused = config(folder.path(), ["check"]).end().exits(78);
    refused.says("loghost.toml:").says("--state").says("cannot be used with").says("--ephemeral");
}

fn shows_no_secret() {
    let folder = configured(
        "broker = \"amqp://bob:s3cret@h1,amqp://eve:s3cret@h2/v?heartbeat=5\"\n\
         management-url = \"http://bob:s3cret@h1:15672/\"\nset = [\"token=s3cret\"]\n\
         [consumers.error]\nplugin = \"error.wasm\"\nsettings = { token = \"s3cret\", other = { file = \"of-other\" } }\n",
    );
    for format in ["text", "json"] {
        let output = config(folder.path(), ["show", "--format", format]).end().exits(0);
        let output =
            output.prints("amqp://bob@h1:5672").prints("http://h1:15672/").prints("token").prints("of-other");
        assert!(!output.to_string().contains("s3cret"), "{output}");
    }
}

fn check_names_each_place() {
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

fn check_loads_each_plugin() {
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
fn check_reads_each_file() {
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

/// What `config init` has written is accepted, each of its keys is known, and each key that is known is in it.
fn init_has_every_key() {
    let folder = tempfile::tempdir().expect("a folder");
    config(folder.path(), ["init"]).end().exits(0).says("loghost.toml has every key");
    config(folder.path(), ["check"]).end().exits(0).prints("loghost.toml is good");
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
fn each_key_is_a_variable() {
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

/// By an argument, whatever the file or a variable says.
fn a_flag_is_taken_back() {
    let folder = configured("watch = true\ncontrol = true\nverbose = true\n");
    let options =
        shown(config(folder.path(), ["show", "--watch=false", "-v"]).env("LOGHOST_CONTROL", "true"));
    let is = |value: bool, from: &str| (json!(value), from.to_owned());
    assert_eq!(option(&options, "watch"), is(false, "argument"));
    assert_eq!(option(&options, "verbose"), is(true, "argument"));
    assert_eq!(option(&options, "control"), is(true, "LOGHOST_CONTROL"));
    // Nothing listens, so that nothing could be controlled.
    config(folder.path(), ["check"]).end().exits(78).says("control: nothing listens");
    config(folder.path(), ["check", "--control=false"]).end().exits(0).prints("loghost.toml is good");
    config(folder.path(), ["show", "--watch=perhaps"]).end().exits(2).says("--watch");
}

fn found_named_or_ignored() {
    let folder = configured("prefix = \"found\"\n");
    fs::write(folder.path().join("other.toml"), "prefix = \"named\"\n").expect("a file in a folder of ours");
    let prefix = |command: Loghost| option(&shown(command), "prefix").0;
    let show = || config(folder.path(), ["show"]);
    assert_eq!(prefix(show()), "found");
    assert_eq!(prefix(show().args(["--config", "other.toml"])), "named");
    assert_eq!(prefix(show().env("LOGHOST_CONFIG", "other.toml")), "named");
    assert_eq!(prefix(show().args(["--no-config"])), "logs");
    assert_eq!(prefix(show().args(["--config", ""])), "logs");
    assert_eq!(prefix(show().env("LOGHOST_CONFIG", "")), "logs");
    let refused = show().args(["--config", "othr.toml"]).end().exits(78);
    refused.says("cannot read the configuration file othr.toml").says("(is other.toml meant?)");
    // A command that has no such options does not look at it.
    fs::write(folder.path().join("loghost.toml"), "what is this").expect("a file of ours");
    loghost(["plugin", "inspect"]).arg(tracked("plugins/error.wasm")).folder(folder.path()).end().exits(0);
    loghost(["tail"]).folder(folder.path()).end().exits(78).says("loghost.toml:1:");
}

/// Also where only the broker, or its absence, shows that a value is wrong.
fn place_is_in_what_is_said_later() {
    let folder = configured("# The broker.\nbroker = \"amqp://127.0.0.1:1\"\n");
    for command in [
        &["tail"][..],
        &["status", "error"],
        &["publish", "info", "text"],
        &["dead-letters", "list", "error"],
    ] {
        let output = loghost(command).folder(folder.path()).end().exits(69);
        output.says("correct loghost.toml:2:10, which this URL comes from");
    }
}
