//! `loghost plugin`: making, building and looking at plugins.

use std::path::{Path, PathBuf};

use anyhow::Context;
use loghost_core::application::{Consumer, ConsumerError};
use loghost_core::domain::Measures;
use loghost_wasm::Limits;

use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::plugins::loader;
use crate::compose::plugins::source::PluginSource;
use crate::files::bundled;
use crate::toolchain::{self, ScaffoldError, Template};
use crate::ui::events::command::ToolEvent;
use crate::ui::plugin::{Facts, print_built, print_new};
use crate::ui::terminal::{self, OutputFormat};

/// What `plugin` is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Options {
    /// A new crate at `path`.
    New { path: PathBuf, template: Template },
    /// The component of the crate in `folder`.
    Build { folder: PathBuf, out: Option<PathBuf> },
    /// What there is to know of a component.
    Inspect { file: PathBuf, settings: Vec<(String, String)>, format: OutputFormat, limits: Limits },
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
        terminal::tell(ToolEvent::BundledName(name.to_owned()));
    }
    Ok(print_new(&folder, name)?)
}

fn build(folder: &Path, out: Option<&Path>) -> Result<(), Failure> {
    let built = toolchain::build(folder, out).status(Status::BadInput)?;
    Ok(print_built(&built.path, built.size, &built.sha256)?)
}

async fn inspect(
    file: &Path,
    settings: &[(String, String)],
    format: OutputFormat,
    limits: Limits,
) -> Result<(), Failure> {
    let source = PluginSource::File(file.to_owned());
    let bytes = source.read()?;
    let runtime = loader::runtime(limits)?;
    let plugin = loader::load(&runtime, &source)?;
    let mut consumer = loader::start(&runtime, plugin.clone(), &source, settings)?;
    let state =
        first_state(&mut consumer).await.with_context(|| source.to_string()).status(Status::BadInput)?;
    let measures =
        first_measures(&mut consumer).await.with_context(|| source.to_string()).status(Status::BadInput)?;
    let facts = Facts {
        file: file.display().to_string(),
        size: bytes.len(),
        compiler: toolchain::compiler_of(&bytes),
        state,
        measures,
    };
    Ok(facts.print(consumer.descriptor(), &plugin, format)?)
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

/// What a consumer measures at first, if it has figures of its own.
async fn first_measures(consumer: &mut impl Consumer) -> Result<Option<Measures>, ConsumerError> {
    Ok(if consumer.measures() { Some(consumer.measure().await?) } else { None })
}
