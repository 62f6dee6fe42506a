//! `loghost report`: what was counted, what is missing, and up to where that is known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use loghost_core::domain::{
    Account, Balance, Expired, IntervalSet, Missing, Reach, Sent, Severity, printable_line,
};
use loghost_store::journal;
use loghost_store::state::Contents;
use serde_json::{Value, json};

use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::state::unusable;
use crate::ui::terminal::{self, BAD, Format, GOOD, TITLE, tally_json};

/// What `report` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The folders of the hosts that took turns.
    pub(crate) states: Vec<PathBuf>,
    /// What their producers know to be sent.
    pub(crate) journals: Vec<PathBuf>,
    pub(crate) format: Format,
}

/// How many intervals of an origin a person is shown.
const SHOWN: usize = 20;

/// Shows what the states come to; fails if something is missing.
pub(crate) fn report(options: &Options) -> Result<(), Failure> {
    // Before the states: what is confirmed meanwhile is not missed.
    let sent: Vec<Sent> = options.journals.iter().map(|file| sent(file)).collect::<Result<_, _>>()?;
    let consumers = read(&options.states)?;
    let balances: Vec<(Name, Balance)> = consumers
        .into_values()
        .filter_map(|accounts| Some((Name::of(accounts.first()?), Balance::new(&accounts, &sent))))
        .collect();
    match options.format {
        Format::Text => terminal::print(&text(&balances, &options.journals)),
        Format::Json => {
            balances.iter().try_for_each(|(name, balance)| terminal::print_json(&object(name, balance)))
        }
    }?;
    let complete = balances.iter().all(|(_, balance)| balance.is_complete());
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
    let sequences = confirmed.iter().map(|(severity, source, sequences)| {
        let source = source.map_or("", |source| source.as_str());
        (severity, source.to_owned(), sequences.clone())
    });
    Ok(Sent { producer, sequences: sequences.collect() })
}

/// How a consumer is called.
struct Name {
    consumer: String,
    queue: String,
}

impl Name {
    fn of(account: &Account) -> Self {
        Self { consumer: account.consumer.to_string(), queue: account.queue.clone() }
    }
}

const COLUMNS: [&str; 7] = ["queue", "severity", "counted", "skipped", "dead", "counted twice", "missing"];

/// A table, what there is to say of each consumer, and the judgement.
fn text(balances: &[(Name, Balance)], journals: &[PathBuf]) -> String {
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    let mut remarks = Vec::new();
    for (name, balance) in balances {
        let mut queue = name.queue.as_str();
        for severity in Severity::ALL {
            let Balance { counts, twice, missing, .. } = balance;
            let numbers = [&counts.accepted, &counts.skipped, &counts.rejected, twice, missing];
            let numbers = numbers.map(|tally| tally[severity]);
            if balance.severities.contains(severity) || numbers != [0; 5] {
                let [counted, skipped, dead, twice, missing] = numbers.map(|n| n.to_string());
                let severity = severity.to_string();
                rows.push([queue.to_owned(), severity, counted, skipped, dead, twice, missing]);
                queue = "";
            }
        }
        remarks
            .extend(remarks_on(name, balance).into_iter().map(|remark| format!("{}: {remark}", name.queue)));
    }
    let judgement = if balances.iter().all(|(_, balance)| balance.is_complete()) {
        format!("{GOOD}{}{GOOD:#}", complete(balances, journals))
    } else {
        format!("{BAD}logs are missing{BAD:#}")
    };
    let mut lines = table(&rows);
    lines.extend(remarks);
    lines.push(judgement);
    lines.join("\n")
}

/// That nothing is missing, as far as that is known.
fn complete(balances: &[(Name, Balance)], journals: &[PathBuf]) -> String {
    let known = balances.iter().all(|(_, balance)| balance.unknown.is_empty());
    let what = if known { "nothing is missing" } else { "nothing is missing of what is remembered," };
    if balances.iter().all(|(_, balance)| balance.reach == Reach::Confirmed) {
        return format!(
            "{what} in these queues of what the journals have confirmed, of the severities that they are for"
        );
    }
    let whose = if journals.is_empty() { "" } else { " without a journal" };
    format!(
        "{what} in each of these queues below the highest number that it has counted of a producer{whose}, severity and \
         source; what came after that, or was taken from the queue by a run without this state, cannot be seen here: give --journal"
    )
}

/// The rows in columns, words to the left and numbers to the right.
fn table(rows: &[[String; 7]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: [usize; 7] = std::array::from_fn(width);
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if column < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    if let Some(title) = lines.first_mut() {
        *title = format!("{TITLE}{title}{TITLE:#}");
    }
    lines
}

fn remarks_on(name: &Name, balance: &Balance) -> Vec<String> {
    let Balance { counts, gaps, expired, unknown, untold, .. } = balance;
    let mut remarks = Vec::new();
    if counts.repeated > 0 {
        remarks.push(format!("{} came again, and were not counted again", counts.repeated));
    }
    if counts.without_id > 0 {
        let text =
            "came without an id: one that came twice is counted twice, and none is known to be missing";
        remarks.push(format!("{} {text}", counts.without_id));
    }
    let list = |outcome: &str| format!("loghost dead-letters list {} --outcome {outcome}", name.consumer);
    if counts.unwanted.total() > 0 {
        let (n, list) = (counts.unwanted.total(), list("unwanted"));
        remarks.push(format!("{n} are not counted, because its filter does not want them: {list}"));
    }
    if counts.foreign > 0 {
        let (n, list) = (counts.foreign, list("foreign"));
        remarks
            .push(format!("{n} messages are not counted, because they were not published as logs: {list}"));
    }
    for Missing { origin, sequences } in gaps {
        remarks.push(format!("missing of {}: {}", printable_line(origin), intervals(sequences)));
    }
    if expired.origins > 0 {
        let Expired { origins, missing, .. } = expired;
        remarks.push(format!(
            "{origins} origins that sent nothing for long (--forget-after) have expired, with {missing} logs missing"
        ));
    }
    if !untold.is_empty() {
        let more = if untold.len() > SHOWN { ", ..." } else { "" };
        let some: Vec<_> = untold.iter().take(SHOWN).map(|producer| printable_line(producer)).collect();
        remarks.push(format!(
            "has logs of producers whose journals are not given, so that it is not known what they have sent beyond \
             what is here: {}{more}",
            some.join(", ")
        ));
    }
    for origin in unknown {
        let origin = printable_line(origin);
        remarks.push(format!("{origin}: some of its logs are not known; they may have expired"));
    }
    remarks
}

/// The first of them.
fn intervals(sequences: &IntervalSet) -> String {
    let mut shown: Vec<String> = sequences
        .iter()
        .take(SHOWN)
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
        .collect();
    if sequences.iter().nth(SHOWN).is_some() {
        shown.push("...".to_owned());
    }
    shown.join(", ")
}

fn object(name: &Name, balance: &Balance) -> Value {
    let Balance { counts, twice, missing, gaps, expired, unknown, untold, reach, .. } = balance;
    let gaps = gaps.iter().map(|Missing { origin, sequences }| {
        json!({ "origin": origin, "intervals": sequences.iter().collect::<Vec<_>>() })
    });
    json!({
        "consumer": name.consumer,
        "queue": name.queue,
        "counts": tally_json(&counts.accepted),
        "skipped": tally_json(&counts.skipped),
        "rejected": tally_json(&counts.rejected),
        "unwanted": tally_json(&counts.unwanted),
        "foreign": counts.foreign,
        "counted_twice": tally_json(twice),
        "repeated": counts.repeated,
        "without_id": counts.without_id,
        "missing": tally_json(missing),
        "gaps": gaps.collect::<Vec<_>>(),
        "folded": {
            "origins": expired.origins,
            "missing": expired.missing,
            "horizon": expired.horizon.as_millis(),
        },
        "unknown": unknown,
        "untold": untold,
        "complete": balance.is_complete(),
        "reach": match reach {
            Reach::Confirmed => "confirmed",
            Reach::Finished => "finished",
        },
    })
}
