//! The configuration file as it is written: keys and values as text, each with its location.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use loghost_core::domain::{ConsumerName, printable_line};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::location::{FileLocation, FileLocations};
use crate::compose::failure::{Failure, Status};
use crate::compose::plugins::suggestion::{is_like, is_meant};

/// The most bytes that a configuration file may have.
const MOST: u64 = 1 << 20;

/// The table that has the consumers.
pub(super) const CONSUMERS: &str = "consumers";

/// What a consumer has beside options.
pub(super) const PLUGIN: &str = "plugin";
pub(super) const SETTINGS: &str = "settings";

/// A configuration file whose keys are not looked at yet.
#[derive(Default)]
pub(super) struct ConfigFile {
    /// The folder that relative paths start from.
    pub(super) folder: PathBuf,
    pub(super) entries: Vec<Entry>,
    pub(super) consumers: Vec<ConsumerTable>,
    /// What is wrong with it, and where.
    pub(super) problems: Vec<Problem>,
}

/// Something that is wrong, and where.
pub(super) type Problem = (FileLocation, String);

/// A key and its values.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_location: FileLocation,
    pub(super) location: FileLocation,
    pub(super) values: Vec<String>,
}

/// A consumer.
pub(super) struct ConsumerTable {
    pub(super) name: ConsumerName,
    pub(super) plugin: String,
    pub(super) plugin_location: FileLocation,
    pub(super) settings: Vec<Setting>,
    pub(super) entries: Vec<Entry>,
}

/// A setting of a consumer.
pub(super) struct Setting {
    pub(super) key: String,
    pub(super) location: FileLocation,
    pub(super) value: SettingValue,
}

/// What a setting is.
pub(super) enum SettingValue {
    Text(String),
    /// What is in the file at this path.
    File(String),
}

impl ConfigFile {
    /// Reads the file at `path`.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let file = printable_line(&path.to_string_lossy()).into_owned();
        let text = read(path).map_err(|error| {
            let meant = if path.exists() { String::new() } else { is_meant(path) };
            let text = format!("cannot read the configuration file {file}: {error}{meant}");
            Failure::new(Status::BadConfiguration, text)
        })?;
        let locations = FileLocations::new(&file, &text);
        let table = DeTable::parse(&text).map_err(|error| {
            let location = locations.at(error.span().map_or(0, |span| span.start));
            Failure::new(Status::BadConfiguration, format!("{location}: {}", printable_line(error.message())))
        })?;
        let mut read = Self { folder: path.parent().unwrap_or(Path::new("")).to_owned(), ..Self::default() };
        read.take(table.get_ref(), &locations);
        Ok(read)
    }

    fn take(&mut self, table: &DeTable<'_>, locations: &FileLocations<'_>) {
        for (key, value) in table {
            match value.get_ref() {
                DeValue::Table(consumers) if key.get_ref().as_ref() == CONSUMERS => {
                    for (name, consumer) in consumers {
                        self.take_consumer(name, consumer, locations);
                    }
                }
                _ => match entry(key, value, locations) {
                    Ok(entry) => self.entries.push(entry),
                    Err(problem) => self.problems.push(problem),
                },
            }
        }
    }

    fn take_consumer(
        &mut self,
        name: &Spanned<impl AsRef<str>>,
        consumer: &Spanned<DeValue<'_>>,
        locations: &FileLocations<'_>,
    ) {
        let location = locations.at(name.span().start);
        let parsed = match name.get_ref().as_ref().parse::<ConsumerName>() {
            Ok(parsed) => parsed,
            Err(error) => return self.problems.push((location, error.to_string())),
        };
        let DeValue::Table(table) = consumer.get_ref() else {
            let text = format!("expected a table, [{CONSUMERS}.{parsed}], with `{PLUGIN} = \"FILE\"`");
            return self.problems.push((location, text));
        };
        let (mut plugin, mut settings, mut entries) = (None, Vec::new(), Vec::new());
        for (key, value) in table {
            let location = locations.at(value.span().start);
            match (key.get_ref().as_ref(), value.get_ref()) {
                (PLUGIN, DeValue::String(text)) if !text.is_empty() => {
                    plugin = Some((text.to_string(), location));
                }
                (PLUGIN, _) => {
                    self.problems
                        .push((location, format!("`{PLUGIN}` is the path of a component, in quotes")));
                }
                (SETTINGS, DeValue::Table(table)) => {
                    for (key, value) in table {
                        match setting(key, value, locations) {
                            Ok(setting) => settings.push(setting),
                            Err(problem) => self.problems.push(problem),
                        }
                    }
                }
                (SETTINGS, _) => {
                    self.problems.push((location, format!("`{SETTINGS}` is a table: {{ KEY = VALUE }}")));
                }
                _ => match entry(key, value, locations) {
                    Ok(entry) => entries.push(entry),
                    Err(problem) => self.problems.push(problem),
                },
            }
        }
        match plugin {
            Some((plugin, plugin_location)) => {
                self.consumers.push(ConsumerTable {
                    name: parsed,
                    plugin,
                    plugin_location,
                    settings,
                    entries,
                });
            }
            None if table.keys().any(|key| key.get_ref().as_ref() == PLUGIN) => {}
            None => {
                let keys = table.keys().map(|key| key.get_ref().to_string());
                let meant = is_like(PLUGIN, keys);
                self.problems.push((
                    location,
                    format!("this consumer has no `{PLUGIN}`{meant}: give the path of its component"),
                ));
            }
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MOST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it has more than {MOST} bytes")));
    }
    Ok(text)
}

fn entry(
    key: &Spanned<impl AsRef<str>>,
    value: &Spanned<DeValue<'_>>,
    locations: &FileLocations<'_>,
) -> Result<Entry, Problem> {
    let location = locations.at(value.span().start);
    let (name, key_location) = (key.get_ref().as_ref().to_owned(), locations.at(key.span().start));
    let shown = printable_line(&name);
    let values = match value.get_ref() {
        DeValue::Array(array) => {
            let text_of = |value: &Spanned<DeValue<'_>>| {
                let location = locations.at(value.span().start);
                text(value.get_ref())
                    .ok_or_else(|| (location, "expected a text, a number, true or false".to_owned()))
            };
            array.iter().map(text_of).collect::<Result<_, _>>()?
        }
        DeValue::Table(_) => {
            let meant = is_like(&name, [CONSUMERS.to_owned()]);
            let text = format!("`{shown}` is a table{meant}: those of this file are [{CONSUMERS}.NAME]");
            return Err((key_location, text));
        }
        value => match text(value) {
            Some(text) => vec![text],
            None => return Err((location, "expected a text, in quotes".to_owned())),
        },
    };
    Ok(Entry { key: name, key_location, location, values })
}

fn setting(
    key: &Spanned<impl AsRef<str>>,
    value: &Spanned<DeValue<'_>>,
    locations: &FileLocations<'_>,
) -> Result<Setting, Problem> {
    let location = locations.at(value.span().start);
    let file = |table: &DeTable<'_>| match table.iter().next() {
        Some((key, value)) if key.get_ref().as_ref() == "file" && table.len() == 1 => text(value.get_ref()),
        _ => None,
    };
    let value = match value.get_ref() {
        DeValue::Table(table) => file(table).map(SettingValue::File),
        value => text(value).map(SettingValue::Text),
    };
    let Some(value) = value else {
        let text = "a setting is a text, a number, true or false, or { file = \"PATH\" }";
        return Err((location, text.to_owned()));
    };
    Ok(Setting { key: key.get_ref().as_ref().to_owned(), location, value })
}

fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(is_so) => Some(is_so.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}
