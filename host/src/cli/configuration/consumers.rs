//! The consumers of a configuration file, each with what it has of its own.

use clap::{Args, Command, FromArgMatches};
use loghost_core::domain::printable_line;

use super::credentials;
use super::file::{ConsumerTable, Setting, SettingValue};
use super::layers::{Given, InForce, Origin};
use super::option;
use crate::cli::consumer::ConsumerArgs;
use crate::compose::configured::Configured;
use crate::compose::consumer_options::ConsumerOptions;
use crate::compose::failure::{Failure, Status};

/// The most bytes of a file with a setting.
const MOST_SECRET: u64 = 64 << 10;

/// The options that a consumer may have of its own.
pub(super) fn command() -> Command {
    ConsumerArgs::augment_args(Command::new("consumer").no_binary_name(true))
}

impl InForce {
    /// The consumers of the file. What they do not have of their own is as in `options`.
    pub(in crate::cli) fn consumers(&self, options: &ConsumerOptions) -> Result<Vec<Configured>, Failure> {
        self.consumers.iter().map(|consumer| self.consumer(consumer, options)).collect()
    }

    fn consumer(&self, consumer: &ConsumerTable, options: &ConsumerOptions) -> Result<Configured, Failure> {
        let ConsumerTable { name, plugin, plugin_location, settings, .. } = consumer;
        let args = self.args(consumer)?;
        let settings = settings.iter().map(|setting| self.setting(setting)).collect::<Result<_, _>>()?;
        Ok(Configured {
            name: name.clone(),
            location: plugin_location.to_string(),
            plugin: self.folder.join(plugin),
            settings,
            limits: args.limits(),
            options: args.options(options.clone()),
        })
    }

    /// The options of a consumer: its own, unless something of a higher precedence than the file says it for all.
    fn args(&self, consumer: &ConsumerTable) -> Result<ConsumerArgs, Failure> {
        let command = command();
        let mut arguments = Vec::new();
        for arg in option::options(&command) {
            let key = option::key(arg).unwrap_or_default();
            let for_all = self.given.get(key);
            let own = consumer.entries.iter().find(|entry| entry.key == key);
            let values = match (own, for_all) {
                (Some(own), _) if self.above_file(key).is_none() => {
                    option::of_file(arg, &own.values, &self.folder)
                }
                (_, Some(given)) => given.values.clone(),
                _ => continue,
            };
            arguments.extend(option::arguments(arg, &values));
        }
        let matches = command.try_get_matches_from(arguments);
        let args = matches.and_then(|matches| ConsumerArgs::from_arg_matches(&matches));
        args.map_err(|error| {
            let text = format!("{}: {}", consumer.plugin_location, option::first_line(&error));
            Failure::new(Status::BadConfiguration, text)
        })
    }

    /// What goes before the file, of an option that is given for all.
    pub(super) fn above_file(&self, key: &str) -> Option<&Given> {
        self.given.get(key).filter(|given| !matches!(given.origin, Origin::File(_)))
    }

    fn setting(&self, setting: &Setting) -> Result<(String, String), Failure> {
        let Setting { key, location, value } = setting;
        let value = match value {
            SettingValue::Text(text) => text.clone(),
            SettingValue::File(path) => {
                let path = credentials::path(&self.folder, path);
                let secret = credentials::read(&path, MOST_SECRET);
                secret.map_err(|error| error.context(format!("{location}: {}", printable_line(key))))?
            }
        };
        Ok((key.clone(), value))
    }
}
