//! What a plugin writes through the `log` import.

use loghost_core::application::Level;
use serde_json::{Value, json};

use super::CommandEvent;

/// Something about the lines that a plugin writes through the `log` import.
#[derive(Debug)]
pub(crate) struct PluginLogEvent {
    /// The plugin's name, or its file until the name is known.
    pub(crate) plugin: String,
    pub(crate) what: PluginLog,
}

/// What there is of lines that a plugin writes.
#[derive(Debug)]
pub(crate) enum PluginLog {
    /// It has written this line, at this level.
    Line(Level, String),
    /// It writes more than so many lines, or bytes of them, in a second: the rest of these is left out.
    TooMany {
        /// The most lines of a second.
        lines: u32,
        /// The most bytes of a second.
        bytes: usize,
    },
    /// So many lines were left out.
    LeftOut(u64),
}

impl CommandEvent for PluginLogEvent {
    fn level(&self) -> Level {
        match self.what {
            PluginLog::Line(level, _) => level,
            PluginLog::TooMany { .. } | PluginLog::LeftOut(_) => Level::Warning,
        }
    }

    fn told(&self) -> (&'static str, String, Value) {
        match &self.what {
            PluginLog::Line(_, text) => ("plugin_log", format!("plugin: {text}"), json!({ "text": text })),
            PluginLog::TooMany { lines, bytes } => {
                let text = format!(
                    "writes more than {lines} lines or {} KiB in a second: the rest is left out",
                    bytes / 1024
                );
                ("plugin_log_limited", text, json!({ "most_lines": lines, "most_bytes": bytes }))
            }
            PluginLog::LeftOut(lines) => (
                "plugin_log_left_out",
                format!("lines that were left out: {lines}"),
                json!({ "lines": lines }),
            ),
        }
    }

    fn consumer(&self) -> Option<&str> {
        Some(&self.plugin)
    }
}
