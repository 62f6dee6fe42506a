//! What somebody probably meant who has misspelled it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use loghost_core::domain::{ConsumerName, printable_line};
use loghost_rabbitmq::{BrokerApi, Connection, ManagementUrl, Names};
use strsim::damerau_levenshtein;

use crate::compose::failure::{Failure, Status};
use crate::files::bundled;
use crate::files::scenario_file::{LogEnding, ScenarioFile, StepReader};

/// Which of `names` is the most like `text`, if one is so by far.
pub(crate) fn like(text: &str, names: impl IntoIterator<Item = String>) -> Option<String> {
    // One slip for each three characters.
    let most = text.chars().count().div_ceil(3).min(3);
    let near = names.into_iter().map(|name| (damerau_levenshtein(text, &name), name));
    near.filter(|(slips, _)| (1..=most).contains(slips)).min().map(|(_, name)| name)
}

/// The one of `names` that is the most like `text`, as a question; nothing if there is none.
pub(crate) fn is_like(text: &str, names: impl IntoIterator<Item = String>) -> String {
    like(text, names).map_or_else(String::new, |meant| format!(" (is `{meant}` meant?)"))
}

/// Which file or folder beside `path`, which is not there, is the most like it: as a question.
pub(crate) fn is_meant(path: &Path) -> String {
    let beside = || -> Option<PathBuf> {
        let name = path.file_name()?.to_str()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let names =
            fs::read_dir(folder).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        Some(path.with_file_name(like(name, names)?))
    };
    beside().map_or_else(String::new, |other| format!(" (is {} meant?)", other.display()))
}

/// The same of a plugin, which may have been called by its consumer's name.
pub(crate) fn plugin_is_meant(path: &Path) -> String {
    let named = Path::new("plugins").join(path).with_extension("wasm");
    let package = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = package.filter(|folder| folder.join("Cargo.toml").is_file()) {
        return format!(" (build it first, with `loghost plugin build {}`)", folder.display());
    }
    if named.is_file() { format!(" (is {} meant?)", named.display()) } else { is_meant(path) }
}

/// How many files of a folder are named.
const MOST_NAMED: usize = 5;

/// Which files with this extension are in the folder at `path`; nothing if there are none, or it is none.
pub(crate) fn in_folder(path: &Path, extension: &str) -> String {
    let files = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let has_it = |file: &PathBuf| file.extension().is_some_and(|other| other == extension);
    let names: BTreeSet<String> = files.filter(has_it).map(|file| file.display().to_string()).collect();
    if names.is_empty() {
        return String::new();
    }
    let more = if names.len() > MOST_NAMED { ", ..." } else { "" };
    let some: Vec<String> = names.into_iter().take(MOST_NAMED).collect();
    format!(" (there are {}{more})", some.join(", "))
}

/// Opens a scenario: a file, or else the one in the binary that is called so. If it is not there, says which is the most
/// like it; of a folder, which are in it; of a number, which there are.
pub(crate) fn open_scenario(path: &Path) -> Result<ScenarioFile, Failure> {
    if let Some(called) = path.to_str().filter(|_| !path.exists()) {
        if let Some((name, text)) = bundled::scenario(called) {
            return Ok(ScenarioFile::bundled(name, text));
        }
        if let Ok(number) = called.parse::<i64>() {
            let all = bundled::scenarios().collect::<Vec<_>>().join(", ");
            let text = format!("there is no scenario {number} in the binary: there are {all}");
            return Err(Failure::new(Status::BadInput, text));
        }
    }
    let meant = if path.exists() { in_folder(path, "txt") } else { is_meant(path) };
    ScenarioFile::open(path).map_err(|error| {
        let error = anyhow::Error::new(error);
        Failure::new(Status::BadInput, format!("{error:#}{}", printable_line(&meant)))
    })
}

/// What a file that is no plugin is instead, and what is done with such.
pub(crate) fn instead_of_a_plugin(bytes: &[u8], path: &Path) -> String {
    let steps = StepReader::new(String::new(), bytes, LogEnding::Text);
    let mut logs = 0;
    for step in steps {
        match step {
            Ok(_) => logs += 1,
            Err(_) => return String::new(),
        }
    }
    if logs == 0 {
        return String::new();
    }
    let path = path.display();
    format!(
        "; it is a scenario: run it with `loghost verify {path}`, or send its logs with `loghost publish --file {path}`"
    )
}

/// Which consumer is probably meant by the name of one that has no queue, as far as the broker tells: as a question.
pub(crate) async fn consumer_is_meant(
    connection: &Connection,
    management: Option<&ManagementUrl>,
    names: &Names,
    consumer: &ConsumerName,
) -> String {
    let Some(Ok(api)) = BrokerApi::find(connection, management).await else { return String::new() };
    let Ok(queues) = api.queues().await else { return String::new() };
    let consumers: BTreeSet<String> =
        queues.iter().filter_map(|queue| Some(names.consumer_of(queue)?.to_string())).collect();
    if consumers.contains(consumer.as_str()) { String::new() } else { is_like(consumer.as_str(), consumers) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood() {
        let like = |text: &str, names: &[&str]| like(text, names.iter().map(ToString::to_string));
        assert_eq!(like("rnu", &["run", "report", "broker"]).as_deref(), Some("run"));
        assert_eq!(like("plugin", &["plugins", "scenarios"]).as_deref(), Some("plugins"));
        assert_eq!(like("eror.wasm", &["all.wasm", "error.wasm"]).as_deref(), Some("error.wasm"));
        assert_eq!(like("run", &["bench", "demo"]), None);
        assert_eq!(like("x", &["y"]), Some("y".to_owned()));
        assert_eq!(like("", &["y"]), None);
    }
}
