//! From files to consumers.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use loghost_core::application::Consumer;
use loghost_core::domain::{Descriptor, Severities, printable_line};
use tokio::task::block_in_place;

use super::failure::{Failure, Status, WithStatus};
use super::guest_lines::guest_lines;
use super::suggestion::is_meant;
use crate::adapters::bundled;
use crate::adapters::terminal;
use crate::adapters::wasm::{Limits, Plugin, Runtime, StartError, WasmConsumer};

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
    /// The files that `paths` name: of a folder, every `.wasm` in it that is not hidden, in the order of their names.
    pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<(Self, Found)>, Failure> {
        let mut sources = Vec::new();
        for path in paths {
            if path.is_dir() {
                let found = wasm_files(path).status(Status::BadInput)?;
                if found.is_empty() {
                    let text = format!("{}: no `.wasm` file in this folder", path.display());
                    return Err(Failure::new(Status::BadInput, text));
                }
                sources.extend(found.into_iter().map(|file| (Self::File(file), Found::InFolder)));
            } else {
                sources.push((Self::File(path.clone()), Found::ByName));
            }
        }
        Ok(sources)
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
            Self::File(path) => read_file(path)
                .with_context(|| format!("cannot read the plugin {}{}", path.display(), is_meant(path)))
                .status(Status::BadInput),
            Self::Bundled(name) => bundled::plugin(name).map(<[u8]>::to_vec).ok_or_else(|| {
                let text = format!("no bundled plugin is called `{name}`: there are {}", bundled::names());
                Failure::new(Status::BadInput, text)
            }),
        }
    }
}

/// Reads a file. Of a pipe or a device it is not waited for what somebody may write.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let found = fs::metadata(path)?;
    if found.is_file() || found.is_dir() {
        fs::read(path)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no file"))
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

/// Whether plugins may publish logs of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Derived {
    /// They may.
    Granted,
    /// They may not, and a plugin that wants to does not start.
    Refused,
}

/// What the plugins of a run have in common.
pub(super) struct Troupe {
    runtime: Runtime,
    settings: Vec<(String, String)>,
    derived: Derived,
}

impl Troupe {
    /// A troupe whose members are bound by `limits`, and configured with `settings`.
    pub(super) fn new(
        limits: Limits,
        settings: Vec<(String, String)>,
        derived: Derived,
    ) -> Result<Self, Failure> {
        Ok(Self { runtime: runtime(limits)?, settings, derived })
    }

    /// Loads and configures the plugin at `source`.
    pub(super) fn load(&self, source: &PluginSource) -> Result<WasmConsumer, Failure> {
        let plugin = load(&self.runtime, source)?;
        let consumer = start(&self.runtime, plugin, source, &self.settings)?;
        let Descriptor { publishes: wanted, filter, .. } = consumer.descriptor();
        if !wanted.is_empty() && self.derived == Derived::Refused {
            let text = format!("{source}: wants to publish logs ({wanted}): allow it with --grant publish");
            return Err(Failure::new(Status::BadConfiguration, text));
        }
        let both: Severities = wanted.iter().filter(|it| filter.severities().contains(*it)).collect();
        if !both.is_empty() {
            terminal::warning(&format!(
                "{source}: publishes {both} logs, and consumes such logs: unless its sources leave its own out, each \
                 comes back to it, and is a dead letter after eight times"
            ));
        }
        Ok(consumer)
    }
}

/// Sets up the engine.
pub(crate) fn runtime(limits: Limits) -> Result<Runtime, Failure> {
    Runtime::new(limits).status(Status::BadConfiguration)
}

/// Compiles the component of `source`.
pub(crate) fn load(runtime: &Runtime, source: &PluginSource) -> Result<Arc<Plugin>, Failure> {
    let bytes = source.read()?;
    let plugin = block_in_place(|| Plugin::load(runtime, &bytes));
    plugin.map(Arc::new).with_context(|| source.to_string()).status(Status::BadInput)
}

/// Instantiates and configures `plugin`.
pub(crate) fn start(
    runtime: &Runtime,
    plugin: Arc<Plugin>,
    source: &PluginSource,
    settings: &[(String, String)],
) -> Result<WasmConsumer, Failure> {
    let file = source.to_string();
    let started =
        block_in_place(|| WasmConsumer::start(runtime, plugin, &file, settings.to_vec(), guest_lines()));
    started.map_err(|error| {
        let status = match error {
            StartError::Settings(_) => Status::BadConfiguration,
            _ => Status::BadInput,
        };
        Failure { status, error: Some(anyhow::Error::new(error).context(file)) }
    })
}
