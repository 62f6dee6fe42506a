//! The Rust that is installed: which cargo and which rustc, and what they have.

use std::{
    env::{self, consts::EXE_SUFFIX},
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use thiserror::Error;

/// The target that plugins are compiled for: it has no system interface, so they import none.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// What is wrong with the Rust that is installed.
#[derive(Debug, Error)]
pub(crate) enum RustError {
    /// The program is not there, or cannot be started.
    #[error("cannot start `{program}`: building a plugin needs Rust, see https://rustup.rs")]
    Start {
        /// The name or path that was tried.
        program: String,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// A question to cargo or rustc failed.
    #[error("`{command}` failed: {said}")]
    Query {
        /// The command.
        command: String,
        /// What it wrote to standard error.
        said: String,
    },
    /// Rust is there, the target is not.
    #[error("the target {TARGET} is not installed: run `rustup target add {TARGET}`")]
    TargetMissing,
}

/// Cargo and rustc as seen from a folder, which may ask for a toolchain of its own.
pub(super) struct Rust {
    cargo: OsString,
    rustc: OsString,
    folder: PathBuf,
}

impl Rust {
    /// Takes what the environment names (`CARGO`, `RUSTC`), or else what the path has.
    pub(super) fn seen_from(folder: &Path) -> Self {
        let cargo = env::var_os("CARGO").filter(|cargo| !cargo.is_empty());
        let rustc = env::var_os("RUSTC").filter(|rustc| !rustc.is_empty()).or_else(|| {
            let beside = Path::new(cargo.as_ref()?).with_file_name(format!("rustc{EXE_SUFFIX}"));
            beside.is_file().then(|| beside.into_os_string())
        });
        Self {
            cargo: cargo.unwrap_or_else(|| "cargo".into()),
            rustc: rustc.unwrap_or_else(|| "rustc".into()),
            folder: folder.to_owned(),
        }
    }

    /// A cargo command that uses this rustc.
    pub(super) fn cargo(&self) -> Command {
        let mut command = Command::new(&self.cargo);
        command.current_dir(&self.folder).env("RUSTC", &self.rustc);
        command
    }

    /// The compiler's version, such as `1.95.0 (59807616e 2026-04-14)`.
    pub(super) fn compiler(&self) -> Result<String, RustError> {
        let said = self.ask_rustc(&["--version"])?;
        Ok(said.strip_prefix("rustc ").unwrap_or(&said).to_owned())
    }

    /// What the compiler calls its own source: the commit, or the release if it was built without one.
    pub(super) fn source_name(&self) -> Result<String, RustError> {
        let said = self.ask_rustc(&["--version", "--verbose"])?;
        let field = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let commit = field("commit-hash:").filter(|hash| *hash != "unknown");
        Ok(commit.or_else(|| field("release:")).unwrap_or_default().to_owned())
    }

    /// The folder of the toolchain.
    pub(super) fn sysroot(&self) -> Result<PathBuf, RustError> {
        Ok(self.ask_rustc(&["--print", "sysroot"])?.into())
    }

    /// Whether the standard library is installed for the target.
    pub(super) fn has_target(&self) -> Result<bool, RustError> {
        let folder = PathBuf::from(self.ask_rustc(&["--print", "target-libdir", "--target", TARGET])?);
        Ok(folder.read_dir().is_ok_and(|mut files| files.next().is_some()))
    }

    fn ask_rustc(&self, arguments: &[&str]) -> Result<String, RustError> {
        let mut command = Command::new(&self.rustc);
        command.current_dir(&self.folder).args(arguments);
        ask(&mut command)
    }
}

/// Runs a command that answers a question, and returns the answer.
pub(super) fn ask(command: &mut Command) -> Result<String, RustError> {
    let Output { status, stdout, stderr } = command.output().map_err(|error| cannot_start(command, error))?;
    if !status.success() {
        return Err(no_answer(command, String::from_utf8_lossy(&stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&stdout).trim_end().to_owned())
}

/// The error of a command whose answer is of no use.
pub(super) fn no_answer(command: &Command, said: &str) -> RustError {
    let program = Path::new(command.get_program()).file_stem().unwrap_or_default().to_string_lossy();
    let question = command.get_args().next().unwrap_or_default().to_string_lossy();
    RustError::Query { command: format!("{program} {question}"), said: said.to_owned() }
}

/// The error of a command that did not start.
pub(super) fn cannot_start(command: &Command, error: io::Error) -> RustError {
    RustError::Start { program: command.get_program().to_string_lossy().into_owned(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named() {
        let rust = Rust { cargo: "no-such-cargo".into(), rustc: "no-such-rustc".into(), folder: ".".into() };
        let error = ask(rust.cargo().arg("metadata")).expect_err("there is no such program");
        assert_eq!(
            error.to_string(),
            "cannot start `no-such-cargo`: building a plugin needs Rust, see https://rustup.rs"
        );
        assert!(
            matches!(rust.compiler(), Err(RustError::Start { program, .. }) if program == "no-such-rustc")
        );
    }

    #[test]
    fn a_question_that_fails_is_named() {
        let error = no_answer(Command::new("/bin/cargo").args(["tree", "--quiet"]), "offline");
        assert_eq!(error.to_string(), "`cargo tree` failed: offline");
    }
}
