//! Consumers of a configuration file: what each has of its own, and secrets in files.

mod options;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Loghost, loghost};
use crate::support::dead_letters::list;
use crate::support::guest::{Then, guest};
use crate::support::test;

pub(crate) fn trials() -> Vec<Trial> {
    let all = test("configured::all_options_of_its_own_are_tested", options::all_of_them_are_tested);
    let mut trials: Vec<Trial> = [
        on(Kind::MOST, "configured::each_has_its_own", each_has_its_own),
        on(
            [Kind::Embedded],
            "configured::each_option_is_that_of_one_consumer",
            options::each_is_that_of_one_consumer,
        ),
        on(
            [Kind::Embedded],
            "configured::each_forgets_after_its_own_time",
            options::each_forgets_after_its_own_time,
        ),
        on(
            [Kind::Embedded],
            "configured::what_is_given_for_all_goes_before",
            what_is_given_for_all_goes_before,
        ),
        on([Kind::Embedded], "configured::secrets_are_in_files", secrets_are_in_files),
    ]
    .into_iter()
    .flatten()
    .collect();
    trials.push(all);
    trials
}

/// A configuration of consumers on this broker.
pub(crate) struct Configuration {
    pub(crate) folder: TempDir,
    head: String,
}

impl Configuration {
    pub(crate) fn new(broker: &Broker) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let head = format!("broker = {:?}\nprefix = {:?}\nevery = \"20ms\"\n", broker.url(), broker.prefix());
        Self { folder, head }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("loghost.toml")
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the file with these lines behind what all have in common.
    pub(crate) fn write(&self, lines: &str) {
        self.write_as(&self.file(), lines);
    }

    /// Writes such a file elsewhere.
    pub(crate) fn write_as(&self, file: &Path, lines: &str) {
        fs::write(file, format!("{}{lines}", self.head)).expect("a file of ours");
    }

    /// `loghost run` with it.
    pub(crate) fn run(&self) -> Loghost {
        loghost(["run", "--config"]).arg(self.file())
    }
}

/// A file that only its owner may read.
fn secret(folder: &Path, name: &str, text: &str) {
    let file = folder.join(name);
    fs::write(&file, text).expect("a file of ours");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a file of ours");
}

/// Settings, grants, limits and retries.
fn each_has_its_own(broker: &Broker) {
    let configuration = Configuration::new(broker);
    let retry =
        |name: &str| guest(name).takes(&["limit"]).processes().on("again", Then::Retry("later".to_owned()));
    retry("often").write(configuration.path());
    retry("once").write(configuration.path());
    guest("sender").severities(&["error"]).publishes("info").write(configuration.path());
    guest("large").memory(40).write(configuration.path());
    configuration.write(
        "max-retries = 3\n\
         [consumers.often]\nplugin = \"often.wasm\"\nsettings = { limit = 5 }\n\
         [consumers.once]\nplugin = \"once.wasm\"\nmax-retries = 0\n\
         [consumers.sender]\nplugin = \"sender.wasm\"\ngrant = [\"publish\"]\n\
         [consumers.large]\nplugin = \"large.wasm\"\nmax-memory = \"41MiB\"\ntime-limit = \"3s\"\n",
    );
    configuration.run().arg("--declare-only").end().exits(0);
    broker.loghost(["publish", "info", "again"]).end().exits(0);
    let ran = configuration.run().args(["--until-idle", "1s"]).end().exits(0);
    let given: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("plugin: set ")).collect();
    assert!(
        given.iter().all(|line| line.contains("often.wasm] plugin: set limit=5")) && !given.is_empty(),
        "{ran}"
    );
    let attempts = |consumer: &str| -> Vec<u64> {
        list(broker, consumer, &[]).iter().filter_map(|dead| dead["attempts"].as_u64()).collect()
    };
    assert_eq!((attempts("often"), attempts("once")), (vec![4], vec![1]));
    // Without what is its own, none of them can begin.
    configuration.write("[consumers.sender]\nplugin = \"sender.wasm\"\n");
    configuration.run().end().exits(78).says("loghost.toml:5:10: ").says("--grant publish");
    configuration.write("max-memory = \"32MiB\"\n[consumers.large]\nplugin = \"large.wasm\"\n");
    configuration.run().end().exits(65).says("used more than 32.0 MiB of memory");
}

/// An argument goes before a consumer's own, but for settings: what is given for one goes before what is given for all.
fn what_is_given_for_all_goes_before(broker: &Broker) {
    let configuration = Configuration::new(broker);
    guest("large").memory(40).takes(&["limit", "word"]).write(configuration.path());
    guest("other").takes(&["limit"]).write(configuration.path());
    configuration.write(
        "set = [\"limit=1\"]\n[consumers.large]\nplugin = \"large.wasm\"\nmax-memory = \"41MiB\"\n\
         settings = { limit = 2, word = \"a\" }\n[consumers.other]\nplugin = \"other.wasm\"\n",
    );
    let given = |arguments: &[&str]| {
        let ran =
            configuration.run().args(["--ephemeral", "--until-idle", "50ms"]).args(arguments).end().exits(0);
        let mark = ".wasm] plugin: set ";
        let shown = |line: &str| {
            let (before, setting) = line.split_once(mark)?;
            Some(format!("{} {setting}", before.rsplit(['/', '[']).next()?))
        };
        let mut given: Vec<String> = ran.stderr.lines().filter_map(shown).collect();
        given.sort();
        given.dedup();
        given
    };
    assert_eq!(given(&[]), ["large limit=2", "large word=a", "other limit=1"]);
    assert_eq!(given(&["--set", "limit=3"]), ["large limit=2", "large word=a", "other limit=3"]);
    assert_eq!(given(&["--set", "large.limit=4"]), ["large limit=4", "large word=a"]);
    let refused = configuration.run().args(["--max-memory", "32MiB"]).end();
    refused.exits(65).says("used more than 32.0 MiB of memory");
    // Plugins that are named are run instead.
    let named = configuration.run().args(["--ephemeral", "--until-idle", "50ms", "--set", "limit=1"]);
    let ran = named.arg(configuration.path().join("other.wasm")).end().exits(0);
    ran.says("other (").does_not_say("large");
}

/// The broker's password and settings; also as systemd hands them over.
fn secrets_are_in_files(broker: &Broker) {
    let configuration = Configuration::new(broker);
    guest("words").takes(&["word"]).write(configuration.path());
    let url = broker.url().replacen("guest:guest@", "guest@", 1);
    let text = format!(
        "broker = {url:?}\nprefix = {:?}\npassword-file = \"password\"\n[consumers.words]\nplugin = \"words.wasm\"\n\
         settings = {{ word = {{ file = \"word\" }} }}\n",
        broker.prefix()
    );
    fs::write(configuration.file(), text).expect("a file of ours");
    secret(configuration.path(), "word", "of ours\n");
    let run = || configuration.run().args(["--ephemeral", "--until-idle", "50ms"]);
    run()
        .end()
        .exits(78)
        .says("loghost.toml:3:17: password-file")
        .says("cannot read it")
        .says("make it, for its owner alone: (umask 077; cat > /");
    secret(configuration.path(), "password", "guest\r\n");
    run().end().exits(0).says("plugin: set word=of ours");
    // What anybody may read is no secret.
    let word = configuration.path().join("word");
    fs::set_permissions(&word, fs::Permissions::from_mode(0o644)).expect("a file of ours");
    run()
        .end()
        .exits(78)
        .says("loghost.toml:6:21: word: ")
        .says("others may read or change it (mode 644): chmod 600 /");
    fs::set_permissions(&word, fs::Permissions::from_mode(0o600)).expect("a file of ours");
    let credentials = tempfile::tempdir().expect("a folder");
    secret(credentials.path(), "word", "of systemd");
    run().env("CREDENTIALS_DIRECTORY", credentials.path()).end().exits(0).says("plugin: set word=of systemd");
    secret(credentials.path(), "password", "guest");
    secret(configuration.path(), "password", "of nobody");
    run().env("CREDENTIALS_DIRECTORY", credentials.path()).end().exits(0);
    // A URL that has a password, or no user, has no use for one.
    secret(configuration.path(), "password", "of another");
    let refused = run().args(["--broker", broker.url()]).end();
    refused
        .exits(78)
        .says("password-file: it is for the broker's user, and no URL has a user without a password");
}
