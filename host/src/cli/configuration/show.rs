//! What is in force for a run, and where it comes from, without secrets.

use clap::Command;
use loghost_core::domain::{HIDDEN, without_login};
use loghost_rabbitmq::Address;

use super::file::{ConsumerTable, SettingValue};
use super::layers::{Given, InForce};
use super::option;
use crate::cli::telemetry;
use crate::ui::config::{OptionRow, OptionsOf, ShownValue, Table};

/// What is in force for `run`, which is described with its defaults. Its consumers are those of the file only where it names none
/// itself.
pub(in crate::cli) fn tables(in_force: &InForce, run: &Command, names_plugins: bool) -> Vec<Table> {
    let mut rows = Vec::new();
    for arg in option::options(run) {
        let key = option::key(arg).unwrap_or_default();
        if let Some(Given { values, origin }) = in_force.given.get(key) {
            let values = values.iter().map(|value| shown(key, value)).collect();
            let value = value(option::is_list(arg), values);
            rows.push(OptionRow { key: key.to_owned(), value, origin: origin.to_string() });
            continue;
        }
        let defaults = arg.get_default_values().iter();
        let defaults: Vec<String> = defaults.map(|value| value.to_string_lossy().into_owned()).collect();
        if !defaults.is_empty() && !option::is_flag(arg) {
            let value = value(option::is_list(arg), defaults);
            rows.push(OptionRow { key: key.to_owned(), value, origin: "default".to_owned() });
        }
    }
    let variables = Table { of: OptionsOf::Variables, rows: telemetry::rows().collect() };
    let consumers =
        in_force.consumers.iter().filter(|_| !names_plugins).map(|table| consumer(in_force, table));
    [Table { of: OptionsOf::All, rows }, variables].into_iter().chain(consumers).collect()
}

fn value(is_list: bool, mut values: Vec<String>) -> ShownValue {
    match values.pop() {
        Some(value) if values.is_empty() && !is_list => ShownValue::One(value),
        last => ShownValue::Several(values.into_iter().chain(last).collect()),
    }
}

fn consumer(in_force: &InForce, consumer: &ConsumerTable) -> Table {
    let ConsumerTable { name, plugin, plugin_location, settings, entries } = consumer;
    let row = |key: &str, value, origin: &dyn ToString| OptionRow {
        key: key.to_owned(),
        value,
        origin: origin.to_string(),
    };
    let mut rows = vec![row("plugin", ShownValue::One(plugin.clone()), plugin_location)];
    for entry in entries {
        let above = in_force.above_file(&entry.key);
        let values = above.map_or(&entry.values, |given| &given.values);
        let value = value(false, values.iter().map(|value| shown(&entry.key, value)).collect());
        rows.push(match above {
            Some(given) => row(&entry.key, value, &given.origin),
            None => row(&entry.key, value, &entry.location),
        });
    }
    for setting in settings {
        let key = format!("settings.{}", setting.key);
        // What is given for all, or for this one by its name, goes before it.
        let names = [format!("{}=", setting.key), format!("{name}.{}=", setting.key)];
        let is_given = |given: &&Given| {
            given.values.iter().any(|value| names.iter().any(|name| value.starts_with(name)))
        };
        let given = in_force.given.get("set").filter(is_given);
        rows.push(match (given, &setting.value) {
            (Some(given), _) => row(&key, ShownValue::One(HIDDEN.to_owned()), &given.origin),
            (None, SettingValue::Text(_)) => row(&key, ShownValue::One(HIDDEN.to_owned()), &setting.location),
            (None, SettingValue::File(path)) => row(&key, ShownValue::File(path.clone()), &setting.location),
        });
    }
    Table { of: OptionsOf::Consumer(name.to_string()), rows }
}

/// A value without what may be secret in it: passwords of URLs, and settings, of which only plugins know what they are.
fn shown(key: &str, value: &str) -> String {
    match key {
        "broker" => urls(value),
        "management-url" => without_login(value),
        "set" => format!("{}={HIDDEN}", value.split('=').next().unwrap_or_default()),
        _ => value.to_owned(),
    }
}

fn urls(list: &str) -> String {
    let shown = |url: &str| url.parse::<Address>().map_or_else(|_| HIDDEN.to_owned(), |url| url.to_string());
    let urls: Vec<String> = crate::cli::connection::urls(list).into_iter().map(shown).collect();
    urls.join(",")
}
