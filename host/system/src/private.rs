//! Files and folders that only their owner may read or write, whatever the umask says.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Creates a folder and its parents, as far as they are missing. Those that exist are not changed.
pub fn create_folders(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        create_folders(above)?;
    }
    match create_folder(path) {
        // Another process has created it meanwhile.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        created => created,
    }
}

/// Creates a file that must not exist, to be read and written.
pub fn create_new(path: &Path) -> io::Result<File> {
    create(OpenOptions::new().read(true).write(true).create_new(true), path)
}

/// Opens a file to be read and written, and creates it if it does not exist.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        opened => return opened.inspect(narrow),
    }
    // Not by `create_new`: two processes may create it at the same time, and both must be able to open it.
    create(OpenOptions::new().read(true).write(true).create(true).truncate(false), path)
}

/// A file that a secret cannot be read from.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read.
    #[error("cannot read it")]
    Unreadable(#[source] io::Error),
    /// It is a folder, or something else.
    #[error("it is not a file")]
    NoFile,
    /// Whoever is neither its owner nor of its group may read it, or somebody else than its owner may change it.
    #[error("others may read or change it (mode {0:03o})")]
    Known(u32),
    /// It is longer than any secret of this kind.
    #[error("it has more than {0} bytes")]
    Long(u64),
}

impl SecretError {
    /// What to do about it, if that can be told, as commands of a shell for the file at `path`; `write` is one that prints such a
    /// secret, if that can be.
    pub fn advice(&self, path: &Path, write: Option<&str>) -> Option<String> {
        let file = shell_word(path);
        match self {
            Self::Unreadable(error) if error.kind() == ErrorKind::NotFound => {
                write.map(|write| format!("make it, for its owner alone: (umask 077; {write} > {file})"))
            }
            Self::Unreadable(error) if error.kind() == ErrorKind::PermissionDenied => Some(format!(
                "who runs this must be its owner or of its group: chown USER {file}; chmod 600 {file}"
            )),
            Self::Known(_) => Some(format!("chmod 600 {file}")),
            _ => None,
        }
    }
}

/// The path as a word of a shell; `FILE` if that would not be readable.
fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@%".contains(c);
    match &*text {
        plain if !plain.is_empty() && plain.chars().all(is_plain) => plain.to_owned(),
        odd if odd.chars().any(|c| c.is_control() || c == '\'' || c == '\u{fffd}') => "FILE".to_owned(),
        spaced => format!("'{spaced}'"),
    }
}

/// Reads a secret of at most `most` bytes from a file that is for its owner, and for its group to read.
pub fn read_secret(path: &Path, most: u64) -> Result<Vec<u8>, SecretError> {
    // Opening something else could wait for ever.
    if !path.metadata().map_err(SecretError::Unreadable)?.is_file() {
        return Err(SecretError::NoFile);
    }
    let file = File::open(path).map_err(SecretError::Unreadable)?;
    let found = file.metadata().map_err(SecretError::Unreadable)?;
    if !found.is_file() {
        return Err(SecretError::NoFile);
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&found) & 0o777;
        if mode & 0o027 != 0 {
            return Err(SecretError::Known(mode));
        }
    }
    let mut secret = Vec::new();
    file.take(most + 1).read_to_end(&mut secret).map_err(SecretError::Unreadable)?;
    if secret.len() as u64 > most { Err(SecretError::Long(most)) } else { Ok(secret) }
}

#[cfg(unix)]
fn create_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    DirBuilder::new().mode(0o700).create(path)?;
    // The umask may remove permissions of the owner.
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o700))
}

#[cfg(unix)]
fn create(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let file = options.mode(0o600).open(path)?;
    file.set_permissions(PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

/// Removes the permissions of others from a file that an earlier version has made. If that is not possible, the file is used
/// all the same.
#[cfg(unix)]
pub fn narrow(file: &File) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let Ok(found) = file.metadata() else { return };
    if found.is_file() && found.uid() == user() && found.mode() & 0o077 != 0 {
        let _ = file.set_permissions(PermissionsExt::from_mode(found.mode() & 0o700));
    }
}

/// The user of this process.
#[cfg(unix)]
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().create(path)
}

#[cfg(not(unix))]
fn create(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.open(path)
}

#[cfg(not(unix))]
pub fn narrow(_: &File) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_can_be_typed() {
        let advice = |kind: ErrorKind, path: &str| {
            SecretError::Unreadable(kind.into()).advice(Path::new(path), Some("openssl rand -hex 32"))
        };
        let missing = |path| advice(ErrorKind::NotFound, path).unwrap_or_default();
        assert!(missing("/etc/token").ends_with("(umask 077; openssl rand -hex 32 > /etc/token)"));
        assert!(missing("my token").ends_with(" > 'my token')"));
        for odd in ["it's", "a\u{1b}[2J", "a\nb"] {
            assert!(missing(odd).ends_with(" > FILE)"), "{odd}");
        }
        let denied = advice(ErrorKind::PermissionDenied, "token").unwrap_or_default();
        assert!(denied.ends_with("chown USER token; chmod 600 token"), "{denied}");
        assert_eq!(advice(ErrorKind::Interrupted, "token"), None);
        assert_eq!(SecretError::NoFile.advice(Path::new("/etc"), Some("cat")), None);
    }
}
