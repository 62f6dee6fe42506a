//! The key of a cache's checksums: random, in a file of its own, for nobody else to read.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use hmac::{Hmac, KeyInit};
use loghost_system::private;
use sha2::Sha256;
use uuid::Uuid;

use super::trust;

const NAME: &str = "key";
/// A block of SHA-256: as long as a key can be.
const LENGTH: usize = 64;

/// What only this user knows.
#[derive(Clone)]
pub(super) struct Key([u8; LENGTH]);

impl Key {
    /// The key in `folder`, which is made if there is none that can be used.
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
        // It may have no such name any more.
        let _ = fs::remove_file(&unfinished);
        made?;
        // Somebody else may have been faster, and there is only one.
        read(&path).ok_or_else(|| ErrorKind::InvalidData.into())
    }

    /// A checksum of nothing as yet.
    pub(super) fn checksum(&self) -> Hmac<Sha256> {
        Hmac::new(&self.0.into())
    }
}

fn read(path: &Path) -> Option<Key> {
    let mut key = Vec::new();
    trust::file(path)?.take(LENGTH as u64 + 1).read_to_end(&mut key).ok()?;
    key.try_into().ok().map(Key)
}

/// Gives a key its name, unless there is one that can be used by now.
fn put(unfinished: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(unfinished, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        // If it is damaged, or others can read it: with another one, all entries are made again.
        Err(_) if read(path).is_none() => fs::rename(unfinished, path),
        _ => Ok(()),
    }
}
