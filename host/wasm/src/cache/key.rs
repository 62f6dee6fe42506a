//! The key of a cache's checksums: random, in a file that only this user can read.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use hmac::{Hmac, KeyInit};
use loghost_system::private;
use sha2::Sha256;
use uuid::Uuid;

use super::trust;

const NAME: &str = "key";
/// A block of SHA-256: the longest useful key.
const LENGTH: usize = 64;

/// The secret key.
#[derive(Clone)]
pub(super) struct Key([u8; LENGTH]);

impl Key {
    /// The key in `folder`, which is created if there is no usable one.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let path = folder.join(NAME);
        if let Some(key) = read(&path) {
            return Ok(key);
        }
        let mut key = [0; LENGTH];
        getrandom::fill(&mut key)?;
        let unfinished = folder.join(format!("{NAME}.{}", Uuid::new_v4().simple()));
        let made = private::create_new(&unfinished)
            .and_then(|mut file| file.write_all(&key))
            .and_then(|()| put(&unfinished, &path));
        // It may have been renamed.
        let _ = fs::remove_file(&unfinished);
        made?;
        // Another process may have created one first: that one is used.
        read(&path).ok_or_else(|| ErrorKind::InvalidData.into())
    }

    /// A new, empty checksum.
    pub(super) fn checksum(&self) -> Hmac<Sha256> {
        Hmac::new(&self.0.into())
    }
}

fn read(path: &Path) -> Option<Key> {
    let mut key = Vec::new();
    trust::file(path)?.take(LENGTH as u64 + 1).read_to_end(&mut key).ok()?;
    key.try_into().ok().map(Key)
}

/// Renames a new key, unless there is a usable one by now.
fn put(unfinished: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(unfinished, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        // One that is damaged or readable by others is replaced; the entries are then compiled again.
        Err(_) if read(path).is_none() => fs::rename(unfinished, path),
        _ => Ok(()),
    }
}
