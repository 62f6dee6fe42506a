//! `run --listen`: what a run shows over HTTP, to whom, and that nobody who asks is a hindrance.

mod control;
mod documented;
mod guarded;
mod malformed;
mod page;
mod prometheus;
mod schema;
mod shown;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use libtest_mimic::Trial;
use tempfile::TempDir;

pub(crate) fn trials() -> Vec<Trial> {
    [
        shown::trials(),
        guarded::trials(),
        malformed::trials(),
        control::trials(),
        page::trials(),
        prometheus::trials(),
        documented::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const LISTEN: [&str; 3] = ["run", "--listen", "127.0.0.1:0"];
const PUBLISH: [&str; 5] = ["publish", "--stdin", "--severity", "error", "--require-route"];
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A file with this text, for its owner or for more.
pub(crate) fn token_file(text: &str, mode: u32) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    fs::write(&file, text).expect("a file in a folder of ours");
    fs::set_permissions(&file, Permissions::from_mode(mode)).expect("a file of ours");
    (folder, file)
}
