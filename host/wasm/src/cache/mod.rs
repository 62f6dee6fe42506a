//! The cache of compiled plugins.
//!
//! Cached code is run without validation. So the cache is used only in a folder that nobody but this user can write
//! to, and an entry only if its checksum, with a secret key in the same folder, shows that this host wrote it. In all
//! other cases plugins are compiled.

mod key;
mod trust;

use std::env;
use std::fs::{self, DirEntry, File, Metadata};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hmac::{Hmac, Mac};
use loghost_system::private;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use wasmtime::Engine;
use wasmtime::component::Component;

use self::key::Key;

/// The most bytes and entries; the oldest entries are evicted.
const MOST_BYTES: u64 = 512 * 1024 * 1024;
const MOST_ENTRIES: usize = 1000;

/// The length of the checksum at the start of an entry.
const CHECKSUM: usize = 32;

/// How the files of entries end.
const EXTENSION: &str = "compiled";

/// The cache of this user.
#[derive(Clone)]
pub(super) struct Cache {
    folder: PathBuf,
    key: Key,
}

impl Cache {
    /// Opens the user's cache, which is created if it is missing; none if it cannot be trusted.
    pub(super) fn open() -> Option<Self> {
        let folder = folder()?;
        private::create_folders(&folder).ok()?;
        let folder = trust::folder(&folder)?;
        let key = Key::of(&folder).ok()?;
        Some(Self { folder, key })
    }

    /// The component `bytes`, compiled for `engine` now or earlier.
    pub(super) fn compile(&self, engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Component> {
        let name = name(engine, bytes);
        let path = self.folder.join(&name).with_extension(EXTENSION);
        if let Some(compiled) = self.read(&path, &name)
            && let Some(component) = load(engine, &compiled)
        {
            return Ok(component);
        }
        let component = Component::from_binary(engine, bytes)?;
        // If it cannot be stored, it is compiled again next time.
        let _ = component.serialize().map(|compiled| self.write(&path, &name, &compiled));
        Ok(component)
    }

    /// The entry `name`, if this host wrote it and it is unchanged.
    fn read(&self, path: &Path, name: &str) -> Option<Compiled> {
        let mut file = trust::file(path)?;
        let mut checksum = [0; CHECKSUM];
        file.read_exact(&mut checksum).ok()?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
        self.checksum(name, &bytes).verify_slice(&checksum).ok()?;
        Some(Compiled(bytes))
    }

    fn write(&self, path: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
        let unfinished = self.folder.join(Uuid::new_v4().simple().to_string()).with_extension(EXTENSION);
        let checksum = self.checksum(name, bytes).finalize().into_bytes();
        let write = |mut file: File| file.write_all(&checksum).and_then(|()| file.write_all(bytes));
        let written = private::create_new(&unfinished).and_then(write);
        if let Err(error) = written.and_then(|()| fs::rename(&unfinished, path)) {
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
        self.evict(MOST_BYTES, MOST_ENTRIES)
    }

    /// Covers the name as well, so that no entry can be renamed to another.
    fn checksum(&self, name: &str, bytes: &[u8]) -> Hmac<Sha256> {
        let mut checksum = self.key.checksum();
        checksum.update(name.as_bytes());
        checksum.update(bytes);
        checksum
    }

    /// Removes the oldest entries until both limits hold; also the temporary files of hosts that were killed.
    fn evict(&self, most_bytes: u64, most_entries: usize) -> io::Result<()> {
        let entries = fs::read_dir(&self.folder)?.filter_map(|found| entry(&found.ok()?));
        let mut entries: Vec<(SystemTime, u64, PathBuf)> = entries.collect();
        entries.sort_unstable();
        let mut bytes: u64 = entries.iter().map(|(_, length, _)| length).sum();
        for (n, (_, length, path)) in entries.iter().enumerate() {
            if bytes <= most_bytes && entries.len() - n <= most_entries {
                break;
            }
            // Another process may have removed it.
            let _ = fs::remove_file(path);
            bytes -= length;
        }
        Ok(())
    }
}

/// A compiled component that this host wrote.
struct Compiled(Vec<u8>);

/// The component; none if it is for another engine after all.
#[expect(unsafe_code, reason = "the one way to load compiled code")]
fn load(engine: &Engine, Compiled(bytes): &Compiled) -> Option<Component> {
    // SAFETY: these bytes are what `Component::serialize` gave this user's host: the checksum over all of them has a
    // key that nobody else can read.
    unsafe { Component::deserialize(engine, bytes) }.ok()
}

/// What the component is called, compiled for this engine.
fn name(engine: &Engine, bytes: &[u8]) -> String {
    let mut digest = DigestHasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut digest);
    let DigestHasher(mut digest) = digest;
    digest.update(bytes);
    super::plugin::hexadecimal(&digest.finalize())
}

/// A `Hasher` that feeds a digest.
struct DigestHasher(Sha256);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest itself is the result.
    fn finish(&self) -> u64 {
        0
    }
}

/// When it was written, how long it is, and where it is.
fn entry(found: &DirEntry) -> Option<(SystemTime, u64, PathBuf)> {
    let path = found.path();
    let metadata: Metadata = found.metadata().ok().filter(Metadata::is_file)?;
    path.extension().filter(|extension| *extension == EXTENSION)?;
    Some((metadata.modified().ok()?, metadata.len(), path))
}

/// `$XDG_CACHE_HOME/loghost`, or `~/.cache/loghost` (XDG Base Directory Specification).
fn folder() -> Option<PathBuf> {
    let given = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = given.or_else(|| Some(env::home_dir()?.join(".cache")))?;
    Some(caches.join("loghost")).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_compiled_first_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache { folder: folder.path().to_owned(), key: Key::of(folder.path()).unwrap() };
        let path = |name: &str| folder.path().join(name).with_extension(EXTENSION);
        for (n, name) in ["c", "a", "b"].into_iter().enumerate() {
            cache.write(&path(name), name, &[0; 1000]).unwrap();
            let written = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(n as u64);
            File::options().write(true).open(path(name)).unwrap().set_modified(written).unwrap();
        }
        let exist = || ["c", "a", "b"].map(|name| path(name).exists());
        cache.evict(4000, 3).unwrap();
        assert_eq!(exist(), [true, true, true]);
        cache.evict(4000, 2).unwrap();
        assert_eq!(exist(), [false, true, true]);
        cache.evict(1500, 2).unwrap();
        assert_eq!(exist(), [false, false, true]);
        assert!(cache.read(&path("b"), "b").is_some(), "the key stays");
        assert!(cache.read(&path("b"), "c").is_none(), "it is another's");
    }
}
