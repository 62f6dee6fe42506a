//! Loading the plugins of a run, each once.

use std::collections::HashMap;
use std::path::PathBuf;

use loghost_core::application::{Consumer, Notice};
use loghost_core::domain::ConsumerName;
use loghost_wasm::WasmConsumer;

use crate::compose::failure::{Failure, Status};
use crate::compose::plugins::{Found, Loaded, PluginLoader, PluginSource};
use crate::compose::reload::Member;
use crate::compose::settings::Taker;
use crate::compose::supervise::OnFailure;
use crate::ui::terminal;

/// The plugins of a run.
pub(crate) struct Started {
    pub(crate) members: Vec<(Member, WasmConsumer)>,
    /// What it means that some in a folder cannot be loaded; which was said.
    pub(crate) failed: Option<Status>,
}

/// Loads and configures every plugin; no two may have the same name. One file of a folder that is no plugin, or only
/// half a one, is left out.
pub(crate) fn start(
    paths: &[PathBuf],
    plugins: &mut PluginLoader,
    on_failure: OnFailure,
) -> Result<Started, Failure> {
    let (mut loaded, mut failed): (Vec<(PluginSource, Loaded)>, Option<Failure>) = (Vec::new(), None);
    let mut names: HashMap<ConsumerName, PluginSource> = HashMap::new();
    let files = PluginSource::files(paths)?;
    plugins.for_files(files.iter().map(|(source, _)| source));
    for (source, found) in files {
        let plugin = match plugins.load(&source) {
            Err(failure)
                if found == Found::InFolder
                    && failure.status() == Status::BadInput
                    && on_failure == OnFailure::GoOn =>
            {
                if let Some(before) = failed.replace(failure) {
                    say(&before);
                }
                continue;
            }
            loaded => loaded?,
        };
        let name = &plugin.consumer.descriptor().name;
        if let Some(other) = names.insert(name.clone(), source.clone()) {
            if other == source {
                let text = format!("{source}: is given twice: leave it out once");
                return Err(Failure::new(Status::BadConfiguration, text));
            }
            let text = format!(
                "{source}: another plugin of this run is called `{name}` as well ({other}): leave one out. A name stands for \
                 a queue and its counts; one plugin can run with several settings only if its name is one of them, from a \
                 copy for each: --set FILE.KEY=VALUE"
            );
            return Err(Failure::new(Status::BadConfiguration, text));
        }
        loaded.push((source, plugin));
    }
    match failed {
        Some(failure) if loaded.is_empty() => return Err(failure),
        ref some => some.iter().for_each(say),
    }
    let takers = loaded.iter().map(|(_, it)| Taker { names: &it.names, refusals: &it.refusals });
    plugins.settings().all_taken(&takers.collect::<Vec<_>>())?;
    let members = loaded.into_iter().map(|(source, loaded)| Member::new(source, loaded)).collect();
    Ok(Started { members, failed: failed.as_ref().map(Failure::status) })
}

/// Says why one consumer is left out, which is no reason for the others to be.
pub(crate) fn say(failure: &Failure) {
    if let Some(text) = failure.text() {
        let text = format!("left out: {text}");
        let notice = Notice::warning(&text);
        terminal::tell(&Notice { consumer: failure.consumer().map(ConsumerName::as_str), ..notice });
    }
}
