//! Secrets in files: also those that systemd hands to a service.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use loghost_core::domain::printable_line;
use loghost_system::private::read_secret;

use crate::compose::failure::{Failure, Status};
use crate::compose::running::listen::advised;

/// Where systemd puts the credentials of a service.
const FOLDER: &str = "CREDENTIALS_DIRECTORY";

/// The file that a relative `path` in a configuration file in `folder` names: a credential of the service, if there is one
/// of this name.
pub(in crate::cli) fn path(folder: &Path, path: impl AsRef<Path>) -> PathBuf {
    let credential = env::var_os(FOLDER).map(|credentials| Path::new(&credentials).join(path.as_ref()));
    credential.filter(|path| path.is_file()).unwrap_or_else(|| folder.join(path))
}

/// The text in the file of a secret of at most `most` bytes, which nobody else may read; without a line end behind it.
pub(in crate::cli) fn read(path: &Path, most: u64) -> Result<String, Failure> {
    let wrong = |error: anyhow::Error| {
        Failure::of(
            Status::BadConfiguration,
            error.context(printable_line(&path.to_string_lossy()).into_owned()),
        )
    };
    let bytes = read_secret(path, most).map_err(|error| wrong(advised(error, path, Some("cat"))))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong(anyhow!("this is not UTF-8")))?;
    Ok(text.strip_suffix('\n').map_or(text.as_str(), |line| line.trim_end_matches('\r')).to_owned())
}
