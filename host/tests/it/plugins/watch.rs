//! `--watch` where a plugin's path leads through symbolic links and folders that are replaced.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Running, Signal};
use crate::support::guest::guest;
use crate::support::{Skip, TIMEOUT, link, needing};

/// How a file is replaced in a folder.
type Case = fn(&Path);

pub(crate) fn trials() -> Vec<Trial> {
    let cases: [(&str, Case); 8] = [
        ("a_config_map", a_config_map),
        ("current_is_a_link_to_a_folder", current_is_a_link_to_a_folder),
        ("a_link_is_replaced_twice_in_a_row", a_link_is_replaced_twice_in_a_row),
        ("a_chain_of_three", a_chain_of_three),
        ("folders_are_replaced", folders_are_replaced),
        ("a_pipe_takes_the_place_of_a_plugin", a_pipe_takes_the_place_of_a_plugin),
        ("a_plugin_is_written_again_and_again", a_plugin_is_written_again_and_again),
        ("a_link_leads_nowhere_for_a_while", a_link_leads_nowhere_for_a_while),
    ];
    let trial = |(name, case): (&str, Case)| {
        needing(format!("watch::{name}"), move || -> Result<(), Skip> {
            let folder = tempfile::tempdir().expect("a folder");
            case(folder.path());
            Ok(())
        })
    };
    cases.into_iter().map(trial).collect()
}

/// Writes this version of the plugin into a new folder.
fn release(folder: &Path, version: u32) {
    fs::create_dir_all(folder).expect("a folder in a folder of ours");
    guest("linked").version(&version.to_string()).write(folder);
}

fn watching(plugin: &Path) -> Running {
    let broker = Broker::new(Kind::Embedded).unwrap_or_else(|_| panic!("it is always there"));
    let run = broker.loghost(["run", "--watch"]).arg(plugin).start();
    run.says("consuming from");
    run
}

#[track_caller]
fn reloads(run: &Running, version: u32) {
    run.says(&format!("[linked] reloaded: version {version} ("));
}

#[track_caller]
fn ends(run: Running) {
    run.end_by(Signal::Terminate).exits(0).does_not_say("not reloaded");
}

/// As the kubelet replaces the contents of a volume.
fn a_config_map(folder: &Path) {
    let data = folder.join("..data");
    release(&folder.join("..2026_1"), 1);
    symlink("..2026_1", &data).expect("a folder of ours");
    symlink("..data/linked.wasm", folder.join("linked.wasm")).expect("a folder of ours");
    let run = watching(folder);
    for version in 2..5 {
        release(&folder.join(format!("..2026_{version}")), version);
        link(format!("..2026_{version}"), &data);
        fs::remove_dir_all(folder.join(format!("..2026_{}", version - 1))).expect("a folder of ours");
        reloads(&run, version);
    }
    ends(run);
}

/// Nobody writes to it: it is not read, and nothing waits for that.
fn a_pipe_takes_the_place_of_a_plugin(folder: &Path) {
    release(folder, 1);
    let (plugin, pipe) = (folder.join("linked.wasm"), folder.join("pipe"));
    let run = watching(&plugin);
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()), "a folder of ours");
    fs::rename(&pipe, &plugin).expect("a folder of ours");
    run.says("this is no file");
    fs::remove_file(&plugin).expect("a folder of ours");
    release(folder, 2);
    reloads(&run, 2);
    run.end_by(Signal::Terminate).exits(0);
}

/// It is loaded now and then all the same.
fn a_plugin_is_written_again_and_again(folder: &Path) {
    let (staging_folder, plugin) = (folder.join("place"), folder.join("linked.wasm"));
    release(&staging_folder, 1);
    fs::rename(staging_folder.join("linked.wasm"), &plugin).expect("a folder of ours");
    let run = watching(&plugin);
    let mut version = 1;
    let deadline = Instant::now() + TIMEOUT;
    while !run.stderr_so_far().contains("[linked] reloaded: version ") {
        assert!(Instant::now() < deadline, "{run}");
        version += 1;
        release(&staging_folder, version);
        fs::rename(staging_folder.join("linked.wasm"), &plugin).expect("a folder of ours");
        // The time between two writes is what is tested: shorter than the quiet that the watcher waits for.
        thread::sleep(Duration::from_millis(30));
    }
    reloads(&run, version);
    ends(run);
}

fn current_is_a_link_to_a_folder(folder: &Path) {
    let (current, releases) = (folder.join("current"), folder.join("releases"));
    for version in 1..4 {
        release(&releases.join(version.to_string()), version);
    }
    link("releases/1", &current);
    let run = watching(&current.join("linked.wasm"));
    link("releases/2", &current);
    reloads(&run, 2);
    // Absolute, and back.
    link(releases.join("3"), &current);
    reloads(&run, 3);
    release(&releases.join("3"), 4);
    reloads(&run, 4);
    link("releases/1", &current);
    reloads(&run, 1);
    ends(run);
}

fn a_link_is_replaced_twice_in_a_row(folder: &Path) {
    let current = folder.join("current");
    for version in 1..10 {
        release(&folder.join(version.to_string()), version);
    }
    link("1", &current);
    let run = watching(&current.join("linked.wasm"));
    for version in [2, 4, 6, 8] {
        link(version.to_string(), &current);
        link((version + 1).to_string(), &current);
        reloads(&run, version + 1);
    }
    ends(run);
}

/// Each of the links is replaced in turn, one of them absolute.
fn a_chain_of_three(folder: &Path) {
    let at = |name: &str| folder.join(name);
    for (n, version) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
        release(&at(n), version);
    }
    for name in ["links/first", "links/second"] {
        fs::create_dir_all(at(name)).expect("a folder in a folder of ours");
    }
    link("../a", &at("links/third"));
    link("../third/linked.wasm", &at("links/second/plugin"));
    link(at("links/second/plugin"), &at("links/first/linked.wasm"));
    let run = watching(&at("links/first/linked.wasm"));
    link(at("b"), &at("links/third"));
    reloads(&run, 2);
    link("../../c/linked.wasm", &at("links/second/plugin"));
    reloads(&run, 3);
    link("../../d/linked.wasm", &at("links/first/linked.wasm"));
    reloads(&run, 4);
    ends(run);
}

/// The folder that the file is in, and one above it.
fn folders_are_replaced(folder: &Path) {
    let at = |name: &str| folder.join(name);
    release(&at("app/plugins"), 1);
    release(&at("plugins-2"), 2);
    release(&at("app-3/plugins"), 3);
    let run = watching(&at("app/plugins/linked.wasm"));
    let replace = |new: &str, old: &str, away: &str| {
        fs::rename(at(old), at(away)).expect("a folder of ours");
        fs::rename(at(new), at(old)).expect("a folder of ours");
    };
    replace("plugins-2", "app/plugins", "plugins-1");
    reloads(&run, 2);
    replace("app-3", "app", "app-2");
    reloads(&run, 3);
    release(&at("app/plugins"), 4);
    reloads(&run, 4);
    // For the moment between the two renames there was no file.
    run.end_by(Signal::Terminate).exits(0);
}

fn a_link_leads_nowhere_for_a_while(folder: &Path) {
    let at = |name: &str| folder.join(name);
    release(&at("1"), 1);
    link("1", &at("current"));
    let run = watching(&at("current/linked.wasm"));
    link("2/in/here", &at("current"));
    run.says("[linked] not reloaded, the old one goes on");
    release(&at("made-2/in/here"), 2);
    fs::rename(at("made-2"), at("2")).expect("a folder of ours");
    reloads(&run, 2);
    run.end_by(Signal::Terminate).exits(0);
}
