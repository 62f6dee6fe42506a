//! Builds a plugin: cargo makes a module of the crate, and the module becomes a component.
//!
//! The same lock file and the same compiler give the same bytes, wherever the crate, the registry's
//! sources and the toolchain lie: paths that would show are written as fixed names instead.

use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::{self, Stdio},
};

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{
    component::{EncodeError, encode},
    package::Package,
    rust::{Rust, RustError, TARGET, ask, cannot_start},
    scaffold::profile,
};

/// A plugin that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Built {
    /// The file.
    pub(crate) path: PathBuf,
    /// The file's size in bytes.
    pub(crate) size: usize,
    /// The file's SHA-256, in hexadecimal digits.
    pub(crate) sha256: String,
}

/// Why a plugin was not built.
#[derive(Debug, Error)]
pub(crate) enum BuildError {
    /// The folder is not that of a crate.
    #[error("no Cargo.toml in `{}`: name the folder of a plugin, or make one with `loghost plugin new`", .0.display())]
    NoManifest(PathBuf),
    /// The manifest describes a workspace only.
    #[error("`{}` is a workspace without a package of its own: name the folder of one of its packages", .0.display())]
    NoPackage(PathBuf),
    /// The package is built into something that cannot be loaded.
    #[error("package `{0}` is no plugin: its Cargo.toml needs `crate-type = [\"cdylib\"]` under `[lib]`")]
    NoCdylib(String),
    /// Rust, or a part of it, is missing or does not answer.
    #[error(transparent)]
    Rust(#[from] RustError),
    /// Cargo failed, and has said why on standard error.
    #[error("package `{0}` does not compile: see cargo's messages above")]
    Compile(String),
    /// Cargo succeeded, and has not said what it made.
    #[error("cargo named no module that it made of package `{0}`")]
    NoModule(String),
    /// The module that cargo made is no plugin.
    #[error("package `{package}` is no plugin")]
    Encode {
        /// The package.
        package: String,
        /// What is wrong with it.
        #[source]
        error: EncodeError,
    },
    /// A file cannot be read or written.
    #[error("cannot access `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
}

/// Builds the plugin whose crate is in a folder, or has this `Cargo.toml`. It is written to `out` (a file, or a folder to put it
/// in), or to the crate's own folder, as `<package>.wasm`; a file that is there is replaced when the new
/// one is complete. Cargo's messages go to standard error.
pub(crate) fn build(folder: &Path, out: Option<&Path>) -> Result<Built, BuildError> {
    let folder = match (folder.file_name(), folder.parent()) {
        (Some(name), Some(parent)) if name == "Cargo.toml" && folder.is_file() => match parent.to_str() {
            Some("") => Path::new("."),
            _ => parent,
        },
        _ => folder,
    };
    let rust = Rust::seen_from(folder);
    let package = Package::in_folder(folder, &rust)?;
    if !rust.has_target()? {
        return Err(RustError::TargetMissing.into());
    }
    let compiler = rust.compiler()?;

    let module = compile(&package, &rust)?;
    let module = fs::read(&module).map_err(|error| BuildError::File { path: module, error })?;
    let component = encode(&module, &compiler)
        .map_err(|error| BuildError::Encode { package: package.name.clone(), error })?;

    let path = destination(folder, out, &package.name);
    write(&path, &component).map_err(|error| BuildError::File { path: path.clone(), error })?;
    Ok(Built { path, size: component.len(), sha256: sha256(&component) })
}

/// The SHA-256 of a file, in hexadecimal digits.
fn sha256(file: &[u8]) -> String {
    let digest = Sha256::digest(file);
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// Runs cargo, and returns the module that it made.
fn compile(package: &Package, rust: &Rust) -> Result<PathBuf, BuildError> {
    // What this package needs is downloaded first, so that the folders to rename are there.
    ask(rust.cargo().args(["tree", "--quiet", "--target", TARGET, "--package", &package.id]))?;

    let mut command = rust.cargo();
    command
        .args(["build", "--lib", "--profile", "plugin", "--target", TARGET, "--package", &package.id])
        .arg("--message-format=json-render-diagnostics")
        .args(missing_profile(&package.workspace))
        .env("CARGO_ENCODED_RUSTFLAGS", renames(package, rust)?)
        .stderr(Stdio::inherit());
    // What would change the module without a trace in the crate or its lock file.
    for (name, _) in env::vars_os() {
        let changes = name == "CARGO_INCREMENTAL" || name.to_string_lossy().starts_with("CARGO_PROFILE_");
        if changes {
            command.env_remove(name);
        }
    }

    let output = command.output().map_err(|error| cannot_start(&command, error))?;
    if !output.status.success() {
        return Err(BuildError::Compile(package.name.clone()));
    }
    package
        .artifact(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| BuildError::NoModule(package.name.clone()))
}

/// The profile `plugin` for cargo's command line, if the workspace does not have it.
fn missing_profile(workspace: &Path) -> Vec<String> {
    let manifest = fs::read_to_string(workspace.join("Cargo.toml")).unwrap_or_default();
    if manifest.contains("[profile.plugin]") {
        return Vec::new();
    }
    profile()
        .lines()
        .filter(|line| line.contains(" = "))
        .map(|line| format!("--config=profile.plugin.{}", line.replacen(" = ", "=", 1)))
        .collect()
}

/// Rustc's arguments that give fixed names to the folders whose paths could get into the module, in
/// cargo's encoding. Of two that fit, rustc takes the later one.
fn renames(package: &Package, rust: &Rust) -> Result<OsString, RustError> {
    let sysroot = rust.sysroot()?;
    let library = sysroot.join("lib/rustlib/src/rust");
    let mut renames = vec![
        (package.workspace.clone(), "/plugin".to_owned()),
        (package.target.clone(), "/target".to_owned()),
    ];
    for cargo_home in cargo_homes() {
        renames.push((cargo_home.clone(), "/cargo".to_owned()));
        // The name of a registry's folder depends on where the crates are downloaded from.
        let registries = fs::read_dir(cargo_home.join("registry/src")).into_iter().flatten().flatten();
        renames.extend(registries.map(|registry| (registry.path(), "/cargo/crates".to_owned())));
    }
    renames.push((sysroot, "/rust".to_owned()));
    // Where the library's source is installed rustc writes its path, and otherwise this name.
    renames.push((library, format!("/rustc/{}", rust.source_name()?)));

    let mut flags = OsString::new();
    for (path, name) in renames {
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(path);
        flags.push("=");
        flags.push(name);
    }
    Ok(flags)
}

/// Where cargo keeps what it downloads: as it is named, and where that leads.
fn cargo_homes() -> Vec<PathBuf> {
    let named = env::var_os("CARGO_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = named.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let mut homes: Vec<_> =
        home.into_iter().flat_map(|home| [fs::canonicalize(&home).ok(), Some(home)]).flatten().collect();
    homes.dedup();
    homes
}

/// The file to write.
fn destination(folder: &Path, out: Option<&Path>, package: &str) -> PathBuf {
    let name = format!("{package}.wasm");
    match out {
        Some(out) if out.is_dir() => out.join(name),
        Some(out) => out.to_owned(),
        None => folder.join(name),
    }
}

/// Writes a file beside its place, then moves it there: nobody sees a half of it.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", process::id()));
    let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_written_beside_its_manifest_unless_a_place_is_named() {
        let folder = env::temp_dir();
        assert_eq!(
            destination(Path::new("plugins/error"), None, "error"),
            Path::new("plugins/error/error.wasm")
        );
        assert_eq!(destination(Path::new("a"), Some(Path::new("b.wasm")), "error"), Path::new("b.wasm"));
        assert_eq!(destination(Path::new("a"), Some(&folder), "error"), folder.join("error.wasm"));
    }

    #[test]
    fn a_digest_has_two_digits_a_byte() {
        assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn a_workspace_without_the_profile_is_given_it() {
        let flags = missing_profile(Path::new("no-such-folder"));
        assert_eq!(flags.first().map(String::as_str), Some("--config=profile.plugin.inherits=\"release\""));
        assert!(flags.contains(&"--config=profile.plugin.strip=true".to_owned()), "{flags:?}");
        assert!(missing_profile(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).is_empty());
    }

    #[test]
    fn a_folder_without_a_crate_is_refused() {
        let error = build(&env::temp_dir().join("no-such-crate"), None).expect_err("there is no crate");
        assert!(error.to_string().starts_with("no Cargo.toml in "), "{error}");
    }
}
