//! What is said to whoever looks at logs as they come.

use loghost_core::domain::{Filter, Pattern};
use loghost_rabbitmq::{Address, BindRules, Names};

use crate::ui::events::command::ReadingEvent;
use crate::ui::rules::warn_of;
use crate::ui::terminal::{self, LogObserver};

/// Says what is looked at.
pub(crate) fn say_looking(address: &Address, names: &Names, filter: &Filter, rules: &BindRules) {
    warn_of(rules, &[filter], &LogObserver::default());
    let exchanges = filter.severities().iter().map(|severity| names.exchange(severity));
    let exchanges = exchanges.chain(rules.exchanges(filter)).map(str::to_owned).collect();
    let all = [Pattern::everything()];
    let sources = if filter.sources() == all {
        Vec::new()
    } else {
        filter.sources().iter().map(ToString::to_string).collect()
    };
    terminal::tell(ReadingEvent::Looking { exchanges, sources, address: address.to_string() });
}
