//! `loghost config check`: whether a run could begin, as far as can be known without a broker.

use std::path::Path;

use loghost_core::application::Consumer;
use loghost_core::domain::printable_line;

use crate::commands::run::Options;
use crate::compose::failure::{Failure, Status};
use crate::compose::plugins::loading::{self, Started};
use crate::compose::running::listen;
use crate::ui::terminal::{self, LogObserver};

/// Loads every plugin of a run that is configured by `file`, reads the files that it names, and says that all is well.
pub(crate) fn check(options: &Options, file: &Path) -> Result<(), Failure> {
    for address in &options.target.addresses {
        address.check_certificates().map_err(|error| {
            Failure::new(Status::BadConfiguration, format!("--broker {address}: {error}"))
        })?;
    }
    if let Some(file) = options.listen.as_ref().and_then(|listen| listen.token_file.as_deref()) {
        listen::listen_token(file)?;
    }
    let Started { members, failed } = loading::start(&options.wanted(&LogObserver::default()))?;
    if let Some(status) = failed {
        return Err(Failure::silent(status));
    }
    let names: Vec<String> =
        members.iter().map(|(_, consumer)| consumer.descriptor().name.to_string()).collect();
    let consumers = if names.is_empty() { "no consumer".to_owned() } else { names.join(", ") };
    let file = printable_line(&file.to_string_lossy()).into_owned();
    terminal::print(&format!("{file} is good: {consumers}")).map_err(Failure::from)
}
