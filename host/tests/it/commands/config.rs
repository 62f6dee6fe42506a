//! Options from a file and from the environment, and `loghost config`, which shows, checks and begins such a file.

mod check;
mod keys;

use std::fs;
use std::path::Path;

use libtest_mimic::Trial;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::cli::{Loghost, loghost};
use crate::support::{test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        test("config::a_flag_goes_before_a_variable_before_the_file", precedence),
        test("config::what_a_consumer_has_goes_before_the_file_alone", precedence_of_consumers),
        test("config::what_excludes_what_is_above_is_left_out", exclusion),
        test("config::shows_no_secret", shows_no_secret),
        test("config::shows_the_variables_of_opentelemetry", shows_variables),
        test("config::check_names_each_location", check::names_each_location),
        test("config::check_loads_each_plugin", check::loads_each_plugin),
        test("config::check_reads_each_file", check::reads_each_file),
        test("config::init_has_every_key", keys::init_has_every_key),
        test("config::each_key_is_a_variable", keys::each_key_is_a_variable),
        test("config::a_flag_is_taken_back", a_flag_is_taken_back),
        test("config::the_file_is_found_named_or_ignored", found_named_or_ignored),
        test("config::its_location_is_in_what_is_said_later", location_is_in_what_is_said_later),
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

/// What a consumer has of its own goes before what the file says for all, and before nothing else.
fn precedence_of_consumers() {
    let folder = configured(
        "max-retries = 1\nmax-batch = 2\n[consumers.error]\nplugin = \"error.wasm\"\nmax-retries = 3\nmax-batch = 4\nprefetch = 5\n\
         settings = { limit = \"6\", rate = \"7\", unit = \"8\" }\n",
    );
    let command = |arguments: &[&str]| {
        let command = config(folder.path(), ["show"]).args(arguments);
        command.env("LOGHOST_MAX_BATCH", "20")
    };
    let Shown(in_force) =
        shown(command(&["--max-retries", "30", "--set", "error.limit=60", "--set", "rate=70"]));
    let error = |key: &str| &in_force["consumers"]["error"][key];
    assert_eq!(*error("max-retries"), json!({ "value": 30, "from": "argument" }));
    assert_eq!(*error("max-batch"), json!({ "value": 20, "from": "LOGHOST_MAX_BATCH" }));
    assert_eq!(*error("prefetch"), json!({ "value": 5, "from": "loghost.toml:7:12" }));
    assert_eq!(error("settings.limit")["from"], "argument");
    assert_eq!(error("settings.rate")["from"], "argument");
    assert_eq!(error("settings.unit")["from"], "loghost.toml:8:46");
    // Plugins that are named run instead.
    let Shown(named) = shown(command(&["error.wasm"]));
    assert_eq!(named["consumers"], json!({}));
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
    // It excludes nothing then, and needs nothing.
    let taken_back = ["show", "--ephemeral=false", "--state", "counts", "--discard-state=false"];
    let state = option(&shown(config(folder.path(), taken_back)), "state");
    assert_eq!(state, (json!("counts"), "argument".to_owned()));
    loghost([
        "run",
        "--declare-only=false",
        "--ephemeral",
        "--broker",
        "amqp://127.0.0.1:1",
        "--retry-for",
        "100ms",
    ])
    .arg(tracked("plugins/error.wasm"))
    .end()
    .exits(69);
    config(folder.path(), ["show", "--ephemeral", "--state", "counts"]).end().exits(2).says("--ephemeral");
    config(folder.path(), ["show", "--watch=false", "--watch"]).end().exits(2).says("--watch");
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
fn location_is_in_what_is_said_later() {
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
