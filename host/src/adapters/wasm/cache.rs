//! Where compiled plugins are kept from one start to the next.

use std::env;
use std::fs::{self, DirBuilder, Metadata};
use std::path::PathBuf;

use wasmtime::{Cache, CacheConfig};

/// Opens the user's cache. What is in it is run as it is, so it has to be a folder that nobody else can
/// write to; without one, plugins are compiled at each start.
pub(super) fn open() -> Option<Cache> {
    let folder = folder()?;
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    private(&mut builder);
    builder.create(&folder).ok()?;
    if !is_private(&fs::metadata(&folder).ok()?) {
        return None;
    }
    let mut config = CacheConfig::new();
    config.with_directory(folder);
    Cache::new(config).ok()
}

/// `$XDG_CACHE_HOME/loghost`, or `~/.cache/loghost` (XDG Base Directory Specification).
fn folder() -> Option<PathBuf> {
    let given = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = given.or_else(|| Some(env::home_dir()?.join(".cache")))?;
    Some(caches.join("loghost")).filter(|path| path.is_absolute())
}

#[cfg(unix)]
fn private(builder: &mut DirBuilder) {
    std::os::unix::fs::DirBuilderExt::mode(builder, 0o700);
}

#[cfg(unix)]
fn is_private(folder: &Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&folder.permissions()) & 0o022 == 0
}

#[cfg(not(unix))]
fn private(_: &mut DirBuilder) {}

#[cfg(not(unix))]
fn is_private(_: &Metadata) -> bool {
    true
}
