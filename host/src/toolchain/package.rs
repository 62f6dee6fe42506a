//! What cargo knows of a package.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    build::BuildError,
    rust::{Rust, ask, no_answer},
};

/// A package that can become a plugin.
pub(super) struct Package {
    /// Its name.
    pub(super) name: String,
    /// What cargo takes for `--package`: unambiguous.
    pub(super) id: String,
    /// The root of the workspace that it belongs to, which is its own folder if it belongs to none.
    pub(super) workspace: PathBuf,
    /// Where cargo puts what it makes.
    pub(super) target: PathBuf,
}

impl Package {
    /// Asks cargo about the package in a folder.
    pub(super) fn in_folder(folder: &Path, rust: &Rust) -> Result<Self, BuildError> {
        let no_manifest = |_| BuildError::NoManifest(folder.to_owned());
        let manifest = fs::canonicalize(folder.join("Cargo.toml")).map_err(no_manifest)?;

        let mut command = rust.cargo();
        command.args(["metadata", "--no-deps", "--format-version", "1"]);
        let answer = ask(&mut command)?;
        let metadata: Metadata =
            serde_json::from_str(&answer).map_err(|error| no_answer(&command, &error.to_string()))?;

        let package = metadata
            .packages
            .into_iter()
            .find(|package| fs::canonicalize(&package.manifest_path).is_ok_and(|path| path == manifest))
            .ok_or_else(|| BuildError::NoPackage(folder.to_owned()))?;
        if !package.targets.iter().any(CargoTarget::is_cdylib) {
            return Err(BuildError::NoCdylib(package.name));
        }
        Ok(Self {
            name: package.name,
            id: package.id,
            workspace: metadata.workspace_root,
            target: metadata.target_directory,
        })
    }

    /// The file that cargo says it made of the package, in what it wrote with `--message-format=json`.
    pub(super) fn artifact(&self, messages: &str) -> Option<PathBuf> {
        messages
            .lines()
            .filter_map(|line| serde_json::from_str::<Artifact>(line).ok())
            .filter(|artifact| artifact.package_id == self.id && artifact.target.is_cdylib())
            .flat_map(|artifact| artifact.filenames)
            .find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
    }
}

/// What `cargo metadata` writes, as far as it is needed.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Described>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

/// A package in it.
#[derive(Deserialize)]
struct Described {
    name: String,
    id: String,
    manifest_path: PathBuf,
    targets: Vec<CargoTarget>,
}

/// A message of `cargo build` about a target that was built.
#[derive(Deserialize)]
struct Artifact {
    package_id: String,
    target: CargoTarget,
    filenames: Vec<PathBuf>,
}

/// Something that a package builds.
#[derive(Deserialize)]
struct CargoTarget {
    crate_types: Vec<String>,
}

impl CargoTarget {
    fn is_cdylib(&self) -> bool {
        self.crate_types.iter().any(|kind| kind == "cdylib")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_that_of_the_package() {
        let package = Package {
            name: "error".to_owned(),
            id: "path+file:///a#error@0.1.0".to_owned(),
            workspace: "/a".into(),
            target: "/a/target".into(),
        };
        let message = |id: &str, kind: &str, file: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"{id}","target":{{"crate_types":["{kind}"]}},"filenames":["/t/{file}"]}}"#
            )
        };
        let messages = [
            message("registry#other@1.0.0", "cdylib", "other.wasm"),
            message(&package.id, "custom-build", "build-script"),
            message(&package.id, "cdylib", "error.wasm"),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ];
        assert_eq!(package.artifact(&messages.join("\n")), Some("/t/error.wasm".into()));
        assert_eq!(package.artifact(&messages[0]), None);
    }
}
