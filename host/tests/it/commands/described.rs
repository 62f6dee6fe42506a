//! What is made of the description of the command line: completions of a shell, manual pages, examples.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::support::cli::loghost;
use crate::support::terminal::Terminal;
use crate::support::{Need, Skip, needing, test};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        test("described::bash_completes", bash_completes),
        needing("described::fish_completes", fish_completes),
        needing("described::zsh_completes", zsh_completes),
        test("described::manual_pages", manual_pages),
        test("described::examples", examples),
        test("described::each_command_has_examples", each_command_has_examples),
    ]
}

/// What is typed behind `loghost`, and what a shell makes of its last word when somebody presses the tabulator.
const COMPLETED: [(&str, &str); 5] = [
    ("ver", "verify"),
    ("so", "sources"),
    ("sources --manage", "--management-url"),
    ("dead-letters rep", "replay"),
    ("run --queue-t", "--queue-type"),
];

/// The script for a shell, in a file.
fn script(shell: &str) -> (TempDir, PathBuf) {
    let script = loghost(["completions", shell]).end().exits(0).stdout;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("completions");
    fs::write(&file, script).expect("a file in a folder of ours");
    (folder, file)
}

/// What a shell prints that runs this; none if it is not installed.
fn printed(shell: &str, run: &str) -> Option<String> {
    let output = Command::new(shell).args(["-c", run]).output().ok()?;
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).expect("text").trim().to_owned())
}

/// A real bash, which asks the script as it does when somebody presses the tabulator.
fn bash_completes() {
    let (_folder, file) = script("bash");
    for (words, completed) in COMPLETED {
        let (before, word) = words.rsplit_once(' ').unwrap_or(("", words));
        let ask = format!(
            "source {}; COMP_WORDS=(loghost {before} {word}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _loghost loghost '{word}'; echo ${{COMPREPLY[@]}}",
            file.display()
        );
        assert_eq!(printed("bash", &ask).as_deref(), Some(completed), "{words}");
    }
}

/// A real fish, which says what it would complete, with a tab and what that is behind each.
fn fish_completes() -> Result<(), Skip> {
    let (_folder, file) = script("fish");
    for (words, completed) in COMPLETED {
        let ask = format!("source {}; complete --do-complete 'loghost {words}'", file.display());
        let candidates = printed("fish", &ask).ok_or_else(|| missing("fish"))?;
        let names: Vec<&str> = candidates.lines().filter_map(|line| line.split('\t').next()).collect();
        assert_eq!(names, [completed], "{words}: {candidates}");
    }
    Ok(())
}

/// A real zsh on a terminal, at which somebody presses the tabulator.
fn zsh_completes() -> Result<(), Skip> {
    printed("zsh", "true").ok_or_else(|| missing("zsh"))?;
    let (folder, file) = script("zsh");
    let mut zsh = Command::new("zsh");
    // Without what this user has set up, and with a home that has nothing.
    zsh.args(["-f", "-i"]).env("PS1", "shell> ").env("TERM", "xterm-256color").env("HOME", folder.path());
    let mut terminal = Terminal::start(&zsh, "zsh".to_owned(), (100, 40));
    terminal.shows("shell> ");
    terminal.press(&format!("autoload -U compinit; compinit -u -D; source {}\r", file.display()));
    for (words, completed) in COMPLETED {
        let before = words.rsplit_once(' ').map_or(String::new(), |(before, _)| format!("{before} "));
        let whole = format!("loghost {before}{completed}");
        terminal.press(&format!("loghost {words}\t"));
        terminal.shows(&whole);
        // The next line begins anew.
        terminal.press("\x15");
        terminal.shows_no_longer(&whole);
    }
    Ok(())
}

fn missing(shell: &str) -> Skip {
    Skip::new(Need::Shells, format!("{shell} is not installed: apt-get install {shell}"))
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

/// In its help; one that has commands beneath it may leave it to those.
fn each_command_has_examples() {
    let (mut left, mut commands) = (vec![Vec::<String>::new()], 0);
    while let Some(path) = left.pop() {
        let help = loghost(&path).arg("--help").end().exits(0).stdout;
        let beneath: Vec<&str> = help.split_once("\nCommands:\n").map_or(Vec::new(), |(_, rest)| {
            let names = rest.lines().take_while(|line| !line.is_empty());
            let is_name = |line: &&str| line.strip_prefix("  ").is_some_and(|line| !line.starts_with(' '));
            names.filter(is_name).filter_map(|line| line.split_whitespace().next()).collect()
        });
        let beneath: Vec<&str> = beneath.into_iter().filter(|name| *name != "help").collect();
        let command = path.iter().fold("loghost".to_owned(), |command, word| format!("{command} {word}"));
        let has_one = help.split_once("\nExamples:\n").is_some_and(|(_, lines)| lines.contains(&command));
        assert!(has_one || !beneath.is_empty(), "{command}: {help}");
        commands += usize::from(beneath.is_empty());
        left.extend(beneath.into_iter().map(|name| path.iter().cloned().chain([name.to_owned()]).collect()));
    }
    assert!(commands > 20, "{commands}");
}
