//! `loghost plugin`: making, building and looking at plugins.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use loghost_core::application::{Consumer, ConsumerError};
use loghost_core::domain::{Descriptor, Severities, printable_line};
use loghost_wasm::{Limits, Plugin};
use serde_json::json;

use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::plugins::{self, PluginSource};
use crate::files::bundled;
use crate::toolchain::{self, ScaffoldError, Template};
use crate::ui::terminal::{self, Format, TITLE};

/// What `plugin` is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Options {
    /// A new crate at `path`.
    New { path: PathBuf, template: Template },
    /// The component of the crate in `folder`.
    Build { folder: PathBuf, out: Option<PathBuf> },
    /// What there is to know of a component.
    Inspect { file: PathBuf, settings: Vec<(String, String)>, format: Format, limits: Limits },
}

/// Makes, builds or shows a plugin.
pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    match options {
        Options::New { path, template } => new(&path, template),
        Options::Build { folder, out } => build(&folder, out.as_deref()),
        Options::Inspect { file, settings, format, limits } => {
            inspect(&file, &settings, format, limits).await
        }
    }
}

fn new(path: &Path, template: Template) -> Result<(), Failure> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let parent = path.parent().unwrap_or(Path::new(""));
    let folder = toolchain::scaffold(parent, name, template).map_err(|error| {
        let status = match error {
            ScaffoldError::Name(_) | ScaffoldError::Reserved(_) => Status::Usage,
            ScaffoldError::Exists(_) => Status::BadInput,
            ScaffoldError::File { .. } => Status::Io,
        };
        Failure::of(status, error)
    })?;
    if bundled::plugin(name).is_some() {
        terminal::warning(&format!(
            "{name} is the name of a bundled plugin too: under one --prefix, both have the queue and the counts of one \
             consumer; take another name, unless this is to replace it"
        ));
    }
    let folder = folder.to_string_lossy();
    let folder = printable_line(&folder);
    Ok(terminal::print(&format!(
        "{folder} is ready:\n  \
         loghost plugin build {folder}\n  \
         loghost verify {folder}/scenario.txt\n  \
         loghost run {folder}/{name}.wasm"
    ))?)
}

fn build(folder: &Path, out: Option<&Path>) -> Result<(), Failure> {
    let built = toolchain::build(folder, out).status(Status::BadInput)?;
    Ok(terminal::print(&format!(
        "{}  {} bytes  sha256 {}",
        printable_line(&built.path.to_string_lossy()),
        built.size,
        built.sha256
    ))?)
}

async fn inspect(
    file: &Path,
    settings: &[(String, String)],
    format: Format,
    limits: Limits,
) -> Result<(), Failure> {
    let source = PluginSource::File(file.to_owned());
    let bytes = source.read()?;
    let runtime = plugins::runtime(limits)?;
    let plugin = plugins::load(&runtime, &source)?;
    let mut consumer = plugins::start(&runtime, plugin.clone(), &source, settings)?;
    let state =
        first_state(&mut consumer).await.with_context(|| source.to_string()).status(Status::BadInput)?;
    let facts = Facts {
        file: file.display().to_string(),
        size: bytes.len(),
        compiler: toolchain::compiler_of(&bytes),
        state,
    };
    match format {
        Format::Text => terminal::print(&facts.text(consumer.descriptor(), &plugin)),
        Format::Json => terminal::print_json(&facts.json(consumer.descriptor(), &plugin)),
    }?;
    Ok(())
}

/// Has a consumer that keeps state save it and go on from it, as it will have to; gives the state's size.
async fn first_state(consumer: &mut impl Consumer) -> Result<Option<usize>, ConsumerError> {
    if !consumer.keeps_state() {
        return Ok(None);
    }
    let state = consumer.save().await?;
    consumer.restore(Some(&state)).await?;
    Ok(Some(state.len()))
}

/// What there is to know of a plugin beside what it declares.
struct Facts {
    file: String,
    size: usize,
    compiler: Option<String>,
    /// The size of what it keeps, if it keeps something.
    state: Option<usize>,
}

impl Facts {
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

    fn json(&self, descriptor: &Descriptor, plugin: &Plugin) -> serde_json::Value {
        json!({
            "file": self.file,
            "name": descriptor.name.as_str(),
            "version": descriptor.version,
            "description": descriptor.description,
            "severities": list(descriptor.filter.severities()),
            "sources": patterns(descriptor),
            "processes": plugin.processes(),
            "keeps_state": self.state.is_some(),
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
