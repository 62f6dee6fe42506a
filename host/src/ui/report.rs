//! How a report is shown: a table, what there is to say of each consumer, and the conclusion; or JSON.

use loghost_core::domain::{Balance, Counts, Expired, IntervalSet, Missing, Reach, Severity, printable_line};
use serde_json::{Value, json};

use crate::ui::terminal::{self, BAD, GOOD, OutputError, OutputFormat, TITLE, tally_json};

/// What the states come to, for one consumer.
pub(crate) struct ConsumerBalance {
    pub(crate) consumer: String,
    pub(crate) queue: String,
    pub(crate) balance: Balance,
}

/// Whether the producers' journals were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Journals {
    Read,
    None,
}

/// How many intervals of an origin, or producers, a person is shown.
const SHOWN: usize = 20;

/// Prints the report.
pub(crate) fn print(
    balances: &[ConsumerBalance],
    journals: Journals,
    format: OutputFormat,
) -> Result<(), OutputError> {
    match format {
        OutputFormat::Text => terminal::print(&text(balances, journals)),
        OutputFormat::Json => {
            balances.iter().try_for_each(|consumer| terminal::print_json(&object(consumer)))
        }
    }
}

const COLUMNS: [&str; 7] = ["queue", "severity", "counted", "skipped", "dead", "counted twice", "missing"];

/// A table, what there is to say of each consumer, and the conclusion.
fn text(balances: &[ConsumerBalance], journals: Journals) -> String {
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    let mut remarks = Vec::new();
    for consumer in balances {
        let balance = &consumer.balance;
        let mut queue = consumer.queue.as_str();
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
            .extend(remarks_on(consumer).into_iter().map(|remark| format!("{}: {remark}", consumer.queue)));
    }
    let verdict = if balances.iter().all(|consumer| consumer.balance.is_complete()) {
        format!("{GOOD}{}{GOOD:#}", complete(balances, journals))
    } else {
        let are_gaps = balances.iter().any(|consumer| !consumer.balance.gaps.is_empty());
        let what = if are_gaps { "logs are missing" } else { "logs were removed before they were read" };
        format!("{BAD}{what}{BAD:#}")
    };
    let mut lines = table(&rows);
    lines.extend(remarks);
    lines.push(verdict);
    lines.join("\n")
}

/// That nothing is missing, as far as that is known.
fn complete(balances: &[ConsumerBalance], journals: Journals) -> String {
    let known = balances.iter().all(|consumer| consumer.balance.unknown.is_empty());
    let what = if known { "nothing is missing" } else { "nothing is missing of what is remembered," };
    if balances.iter().all(|consumer| consumer.balance.reach == Reach::Confirmed) {
        return format!(
            "{what} in these queues of what the journals have confirmed, of the severities that they are for"
        );
    }
    let whose = if journals == Journals::None { "" } else { " without a journal" };
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

fn remarks_on(consumer: &ConsumerBalance) -> Vec<String> {
    let Balance { counts, gaps, expired, unknown, untold, removed, has_offsets, .. } = &consumer.balance;
    let mut remarks = Vec::new();
    if counts.repeated > 0 {
        remarks.push(format!("{} came again, and were not counted again", counts.repeated));
    }
    if counts.without_id > 0 {
        let text = if *has_offsets {
            "came without an id, which does not matter for those of streams: each is counted once, by its offset; of those that \
             came from a queue, one that came twice is counted twice, and none is known to be missing"
        } else {
            "came without an id: one that came twice is counted twice, and none is known to be missing"
        };
        remarks.push(format!("{} {text}", counts.without_id));
    }
    if counts.undetermined > 0 {
        let text = "did not say how serious they are, and are counted as --default-severity says";
        remarks.push(format!("{} {text}", counts.undetermined));
    }
    let list = |outcome: &str| format!("loghost dead-letters list {} --outcome {outcome}", consumer.consumer);
    if counts.unwanted.total() > 0 {
        let (n, list) = (counts.unwanted.total(), list("unwanted"));
        remarks.push(format!("{n} are not counted, because its filter does not want them: {list}"));
    }
    if counts.foreign > 0 {
        let (n, list) = (counts.foreign, list("foreign"));
        remarks
            .push(format!("{n} messages are not counted, because they were not published as logs: {list}"));
    }
    if counts.undeliverable > 0 {
        let (n, list) = (counts.undeliverable, list("undeliverable"));
        remarks
            .push(format!("{n} messages are not counted, because the broker could not deliver them: {list}"));
    }
    for Missing { origin, intervals: missing } in gaps {
        remarks.push(format!("missing of {}: {}", printable_line(origin), intervals(missing)));
    }
    for (stream, offsets) in removed {
        remarks.push(format!(
            "removed from the stream {} before they were read: {} offsets at most, {}",
            printable_line(stream),
            offsets.len(),
            intervals(offsets)
        ));
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
fn intervals(intervals: &IntervalSet) -> String {
    let mut shown: Vec<String> = intervals
        .iter()
        .take(SHOWN)
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
        .collect();
    if intervals.iter().nth(SHOWN).is_some() {
        shown.push("...".to_owned());
    }
    shown.join(", ")
}

fn object(consumer: &ConsumerBalance) -> Value {
    let balance = &consumer.balance;
    let Balance {
        counts, twice, missing, gaps, expired, unknown, untold, removed, has_offsets, reach, ..
    } = balance;
    let Counts {
        accepted,
        rejected,
        skipped,
        unwanted,
        foreign,
        undeliverable,
        repeated,
        without_id,
        undetermined,
        // The offsets themselves are shown.
        removed: _,
        first: _,
        last: _,
    } = counts;
    let removed = removed.iter().map(|(stream, offsets)| {
        json!({ "stream": stream, "offsets": offsets.len(), "intervals": offsets.iter().collect::<Vec<_>>() })
    });
    let gaps = gaps.iter().map(|Missing { origin, intervals }| {
        json!({ "origin": origin, "intervals": intervals.iter().collect::<Vec<_>>() })
    });
    json!({
        "consumer": consumer.consumer,
        "queue": consumer.queue,
        "counts": tally_json(accepted),
        "skipped": tally_json(skipped),
        "rejected": tally_json(rejected),
        "unwanted": tally_json(unwanted),
        "foreign": foreign,
        "undeliverable": undeliverable,
        "counted_twice": tally_json(twice),
        "repeated": repeated,
        "without_id": without_id,
        "counted_by_offset": has_offsets,
        "undetermined": undetermined,
        "missing": tally_json(missing),
        "gaps": gaps.collect::<Vec<_>>(),
        "removed": removed.collect::<Vec<_>>(),
        "expired": {
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
