//! The cache of compiled plugins: used, not trusted where others can write, and never the cause of a failure.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

use crate::support::cli::{Loghost, Output, loghost};
use crate::support::guest::guest;
use crate::support::{self, Need, Skip, is_root, modes, needing, test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        test("cache::keeps_what_was_compiled", keeps_what_was_compiled),
        test("cache::is_for_its_owner_alone", is_for_its_owner_alone),
        test("cache::leaves_alone_what_others_can_write", leaves_alone_what_others_can_write),
        needing("cache::leaves_alone_what_is_somebody_elses", leaves_alone_what_is_somebody_elses),
        test("cache::is_done_without_where_there_is_none", is_done_without_where_there_is_none),
        test("cache::runs_nothing_that_is_damaged", || runs_nothing_that_is_damaged(40)),
        support::long("cache::runs_nothing_that_is_damaged", || {
            runs_nothing_that_is_damaged(1000);
            Ok(())
        }),
        test("cache::runs_nothing_under_anothers_name", runs_nothing_under_anothers_name),
    ]
}

/// A host that loads a plugin, with its caches in `folder`.
fn loading(folder: &Path, plugin: &Path) -> Loghost {
    loghost(["plugin", "inspect"]).arg(plugin).env("XDG_CACHE_HOME", folder)
}

#[track_caller]
fn load(folder: &Path) -> Output {
    loading(folder, &tracked("plugins/error.wasm")).end().exits(0).does_not_say("panicked")
}

/// The compiled plugins in the cache.
fn compiled(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("loghost")).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "compiled"))
        .collect()
}

#[track_caller]
fn only(folder: &Path) -> PathBuf {
    let compiled = compiled(folder);
    let [compiled] = compiled.try_into().expect("one entry");
    compiled
}

fn open_up(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a file of ours");
}

fn keeps_what_was_compiled() {
    let folder = tempfile::tempdir().unwrap();
    load(folder.path());
    let compiled = only(folder.path());
    // What cannot be used is compiled again, and what can is not written again.
    let written = || fs::metadata(&compiled).unwrap().modified().unwrap();
    let before = written();
    load(folder.path());
    assert_eq!(written(), before, "it was there");
    fs::write(&compiled, "no code").unwrap();
    load(folder.path());
    assert_ne!(fs::read(&compiled).unwrap(), b"no code", "it was made again");

    // With another key, no entry is valid.
    let key = folder.path().join("loghost/key");
    for damage in [&b""[..], b"short", &[0; 100]] {
        fs::write(&key, damage).unwrap();
        let before = written();
        load(folder.path());
        assert_ne!(written(), before, "it was made again");
        assert_eq!(fs::read(&key).unwrap().len(), 64);
    }
    let before = written();
    open_up(&key, 0o644);
    load(folder.path());
    assert_ne!(written(), before, "others may have read the key");
}

fn is_for_its_owner_alone() {
    for umask in ["000", "077", "777"] {
        let folder = tempfile::tempdir().unwrap();
        let caches = folder.path().join("new/caches");
        let load = || {
            let loading = loading(&caches, &tracked("plugins/error.wasm")).after(&format!("umask {umask}"));
            loading.end().exits(0);
        };
        load();
        assert_eq!(modes(folder.path()), [("new".to_owned(), 0o700)], "umask {umask}");
        assert_eq!(modes(&caches), [("loghost".to_owned(), 0o700)], "umask {umask}");
        let files = modes(&caches.join("loghost"));
        assert!(files.len() == 2 && files.iter().all(|(_, mode)| *mode == 0o600), "umask {umask}: {files:?}");
        // Others can read the folder.
        open_up(&caches.join("loghost"), 0o755);
        load();
        assert_eq!(modes(&caches), [("loghost".to_owned(), 0o700)], "umask {umask}");
    }
}

/// The folder itself, any above it, or an entry; also behind a link.
fn leaves_alone_what_others_can_write() {
    let folder = tempfile::tempdir().unwrap();
    let above = folder.path().join("above");
    let caches = above.join("caches");
    fs::create_dir_all(&caches).unwrap();
    let link = folder.path().join("link");
    symlink(&caches, &link).unwrap();
    let ours = caches.join("loghost");
    for open in [&ours, &caches, &above] {
        for (mode, caches) in [(0o777, &caches), (0o770, &caches), (0o720, &link), (0o1777, &link)] {
            let _ = fs::remove_dir_all(&ours);
            fs::create_dir(&ours).unwrap();
            let before = fs::metadata(open).unwrap().permissions();
            open_up(open, mode);
            load(caches);
            // Others cannot replace entries of root's sticky folders.
            let safe = mode == 0o1777 && open != &ours && is_root();
            assert_eq!(compiled(caches).is_empty(), !safe, "{} {mode:o}", open.display());
            fs::set_permissions(open, before).unwrap();
        }
    }
    let _ = fs::remove_dir_all(&ours);
    load(&caches);
    let compiled = only(&caches);
    // An entry that others could have written is made again, and so is one that is a link.
    let good = fs::read(&compiled).unwrap();
    open_up(&compiled, 0o666);
    load(&caches);
    assert_eq!(fs::metadata(&compiled).unwrap().permissions().mode() & 0o777, 0o600);
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, good).unwrap();
    open_up(&elsewhere, 0o600);
    fs::remove_file(&compiled).unwrap();
    symlink(&elsewhere, &compiled).unwrap();
    load(&caches);
    assert!(fs::symlink_metadata(&compiled).unwrap().is_file(), "the link has been replaced");
}

/// A folder, one above it, or an entry that belongs to another user, who wrote it as if it were ours.
fn leaves_alone_what_is_somebody_elses() -> Result<(), Skip> {
    if !is_root() {
        return Err(Skip::new(Need::Root, "only root can give a file to somebody else"));
    }
    let folder = tempfile::tempdir().unwrap();
    let above = folder.path().join("above");
    let caches = above.join("caches");
    fs::create_dir_all(&caches).unwrap();
    load(&caches);
    let compiled = only(&caches);
    let key = caches.join("loghost/key");
    for path in [&above, &caches, &caches.join("loghost")] {
        fs::write(&compiled, "not theirs").unwrap();
        chown(path, Some(1), Some(1)).unwrap();
        load(&caches);
        assert_eq!(fs::read(&compiled).unwrap(), b"not theirs", "{} was used", path.display());
        chown(path, Some(0), Some(0)).unwrap();
    }
    load(&caches);
    for path in [&compiled, &key] {
        chown(path, Some(1), Some(1)).unwrap();
        load(&caches);
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&fs::metadata(path).unwrap()), 0, "it was made again");
    }
    Ok(())
}

fn is_done_without_where_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("loghost"), "a file").unwrap();
    load(folder.path());
    // A folder where an entry, or the key, should be.
    for name in [None, Some("loghost/key")] {
        let folder = tempfile::tempdir().unwrap();
        load(folder.path());
        let path = name.map_or_else(|| only(folder.path()), |name| folder.path().join(name));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        load(folder.path());
    }
}

/// A byte at regular intervals is changed: the process does not crash, its output is the same, and the entry is
/// written again.
fn runs_nothing_that_is_damaged(positions: usize) {
    let folder = tempfile::tempdir().unwrap();
    let as_always = load(folder.path()).stdout;
    let compiled = only(folder.path());
    let whole = fs::read(&compiled).unwrap();
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let step = whole.len() / positions;
    for at in (0..whole.len()).step_by(step) {
        let at = (at + random.usize(..step)).min(whole.len() - 1);
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << random.u8(..8);
        if random.u8(..10) == 0 {
            bytes.truncate(at);
        }
        fs::write(&compiled, &bytes).unwrap();
        let output = load(folder.path());
        assert_eq!(output.stdout, as_always, "byte {at}, seed {seed}");
        assert!(fs::read(&compiled).unwrap() == whole, "byte {at}, seed {seed}: it was not written again");
    }
}

/// Intact entries, each under the name of another.
fn runs_nothing_under_anothers_name() {
    let folder = tempfile::tempdir().unwrap();
    load(folder.path());
    let first = only(folder.path());
    let plugin = guest("another").write(folder.path());
    let as_always = loading(folder.path(), &plugin).end().exits(0).stdout;
    let second = compiled(folder.path()).into_iter().find(|path| *path != first).expect("two entries");
    fs::copy(&first, &second).unwrap();
    assert_eq!(loading(folder.path(), &plugin).end().exits(0).stdout, as_always);
    assert!(fs::read(&first).unwrap() != fs::read(&second).unwrap(), "it was made again");
}
