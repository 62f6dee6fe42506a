//! What is made of the description of the command line: completions of a shell, manual pages, examples.

use std::fs;
use std::process::Command;

use libtest_mimic::Trial;

use crate::support::cli::loghost;
use crate::support::test;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        test("described::bash_completes", bash_completes),
        test("described::manual_pages", manual_pages),
        test("described::examples", examples),
    ]
}

/// A real bash, which asks the script as it does when somebody presses the tabulator.
fn bash_completes() {
    let script = loghost(["completions", "bash"]).end().exits(0).stdout;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("completions");
    fs::write(&file, script).expect("a file in a folder of ours");
    let complete = |words: &str, word: &str| {
        let ask = format!(
            "source {}; COMP_WORDS=(loghost {words} {word}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _loghost loghost '{word}'; echo ${{COMPREPLY[@]}}",
            file.display()
        );
        let output = Command::new("bash").args(["-c", &ask]).output().expect("bash");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    assert_eq!(complete("", "ver"), "verify");
    assert_eq!(complete("", "so"), "sources");
    assert_eq!(complete("sources", "--manage"), "--management-url");
    assert_eq!(complete("dead-letters", "re"), "replay");
    assert_eq!(complete("run", "--queue-t"), "--queue-type");
    assert_eq!(complete("publish", "--to"), "--to");
}

fn manual_pages() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("man1");
    loghost(["man"]).arg(&pages).end().exits(0).says("man1");
    let page =
        |name: &str| fs::read_to_string(pages.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(page("loghost.1").contains(".TH loghost"));
    let run = page("loghost-run.1");
    for part in ["\\-\\-queue\\-type", "[default: classic]", "loghost run plugins/error.wasm"] {
        assert!(run.contains(part), "no `{part}` in {run}");
    }
    page("loghost-dead-letters-replay.1");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file in a folder of ours");
    loghost(["man"]).arg(&file).end().exits(74).says("cannot write the manual pages into");
}

fn examples() {
    for help in ["-h", "--help"] {
        let help = loghost(["publish", help]).end().exits(0);
        help.prints("loghost publish --file scenarios/1.txt --to app --key \"{source}.{severity}\"");
    }
}
