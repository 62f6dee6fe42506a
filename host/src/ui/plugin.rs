//! How a plugin is shown: what was built, and what there is to know of a component.

use std::fmt::Write;
use std::path::Path;

use loghost_core::domain::{Descriptor, Measures, Severities, printable_line};
use loghost_wasm::Plugin;
use serde_json::{Value, json};

use crate::ui::terminal::{self, OutputError, OutputFormat, TITLE, counted, measures_json};

/// Prints what to do with a new crate.
pub(crate) fn print_new(folder: &Path, name: &str) -> Result<(), OutputError> {
    let folder = folder.to_string_lossy();
    let folder = printable_line(&folder);
    terminal::print(&format!(
        "{folder} is ready:\n  \
         loghost plugin build {folder}\n  \
         loghost verify {folder}/scenario.txt\n  \
         loghost run {folder}/{name}.wasm"
    ))
}

/// Prints which component was built.
pub(crate) fn print_built(path: &Path, size: usize, sha256: &str) -> Result<(), OutputError> {
    let path = path.to_string_lossy();
    terminal::print(&format!("{}  {size} bytes  sha256 {sha256}", printable_line(&path)))
}

/// What there is to know of a plugin beside what it declares.
pub(crate) struct Facts {
    pub(crate) file: String,
    pub(crate) size: usize,
    pub(crate) compiler: Option<String>,
    /// The size of what it keeps, if it keeps something.
    pub(crate) state: Option<usize>,
    /// What it measures at first, if it has figures of its own.
    pub(crate) measures: Option<Measures>,
}

impl Facts {
    /// Prints them, and what the plugin declares.
    pub(crate) fn print(
        &self,
        descriptor: &Descriptor,
        plugin: &Plugin,
        format: OutputFormat,
    ) -> Result<(), OutputError> {
        match format {
            OutputFormat::Text => terminal::print(&self.text(descriptor, plugin)),
            OutputFormat::Json => terminal::print_json(&self.json(descriptor, plugin)),
        }
    }

    fn text(&self, descriptor: &Descriptor, plugin: &Plugin) -> String {
        let mut text = format!("{TITLE}{}{TITLE:#}", descriptor.name);
        let mut row = |label: &str, value: &str| {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  {label:<12}{}", printable_line(value));
        };
        row("file", &self.file);
        row("version", &descriptor.version);
        row("description", &descriptor.description);
        row("severities", &descriptor.filter.severities().to_string());
        row("sources", &patterns(descriptor).join(", "));
        row("publishes", &or_none(&list(descriptor.publishes)));
        row(
            "processes",
            if plugin.processes() { "logs, in batches" } else { "nothing: the host counts for it" },
        );
        row("keeps state", &self.state.map_or("no".to_owned(), |size| format!("{size} bytes at first")));
        row("measures", &self.measures.as_ref().map_or("nothing of its own".to_owned(), measured));
        row("fields", &or_none(&fields(descriptor)));
        if let Some(tick) = descriptor.tick {
            row("tick", &humantime::format_duration(tick).to_string());
        }
        row("imports", &or_none(plugin.imports()));
        row("exports", &plugin.exports().join(", "));
        row("compiler", self.compiler.as_deref().unwrap_or("unknown"));
        row("size", &format!("{} bytes", self.size));
        row("sha256", plugin.digest());
        text
    }

    fn json(&self, descriptor: &Descriptor, plugin: &Plugin) -> Value {
        json!({
            "file": self.file,
            "name": descriptor.name.as_str(),
            "version": descriptor.version,
            "description": descriptor.description,
            "severities": list(descriptor.filter.severities()),
            "sources": patterns(descriptor),
            "processes": plugin.processes(),
            "keeps_state": self.state.is_some(),
            "measures": self.measures.as_ref().map(|measures| measures_json(Ok(measures))),
            "fields": fields(descriptor),
            "publishes": list(descriptor.publishes),
            "tick_ms": descriptor.tick.map(|tick| tick.as_millis()),
            "imports": plugin.imports(),
            "exports": plugin.exports(),
            "compiler": self.compiler,
            "size": self.size,
            "sha256": plugin.digest(),
        })
    }
}

/// How much a plugin measures, and what of it is left out.
fn measured(measures: &Measures) -> String {
    let values = measures.by_name().map(|(_, family)| family.values.len()).sum();
    let dropped = measures.dropped().map(|(unfit, count)| format!("{count} ({})", unfit.as_str()));
    let dropped: Vec<String> = dropped.collect();
    let left_out = if dropped.is_empty() { "" } else { "; left out: " };
    format!("{} at first{left_out}{}", counted(values, "value"), dropped.join(", "))
}

fn list(severities: Severities) -> Vec<String> {
    severities.iter().map(|severity| severity.to_string()).collect()
}

fn patterns(descriptor: &Descriptor) -> Vec<String> {
    descriptor.filter.sources().iter().map(ToString::to_string).collect()
}

fn fields(descriptor: &Descriptor) -> Vec<String> {
    let asked = [
        ("id", descriptor.fields.id),
        ("source", descriptor.fields.source),
        ("attributes", descriptor.fields.attributes),
    ];
    asked.into_iter().filter(|(_, asked)| *asked).map(|(name, _)| name.to_owned()).collect()
}

fn or_none(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
