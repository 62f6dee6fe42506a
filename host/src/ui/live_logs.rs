//! What is said to whoever looks at logs as they come.

use loghost_core::domain::{Filter, Pattern, printable_line};
use loghost_rabbitmq::{Address, BindRules, Names};

use crate::ui::rules::warn_of;
use crate::ui::terminal::{self, counted};

/// Says what is looked at.
pub(crate) fn say_looking(address: &Address, names: &Names, filter: &Filter, rules: &BindRules) {
    warn_of(rules, &[filter]);
    let exchanges = filter.severities().iter().map(|severity| names.exchange(severity));
    let exchanges = exchanges.chain(rules.exchanges(filter));
    let exchanges = exchanges.collect::<Vec<_>>().join(", ");
    let all = [Pattern::everything()];
    let sources = if filter.sources() == all {
        String::new()
    } else {
        let sources: Vec<&str> = filter.sources().iter().map(Pattern::as_str).collect();
        format!(" of the sources {}", sources.join(", "))
    };
    let text = format!("looking at what comes through {exchanges}{sources} at {address} (Ctrl-C ends)");
    terminal::notice(&printable_line(&text));
}

/// Warns that so many logs were not seen.
pub(crate) fn warn_unseen(logs: u64) {
    let logs = counted(usize::try_from(logs).unwrap_or(usize::MAX), "log");
    terminal::warning(&format!(
        "not seen, by the numbers in the ids: {logs}; the broker drops the oldest of what nobody reads in time, and all \
         while there is no connection"
    ));
}
