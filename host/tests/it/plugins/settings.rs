//! Settings: which plugin gets each, and what is said of one that no plugin gets.

use std::fs;
use std::path::PathBuf;

use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Output, Signal, loghost};
use crate::support::guest::{declare, guest};
use crate::support::{Skip, needing, test};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        needing("settings::are_given_to_those_who_take_them", are_given_to_those_who_take_them),
        needing("settings::for_one_are_not_shown_to_another", for_one_are_not_shown_to_another),
        needing("settings::a_new_version_takes_them_as_well", a_new_version_takes_them_as_well),
        needing("settings::other_than_those_of_a_state_are_said", other_than_those_of_a_state_are_said),
        test("settings::that_nobody_takes_are_refused", that_nobody_takes_are_refused),
        test("settings::that_are_misspelled_are_understood", that_are_misspelled_are_understood),
    ]
}

/// Three plugins, which take other settings; the last is in a file of another name.
fn three() -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().expect("a folder");
    let words = guest("words").takes(&["word", "limit"]).write(folder.path());
    let plain = guest("plain").takes(&[]).write(folder.path());
    let file = guest("renamed").takes(&["limit", "a.b"]).write(folder.path());
    let other = folder.path().join("other.wasm");
    fs::rename(file, &other).expect("a file of ours");
    (folder, vec![words, plain, other])
}

/// The settings that the plugin in a file of this name was given, at whichever attempt.
fn given(output: &str, file: &str) -> Vec<String> {
    let mark = format!("{file}.wasm] plugin: set ");
    let lines = output.lines().filter_map(|line| Some(line.split_once(&mark)?.1.to_owned()));
    let mut given: Vec<String> = lines.collect();
    given.dedup();
    given
}

fn are_given_to_those_who_take_them() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let (_folder, plugins) = three();
    let run = |settings: &[&str]| -> Output {
        let set = settings.iter().flat_map(|setting| ["--set", setting]);
        broker.loghost(["run", "--ephemeral", "--until-idle", "50ms"]).args(set).args(&plugins).end().exits(0)
    };
    let output = run(&["limit=3", "word=x"]).stderr;
    assert_eq!(
        (given(&output, "words"), given(&output, "other")),
        (vec!["limit=3".to_owned(), "word=x".to_owned()], vec!["limit=3".to_owned()],)
    );
    // One by its name, and by that of its file; before what all get.
    let output = run(&["limit=3", "words.limit=5", "renamed.limit=7"]).stderr;
    assert_eq!(given(&output, "words"), ["limit=5"]);
    assert_eq!(given(&output, "other").last().map(String::as_str), Some("limit=7"));
    let output = run(&["other.limit=8"]).stderr;
    assert_eq!((given(&output, "words").len(), given(&output, "other")), (0, vec!["limit=8".to_owned()]));
    // A key with a dot, for all and for one.
    let output = run(&["a.b=1"]).stderr;
    assert_eq!(given(&output, "other"), ["a.b=1"]);
    let output = run(&["renamed.a.b=2"]).stderr;
    assert_eq!(given(&output, "other"), ["a.b=2"]);
    Ok(())
}

/// Not even to a plugin that would take such a key: the value may be a secret.
fn for_one_are_not_shown_to_another() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let curious = guest("curious").takes(&["other.limit"]).write(folder.path());
    let other = guest("other").takes(&["limit"]).write(folder.path());
    let run = broker.loghost(["run", "--ephemeral", "--until-idle", "50ms", "--set", "other.limit=8"]);
    let beside = run.args([&curious, &other]).end().exits(0).stderr;
    let nothing: [&str; 0] = [];
    assert_eq!(given(&beside, "curious"), nothing);
    assert_eq!(given(&beside, "other"), ["limit=8"]);
    let run = broker.loghost(["run", "--ephemeral", "--until-idle", "50ms", "--set", "other.limit=8"]);
    let alone = run.arg(&curious).end().exits(0).stderr;
    assert_eq!(given(&alone, "curious"), ["other.limit=8"]);
    Ok(())
}

fn a_new_version_takes_them_as_well() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let (folder, plugins) = three();
    let run = broker.loghost(["run", "--set", "word=x", "--set", "words.limit=1"]).args(&plugins).start();
    run.says("consuming from");
    guest("words").version("2").takes(&["word", "limit", "more"]).write(folder.path());
    run.signal(Signal::Hangup);
    run.says("[words] reloaded: version 2");
    guest("words").version("3").takes(&["limit"]).write(folder.path());
    run.signal(Signal::Hangup);
    run.says("[words] not reloaded, the old one goes on");
    run.says("does not take the setting `word`, as the old one does");
    let output = run.end_by(Signal::Terminate).exits(0);
    assert_eq!(given(&output.stderr, "words")[..2], ["word=x", "limit=1"], "{output}");
    Ok(())
}

/// `run` with this setting, which does not begin.
#[track_caller]
fn refused(setting: &str) -> Output {
    let (_folder, plugins) = three();
    let run = loghost(["run", "--broker", "amqp://127.0.0.1:1", "--set", setting]).args(plugins);
    run.end().exits(78)
}

fn that_nobody_takes_are_refused() {
    let output = refused("else=1").says("--set else: no plugin of this run takes a setting of this name: ");
    output.says("words takes `word`, `limit`; plain takes none; renamed takes `limit`, `a.b`");
    refused("nobody.word=1").says("none is called `nobody`: ");
    refused("plain.word=1").says("plain.wasm").says("unknown setting `word`; this consumer takes none");
}

fn that_are_misspelled_are_understood() {
    refused("wrod=x").says("no plugin of this run takes a setting of this name (is `word` meant?)");
    refused("wrods.limit=1").says("none is called `wrods` (is `words` meant?)");
    refused("words.limti=1").says("this consumer takes `word`, `limit` (is `limit` meant?)");
    let (_folder, plugins) = three();
    let inspect = loghost(["plugin", "inspect", "--set", "wrod=x"]).arg(&plugins[0]).end().exits(78);
    inspect.says("(is `word` meant?)");
}

/// As long as nothing is counted with the new ones.
fn other_than_those_of_a_state_are_said() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("words").keeps_count().takes(&["limit", "word"]).write(folder.path());
    declare(&broker, std::slice::from_ref(&plugin));
    let run = |settings: &[&str], logs: usize| {
        broker
            .loghost(["publish", "--stdin", "--severity", "error"])
            .stdin("a\n".repeat(logs))
            .end()
            .exits(0);
        let set = settings.iter().flat_map(|setting| ["--set", setting]);
        let run =
            broker.loghost(["run", "--until-idle", "100ms", "--state"]).arg(folder.path().join("state"));
        run.args(set).arg(&plugin).end().exits(0)
    };
    let other = "warn  [words] what --state has of it was counted with other settings";
    run(&["limit=5"], 0).does_not_say(other);
    run(&["limit=6"], 2).does_not_say(other);
    run(&["limit=6"], 1).does_not_say(other);
    for settings in [&["limit=10", "word=s3cret"][..], &["limit=10", "word=s3cret"]] {
        run(settings, 0).says(other).says("(`limit`, `word`)").says("--discard-state").prints("3");
    }
    run(&["limit=10", "word=s3cret"], 1).says(other).prints("4");
    run(&["limit=10", "word=s3cret"], 1).does_not_say(other);
    run(&["word=other", "limit=10"], 0).says("(`word`)");
    let written = fs::read(folder.path().join("state/loghost.redb")).expect("a state");
    assert!(!written.windows(6).any(|bytes| bytes == b"s3cret"), "a value is in the state");
    Ok(())
}
