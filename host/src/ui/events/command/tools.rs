//! What the commands say that need no broker of others: `broker`, `config`, `man`, `plugin`.

use loghost_core::application::Level;
use serde_json::{Value, json};

use super::CommandEvent;

/// What the commands say that need no broker of others.
#[derive(Debug)]
pub(crate) enum ToolEvent {
    /// The embedded broker can be reached from other machines.
    BrokerIsOpen,
    /// The embedded broker has all in memory.
    BrokerIsInMemory,
    /// A configuration file was written.
    ConfigurationWritten(String),
    /// The manual pages were written into this folder.
    ManualWritten(String),
    /// A new plugin has this name, which a bundled one has as well.
    BundledName(String),
}

impl CommandEvent for ToolEvent {
    fn level(&self) -> Level {
        match self {
            Self::BrokerIsOpen | Self::BundledName(_) => Level::Warning,
            _ => Level::Info,
        }
    }

    fn told(&self) -> (&'static str, String, Value) {
        match self {
            Self::BrokerIsOpen => {
                let text = "everybody who reaches this machine over the network can connect, as guest:guest: without --listen, only \
                            this machine can";
                ("broker_is_open", text.to_owned(), Value::Null)
            }
            Self::BrokerIsInMemory => {
                let text = "an in-memory broker for development: what it holds goes when it ends (Ctrl-C)";
                ("broker_is_in_memory", text.to_owned(), Value::Null)
            }
            Self::ConfigurationWritten(file) => {
                let text = format!("{file} has every key: remove the `#` before what you set");
                ("configuration_written", text, json!({ "file": file }))
            }
            Self::ManualWritten(folder) => {
                ("manual_written", format!("the manual pages are in {folder}"), json!({ "folder": folder }))
            }
            Self::BundledName(name) => {
                let text = format!(
                    "{name} is the name of a bundled plugin too: under one --prefix, both have the queue and the counts of one \
                     consumer; take another name, unless this is to replace it"
                );
                ("bundled_name", text, json!({ "name": name }))
            }
        }
    }
}
