//! Which consumers a run is of: those of plugins that are named, or those of a configuration file.

use std::path::PathBuf;

use loghost_core::domain::ConsumerName;
use loghost_wasm::Limits;

use crate::compose::consumer_options::ConsumerOptions;

/// Which consumers a run is of.
#[derive(Clone, Debug)]
pub(crate) enum Members {
    /// Those of these files, and folders of them.
    Plugins(Vec<PathBuf>),
    /// Those of a configuration file.
    Configured(Vec<Configured>),
}

impl Members {
    /// These, or the `consumers` of a file if no plugin is named.
    pub(crate) fn or(self, consumers: Vec<Configured>) -> Self {
        if self.is_empty() { Self::Configured(consumers) } else { self }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Plugins(paths) => paths.is_empty(),
            Self::Configured(consumers) => consumers.is_empty(),
        }
    }
}

/// A consumer of a configuration file, with what it has of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Configured {
    pub(crate) name: ConsumerName,
    /// Where the file says so.
    pub(crate) location: String,
    /// Its component.
    pub(crate) plugin: PathBuf,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) limits: Limits,
    pub(crate) options: ConsumerOptions,
}
