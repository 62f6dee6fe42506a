//! Where plugins come from: files, folders of them, and those in the binary.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use loghost_core::application::{Event, Observer, RunEvent};
use loghost_core::domain::printable_line;

use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::plugins::suggestion::{in_folder, is_like, plugin_is_meant};
use crate::files::bundled;

/// Where a plugin comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PluginSource {
    /// A file.
    File(PathBuf),
    /// One that is in the binary, by its name.
    Bundled(String),
}

/// How it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It was named.
    ByName,
    /// It lay in a folder that was named.
    InFolder,
}

impl fmt::Display for PluginSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.write_str(&printable_line(&path.to_string_lossy())),
            Self::Bundled(name) => write!(f, "the bundled plugin `{name}`"),
        }
    }
}

impl PluginSource {
    /// The files that `paths` name: of a folder, every `.wasm` in it that is not hidden, in the order of their names. A
    /// folder without any is refused, but for the one of a plugin's source that a wildcard of the shell gives beside its file:
    /// that is left out, and the `observer` told.
    pub(crate) fn files(paths: &[PathBuf], observer: &dyn Observer) -> Result<Vec<(Self, Found)>, Failure> {
        let mut sources = Vec::new();
        for path in paths {
            if path.is_dir() {
                let found = wasm_files(path).status(Status::BadInput)?;
                if found.is_empty() {
                    leave_out(path, paths, observer)?;
                }
                sources.extend(found.into_iter().map(|file| (Self::File(file), Found::InFolder)));
            } else {
                sources.push((Self::File(path.clone()), Found::ByName));
            }
        }
        Ok(sources)
    }

    /// What it is called before it says so itself: as its file, without the extension.
    pub(crate) fn stem(&self) -> String {
        match self {
            Self::File(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            Self::Bundled(name) => name.clone(),
        }
    }

    /// Its file, if it has one.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(path.clone()),
            Self::Bundled(_) => None,
        }
    }

    /// The component's bytes.
    pub(crate) fn read(&self) -> Result<Vec<u8>, Failure> {
        match self {
            Self::File(path) if path.is_dir() => {
                let files = in_folder(path, "wasm");
                let text = format!("{self} is a folder: expected a plugin's file{}", printable_line(&files));
                Err(Failure::new(Status::BadInput, text))
            }
            Self::File(path) => read_file(path)
                .with_context(|| {
                    format!("cannot read the plugin {}{}", path.display(), plugin_is_meant(path))
                })
                .status(Status::BadInput),
            Self::Bundled(name) => bundled::plugin(name).map(<[u8]>::to_vec).ok_or_else(|| {
                let meant = is_like(name, bundled::names().map(str::to_owned));
                let all = bundled::names().collect::<Vec<_>>().join(", ");
                let text = format!("no bundled plugin is called `{name}`{meant}: there are {all}");
                Failure::new(Status::BadInput, text)
            }),
        }
    }
}

/// Reads a file. Of a pipe or a device it is not waited for what somebody may write.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.is_file() {
        fs::read(path)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no file"))
    }
}

/// Leaves out `folder`, which has no plugin, if it has the source of one and is given with files, as by a wildcard of the
/// shell; else it is an error.
fn leave_out(folder: &Path, given: &[PathBuf], observer: &dyn Observer) -> Result<(), Failure> {
    let file = folder.with_extension("wasm");
    if given.contains(&file) {
        return Ok(());
    }
    let is_source = folder.join("Cargo.toml").is_file();
    let build = if is_source {
        format!(": build the plugin first, with `loghost plugin build {}`", folder.display())
    } else {
        String::new()
    };
    let meant = if file.is_file() { format!(" (is {} meant?)", file.display()) } else { String::new() };
    let text = format!("{}: no `.wasm` file in this folder{meant}{build}", folder.display());
    let text = printable_line(&text);
    if is_source && given.iter().any(|path| path.is_file()) {
        observer.observe(&Event::Run(RunEvent::LeftOut(None, &text)));
        Ok(())
    } else {
        Err(Failure::new(Status::BadInput, text.into_owned()))
    }
}

fn wasm_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let context = || format!("cannot read the folder {}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        // Editors and systems put hidden files beside others, which are called alike.
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && path.extension().is_some_and(|extension| extension == "wasm") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
