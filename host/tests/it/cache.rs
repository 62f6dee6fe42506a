//! The cache of compiled plugins: used, never trusted where others can write, and never in the way.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind};
use crate::support::cli::Output;
use crate::support::{test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        test("cache::keeps_what_was_compiled", keeps_what_was_compiled),
        test("cache::leaves_alone_what_others_can_write", leaves_alone_what_others_can_write),
        test("cache::is_done_without_where_there_is_none", is_done_without_where_there_is_none),
    ]
}

/// A host that loads a plugin, with its caches in `folder`.
#[track_caller]
fn load(folder: &Path) -> Output {
    let broker = Broker::new(Kind::Embedded).unwrap_or_else(|_| panic!("no embedded broker"));
    let declare = broker.loghost(["run", "--declare-only"]).env("XDG_CACHE_HOME", folder);
    declare.arg(tracked("plugins/error.wasm")).end().exits(0)
}

/// The compiled plugins in the cache.
fn compiled(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.join("loghost")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.path().extension().is_none() {
                found.push(entry.path());
            }
        }
    }
    found
}

fn keeps_what_was_compiled() {
    let folder = tempfile::tempdir().unwrap();
    load(folder.path());
    let kept = compiled(folder.path());
    assert_eq!(kept.len(), 1, "{kept:?}");
    let mode = fs::metadata(folder.path().join("loghost")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "nobody else's business: {mode:o}");

    // What cannot be read is compiled again, and what can is not written again.
    let written = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let before = written(&kept[0]);
    load(folder.path());
    assert_eq!(written(&kept[0]), before, "it was there");
    fs::write(&kept[0], "no code").unwrap();
    load(folder.path());
    assert_ne!(fs::read(&kept[0]).unwrap(), b"no code", "it was made again");
}

fn leaves_alone_what_others_can_write() {
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join("loghost");
    fs::create_dir(&ours).unwrap();
    fs::set_permissions(&ours, Permissions::from_mode(0o777)).unwrap();
    load(folder.path());
    assert_eq!(fs::read_dir(&ours).unwrap().count(), 0, "nothing is kept there");
}

fn is_done_without_where_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("loghost"), "a file").unwrap();
    load(folder.path());
}
