//! The balance of a consumer: what it has finished, compared with what is known to have been sent.
//!
//! Several hosts may have run one consumer in turn. Their accounts are added up.

mod account;
#[cfg(test)]
mod tests;
mod totals;

use std::collections::{BTreeMap, BTreeSet};

pub use self::account::{Account, Sent};
use self::totals::OriginTotals;
use super::{Counts, Expired, Filter, IntervalSet, Producer, Severities, Severity, StreamState, Tally};

/// What is known of a consumer from all of its accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// The severities that it wants.
    pub severities: Severities,
    /// The sum of the counts of all accounts. A dead letter that another host has counted since is not in `rejected` or
    /// `unwanted`, and one that is in two accounts is there once.
    pub counts: Counts,
    /// How many of the accepted and skipped logs were counted by more than one host.
    pub twice: Tally,
    /// How many logs are missing. Expired ones are not among them.
    pub missing: Tally,
    /// Their sequence numbers.
    pub gaps: Vec<Missing>,
    /// What has expired, in all accounts.
    pub expired: Expired,
    /// Origins some of whose logs may have been counted before they expired.
    pub unknown: Vec<String>,
    /// The producers of logs that it wants for which no journal was given, where one was given for others.
    pub untold: BTreeSet<String>,
    /// The offsets of streams that were removed before one of the hosts has read them.
    pub removed: BTreeMap<String, IntervalSet>,
    /// Whether it has read streams: their logs are counted by their offsets, with and without an id.
    pub has_offsets: bool,
    /// Up to which number it is known what was sent.
    pub reach: Reach,
}

/// Up to which number it is known, for every origin, what was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Up to the last log that was confirmed.
    Confirmed,
    /// For some origins, only up to the highest number that was finished. Logs after it that were lost, or finished
    /// by a host whose account is not given, are unknown.
    #[default]
    Finished,
}

/// What is missing of an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// `producer/severity/source`
    pub origin: String,
    /// The numbers.
    pub intervals: IntervalSet,
}

impl Balance {
    /// The balance of one consumer, from all of its accounts and from what producers have confirmed.
    ///
    /// A log is missing if the consumer wants it, its number is not above the highest that was finished or confirmed,
    /// and no account has it.
    pub fn new(accounts: &[Account], confirmed: &[Sent]) -> Self {
        let mut balance = Self::default();
        let mut totals: BTreeMap<String, OriginTotals> = BTreeMap::new();
        for account in accounts {
            balance.add(account);
            for origin in &account.origins {
                totals.entry(origin.origin.clone()).or_default().add(origin);
            }
        }
        let wants = |severity, source: &str| {
            accounts.iter().any(|a| a.filter.as_ref().is_none_or(|filter| filter.wants(severity, source)))
        };
        let wanted = |severity: &Severity| {
            let wants = |filter: &Filter| filter.severities().contains(*severity);
            accounts.iter().any(|account| account.filter.as_ref().is_none_or(wants))
        };
        balance.severities = Severity::ALL.into_iter().filter(wanted).collect();
        for Sent { producer, intervals } in confirmed {
            for (severity, source, intervals) in intervals {
                let origin = format!("{}/{severity}/{source}", producer.as_str());
                let known = totals.contains_key(&origin);
                if known || balance.expired.origins == 0 {
                    let total = totals.entry(origin).or_default();
                    total.confirmed = total.confirmed.max(intervals.highest());
                } else if wants(*severity, source) && !intervals.is_empty() {
                    balance.unknown.push(origin);
                }
            }
        }
        let told = |origin: &str| confirmed.iter().any(|sent| is_of(origin, &sent.producer));
        if !confirmed.is_empty() {
            let untold = totals.keys().filter(|origin| {
                severity_and_source(origin).is_some_and(|(severity, source)| wants(severity, source))
                    && !told(origin)
            });
            balance.untold = untold.filter_map(|origin| Some(origin.split_once('/')?.0.to_owned())).collect();
            if balance.untold.is_empty() {
                balance.reach = Reach::Confirmed;
            }
        }
        for (origin, total) in totals {
            // Every origin in a book has this form.
            let Some((severity, source)) = severity_and_source(&origin) else { continue };
            balance.add_origin(&origin, severity, &total, wants(severity, source));
        }
        balance
    }

    /// Whether nothing is known to be missing.
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty() && self.removed.is_empty()
    }

    fn add(&mut self, account: &Account) {
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
            removed,
            first,
            last,
        } = account.counts;
        let sum = &mut self.counts;
        sum.accepted += accepted;
        sum.rejected += rejected;
        sum.skipped += skipped;
        sum.unwanted += unwanted;
        sum.foreign += foreign;
        sum.undeliverable += undeliverable;
        sum.repeated += repeated;
        sum.without_id += without_id;
        sum.undetermined += undetermined;
        sum.removed = sum.removed.saturating_add(removed);
        sum.first = sum.first.into_iter().chain(first).min();
        sum.last = sum.last.max(last);
        self.has_offsets |= !account.streams.is_empty();
        for StreamState { stream, removed, .. } in &account.streams {
            for (first, last) in removed.iter() {
                self.removed.entry(stream.clone()).or_default().insert_interval(first, last);
            }
        }
        let (sum, expired) = (&mut self.expired, &account.expired);
        sum.origins += expired.origins;
        sum.missing = sum.missing.saturating_add(expired.missing);
        sum.horizon = sum.horizon.max(expired.horizon);
    }

    fn add_origin(&mut self, origin: &str, severity: Severity, total: &OriginTotals, wanted: bool) {
        let dead = total.dead.without(&total.counted);
        let rejected = &mut self.counts.rejected[severity];
        *rejected = rejected.saturating_sub(total.sum_dead - dead.len());
        let unwanted = total.unwanted.without(&total.counted).without(&dead).len();
        let tally = &mut self.counts.unwanted[severity];
        *tally = tally.saturating_sub(total.sum_unwanted - unwanted);
        self.twice[severity] += total.sum_counted - total.counted.len();
        let highest = total.finished.highest().max(total.confirmed);
        if let Some(highest) = highest.filter(|_| wanted) {
            let mut gaps: Vec<(u64, u64)> = total.finished.gaps(highest).collect();
            // A gap before the first known number may have expired.
            if self.expired.origins > 0
                && gaps.first().is_some_and(|(first, last)| *first == 1 && *last < highest)
            {
                gaps.remove(0);
                self.unknown.push(origin.to_owned());
            }
            let intervals: IntervalSet = gaps.into_iter().collect();
            if !intervals.is_empty() {
                let missing = &mut self.missing[severity];
                // Forged ids can make the sum overflow.
                *missing = missing.saturating_add(intervals.len());
                self.gaps.push(Missing { origin: origin.to_owned(), intervals });
            }
        }
    }
}

fn is_of(origin: &str, producer: &Producer) -> bool {
    origin.split_once('/').is_some_and(|(of, _)| of == producer.as_str())
}

fn severity_and_source(origin: &str) -> Option<(Severity, &str)> {
    let (_, rest) = origin.split_once('/')?;
    let (severity, source) = rest.split_once('/')?;
    Some((severity.parse().ok()?, source))
}
