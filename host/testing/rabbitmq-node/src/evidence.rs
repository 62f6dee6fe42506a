//! What a node leaves behind when the test that uses it fails: its log.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use crate::config::NodeConfig;

/// Copies the node's log to `target/rabbitmq-logs/NAME`, and says so on standard error.
pub(crate) fn keep_log(config: &NodeConfig) {
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target"), PathBuf::from);
    let name = config.name.split('@').next().unwrap_or_default();
    let copied = target.join("rabbitmq-logs").join(name);
    match copy(&config.folder.path().join("log"), &copied) {
        Ok(()) => {
            let copied = copied.canonicalize().unwrap_or(copied);
            eprintln!("the log of RabbitMQ ({}) is in {}", config.name, copied.display());
        }
        Err(error) => eprintln!("cannot copy the log of RabbitMQ to {}: {error}", copied.display()),
    }
}

/// Copies the files of a folder.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
