//! `loghost report`: what was counted, what is missing, and up to where that is known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use loghost_core::domain::{Account, Balance, Sent};
use loghost_store::journal;
use loghost_store::state::Contents;

use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::state::unusable;
use crate::ui::report::{self, ConsumerBalance, Journals};
use crate::ui::terminal::OutputFormat;

/// What `report` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The folders of the hosts that took turns.
    pub(crate) states: Vec<PathBuf>,
    /// What their producers know to be sent.
    pub(crate) journals: Vec<PathBuf>,
    pub(crate) format: OutputFormat,
}

/// Shows what the states come to; fails if something is missing.
pub(crate) fn report(options: &Options) -> Result<(), Failure> {
    // Before the states: what is confirmed meanwhile is not missed.
    let sent: Vec<Sent> = options.journals.iter().map(|file| sent(file)).collect::<Result<_, _>>()?;
    let consumers = read(&options.states)?;
    let balances = consumers.into_iter().filter_map(|(queue, accounts)| {
        let consumer = accounts.first()?.consumer.to_string();
        Some(ConsumerBalance { consumer, queue, balance: Balance::new(&accounts, &sent) })
    });
    let balances: Vec<ConsumerBalance> = balances.collect();
    let journals = if options.journals.is_empty() { Journals::None } else { Journals::Read };
    report::print(&balances, journals, options.format)?;
    let complete = balances.iter().all(|consumer| consumer.balance.is_complete());
    if complete { Ok(()) } else { Err(Failure::silent(Status::Differs)) }
}

/// What all states have, by queue.
fn read(states: &[PathBuf]) -> Result<BTreeMap<String, Vec<Account>>, Failure> {
    let mut consumers: BTreeMap<String, Vec<Account>> = BTreeMap::new();
    let mut seen = Vec::new();
    for folder in states {
        if let Ok(folder) = folder.canonicalize() {
            if seen.contains(&folder) {
                let text = format!("--state {} is given twice", folder.display());
                return Err(Failure::new(Status::Usage, text));
            }
            seen.push(folder);
        }
        let store = Contents::copied(folder).map_err(unusable)?;
        for queue in store.queues().map_err(unusable)? {
            if let Some(account) = store.account(&queue).map_err(unusable)? {
                consumers.entry(queue).or_default().push(account);
            }
        }
    }
    if consumers.is_empty() {
        let names: Vec<String> = states.iter().map(|state| state.display().to_string()).collect();
        let text = format!("no consumer has run with the state in {} yet", names.join(" or "));
        return Err(Failure::new(Status::BadInput, text));
    }
    Ok(consumers)
}

/// What the producer with this journal has sent.
fn sent(file: &Path) -> Result<Sent, Failure> {
    let (producer, confirmed) = journal::read(file).status(Status::BadInput)?;
    let intervals = confirmed.iter().map(|(severity, source, intervals)| {
        let source = source.map_or("", |source| source.as_str());
        (severity, source.to_owned(), intervals.clone())
    });
    Ok(Sent { producer, intervals: intervals.collect() })
}
