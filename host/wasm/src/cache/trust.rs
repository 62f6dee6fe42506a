//! Whether a file or folder can have been written by this user only.

use std::fs::{self, File, Metadata};
use std::path::{Path, PathBuf};

/// The real path of a folder that only this user can write to or replace; none of any other.
#[cfg(unix)]
pub(super) fn folder(path: &Path) -> Option<PathBuf> {
    // From here on no link is followed.
    let path = fs::canonicalize(path).ok()?;
    let found = fs::symlink_metadata(&path).ok().filter(|found| found.is_dir() && is_ours(found))?;
    let above = path.ancestors().skip(1);
    let safe =
        above.map(fs::symlink_metadata).all(|above| above.is_ok_and(|above| keeps_what_is_ours(&above)));
    if !safe || is_open_to_others(&found) {
        return None;
    }
    narrow(&path, &found)?;
    Some(path)
}

/// Opens a file that only this user can read and write; never through a link.
#[cfg(unix)]
pub(super) fn file(path: &Path) -> Option<File> {
    let ours = |found: &Metadata| found.is_file() && is_ours(found) && !is_known_to_others(found);
    fs::symlink_metadata(path).ok().filter(ours)?;
    let file = File::open(path).ok()?;
    file.metadata().is_ok_and(|found| ours(&found)).then_some(file)
}

#[cfg(unix)]
fn is_ours(found: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(found) == loghost_system::private::user()
}

/// Whether others can write. Access control lists show in the group's part.
#[cfg(unix)]
fn is_open_to_others(found: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(found) & 0o022 != 0
}

/// Whether others can read or write.
#[cfg(unix)]
fn is_known_to_others(found: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(found) & 0o077 != 0
}

/// Whether others cannot replace this user's entries of a folder.
#[cfg(unix)]
fn keeps_what_is_ours(folder: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    let system = folder.uid() == 0;
    // Where everybody can write, as in /tmp, this bit lets only the owner remove or rename something.
    let sticky = folder.mode() & 0o1000 != 0;
    (system || is_ours(folder)) && (!is_open_to_others(folder) || (system && sticky))
}

/// Makes it unreadable for others as well.
#[cfg(unix)]
fn narrow(path: &Path, found: &Metadata) -> Option<()> {
    use std::os::unix::fs::PermissionsExt;
    if is_known_to_others(found) {
        fs::set_permissions(path, PermissionsExt::from_mode(0o700)).ok()?;
    }
    Some(())
}

/// On other systems it is not known who can write.
#[cfg(not(unix))]
pub(super) fn folder(_: &Path) -> Option<PathBuf> {
    None
}

#[cfg(not(unix))]
pub(super) fn file(_: &Path) -> Option<File> {
    None
}
